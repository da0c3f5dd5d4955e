"""`initlint diff` compares draws whose numbers a configuration gives by their expression."""

import pytest

from initlint.cli import main as cli

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.fc = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, 10)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        BODY

    def forward(self, x):
        return self.out(torch.relu(self.fc(x)))
"""
PLAIN = """if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.init_std)"""
FORMS = {
    "a local name": """std = self.config.init_std
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=std)""",
    "a method": """if isinstance(module, nn.Linear):
            module.weight.data.normal_(mean=0.0, std=self.config.init_std)""",
    "by place": """if isinstance(module, nn.Linear):
            module.weight.data.normal_(0.0, self.config.init_std)""",
    "two steps": """config = self.config
        std = config.init_std
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(tensor=module.weight, mean=0.0, std=std)""",
    "a helper": """def fill(tensor):
            nn.init.normal_(tensor, std=self.config.init_std)
        if isinstance(module, nn.Linear):
            fill(module.weight)""",
}
OTHERS = {
    "another field": ("self.config.init_std", "self.config.initializer_range"),
    "a factor": ("self.config.init_std", "2 * self.config.init_std"),
    "a number": ("self.config.init_std", "0.02"),
    "another scheme": ("nn.init.normal_", "nn.init.trunc_normal_"),
    "another mean": ("std=", "mean=self.config.mean, std="),
    "nothing": (
        "nn.init.normal_(module.weight, std=self.config.init_std)",
        "nn.init.zeros_(module.bias)",
    ),
}
# What a name stands for is not clear: neither alike nor different.
UNCLEAR = {
    "set twice": """std = self.config.a
        if isinstance(module, nn.Linear):
            std = self.config.b
            nn.init.normal_(module.weight, std=std)""",
    "an argument": """def fill(tensor, std):
            nn.init.normal_(tensor, std=std)
        if isinstance(module, nn.Linear):
            fill(module.weight, self.config.init_std)""",
    "many": """if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, *self.config.moments)""",
}


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def ran(old, new):
        (tmp_path / "old.py").write_text(NET.replace("BODY", old))
        (tmp_path / "new.py").write_text(NET.replace("BODY", new))
        code = cli.main(["diff", "old.py", "new.py"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


@pytest.mark.parametrize("form", FORMS)
def test_one_expression_in_other_words_is_alike(compared, form):
    code, out, err = compared(PLAIN, FORMS[form])
    assert (code, out) == (0, "")
    assert "not compared" not in err


@pytest.mark.parametrize("form", OTHERS)
def test_another_one_is_a_change(compared, form):
    code, out, _ = compared(PLAIN, PLAIN.replace(*OTHERS[form]))
    assert code == 1
    assert "~ fc.weight" in out
    assert "config.init_std" in out


def test_the_expressions_are_shown(compared):
    _, out, _ = compared(PLAIN, PLAIN.replace(".init_std", ".initializer_range"))
    assert "normal std config.init_std (line 15)" in out
    assert "normal std config.initializer_range (line 15)" in out


@pytest.mark.parametrize("form", UNCLEAR)
def test_what_is_not_clear_is_not_compared(compared, form):
    code, out, err = compared(PLAIN, UNCLEAR[form])
    assert (code, out) == (0, "")
    assert "2 not compared: what fills them is not understood" in err


def test_nothing_is_judged_by_an_expression(tmp_path, monkeypatch, capsys):
    """What cannot be computed has no std, and no rule speaks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET.replace("BODY", PLAIN))
    assert cli.main(["check", "net.py"]) == 0


# The configuration by another way: it may be the same one.
WAYS = {
    "a part of it": "self.config.text_config.init_std",
    "a method": "self.config.get_text_config().init_std",
    "the module's": "module.config.init_std",
    "a condition": "self.config.a.init_std if hasattr(self.config, 'a') else self.config.init_std",
}


@pytest.mark.parametrize("way", WAYS)
def test_another_way_to_the_same_field_is_not_compared(compared, way):
    code, out, err = compared(PLAIN, PLAIN.replace("self.config.init_std", WAYS[way]))
    assert (code, out) == (0, "")
    assert "2 not compared" in err or "2 alike" not in err


SIZES = NET.replace("config.width, config.width", "OLD")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("config.width, config.width", "config.width, 64", 0),
        ("config.width, config.width", "unknown(), 64", 0),
        ("config.width, 32", "config.width, 64", 1),
        ("64, 32", "64, 64", 1),
    ],
)
def test_sizes_that_are_not_known_are_no_change(tmp_path, monkeypatch, old, new, code):
    monkeypatch.chdir(tmp_path)
    for name, sizes in (("old.py", old), ("new.py", new)):
        (tmp_path / name).write_text(SIZES.replace("OLD", sizes).replace("BODY", PLAIN))
    assert cli.main(["diff", "old.py", "new.py"]) == code


def test_what_may_be_drawn_again_alike_is_no_change(compared):
    zeros = "if isinstance(module, nn.Linear):\n            nn.init.constant_(module.bias, 0.0)"
    again = zeros + "\n        if self.config.careful:\n            module.bias.data.zero_()"
    assert compared(zeros, again.replace("module.bias.data", "self.out.bias.data"))[0] == 0
    other = again.replace("zero_()", "fill_(1.0)").replace("module.bias.data", "self.out.bias.data")
    assert compared(zeros, other)[0] == 1
