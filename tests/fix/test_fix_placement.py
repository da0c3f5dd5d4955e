"""Where the calls go: before what loads weights, after what makes them, never where none runs."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from forms import HEAD, TAIL
from marked import KAIMING, XAVIER, ZEROS, Names, again, finding, fixed, rewritten, unmarked

from initlint.fix.rewrite import rewrite

CASES: list[tuple[str, tuple[Names, ...], str]] = [
    (
        "before a state dict is loaded",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.act = nn.ReLU()
        +nn.init.zeros_(self.fc.weight)
        self.load_state_dict(state)
        """,
    ),
    (
        "before the file of weights is opened",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        state = torch.load(path)
        self.load_state_dict(state)
        """,
    ),
    (
        "before a branch that loads weights",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        if path:
            self.load_state_dict(torch.load(path))
        """,
    ),
    (
        "before pretrained weights",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.body = Body.from_pretrained(name)
        """,
    ),
    (
        "after weights loaded into something made earlier",
        ("fc.weight",),
        """
        self.body = Body.from_pretrained(name)
        self.fc = «nn.Linear(3, 4)»
        self.act = nn.ReLU()
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "on both sides of a load",
        ("a.weight", "b.weight"),
        """
        self.a = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.a.weight)
        self.load_state_dict(state)
        self.b = «nn.Linear(4, 5)»
        +nn.init.zeros_(self.b.weight)
        """,
    ),
    (
        "before the layer is copied",
        ("online.weight",),
        """
        self.online = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.online.weight)
        self.target = copy.deepcopy(self.online)
        """,
    ),
    (
        "before its values are copied parameter by parameter",
        ("online.weight",),
        """
        self.online = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.online.weight)
        for p, q in zip(self.online.parameters(), self.target.parameters()):
            q.data.copy_(p.data)
        """,
    ),
    (
        "a copied configuration does not matter",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.config = copy.deepcopy(config)
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "before weight norm is put on",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        weight_norm(self.fc)
        """,
    ),
    (
        "after a broader initialisation that would undo it",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.apply(self._init_weights)
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "after a reset of all",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.reset_parameters()
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "before a return at the end",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.act = nn.ReLU()
        +nn.init.zeros_(self.fc.weight)
        return
        """,
    ),
    (
        "at once where a later branch may return",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        if n:
            return
        self.act = nn.ReLU()
        """,
    ),
    (
        "at the end where only a function inside returns",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        def act(x):
            return x
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "at once where the attribute is replaced later",
        ("fc.1.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.fc = nn.Sequential(nn.ReLU(), self.fc)
        """,
    ),
    (
        "at once where the container grows later",
        ("net.1.weight",),
        """
        self.net = nn.Sequential(*acts, «nn.Linear(3, 4)»)
        +nn.init.zeros_(self.net[-1].weight)
        self.net.append(nn.ReLU())
        """,
    ),
    (
        "at once where its weight is replaced later",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.fc.weight = self.embedding.weight
        """,
    ),
    (
        "at once where the layer is deleted later",
        ("net.0.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.net = nn.Sequential(self.fc)
        del self.fc
        """,
    ),
    (
        "at once where the model names the layer otherwise",
        ("net.0.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.net = Renaming(self)
        """,
    ),
    (
        "at the end where another layer is added by name",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        self.add_module("act", nn.ReLU())
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "inside the branches",
        ("fc.weight", "fc.weight"),
        """
        if n:
            self.fc = «nn.Linear(3, 4)»
        +    nn.init.zeros_(self.fc.weight)
        else:
            self.fc = «nn.Linear(3, 5)»
        +    nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "inside a branch that ends the constructor, and after it",
        ("a.weight", "b.weight"),
        """
        self.a = «nn.Linear(3, 4)»
        if n:
            self.b = «nn.Linear(3, 5)»
        +    nn.init.zeros_(self.b.weight)
        +nn.init.zeros_(self.a.weight)
        """,
    ),
    (
        "inside with, try and match",
        ("a.weight", "b.weight", "c.weight"),
        """
        with torch.no_grad():
            self.a = «nn.Linear(3, 4)»
        +    nn.init.zeros_(self.a.weight)
        try:
            self.b = «nn.Linear(3, 5)»
        +    nn.init.zeros_(self.b.weight)
        except ValueError:
            pass
        match n:
            case 2:
                self.c = «nn.Linear(3, 6)»
        +        nn.init.zeros_(self.c.weight)
        """,
    ),
    (
        "after a comment that closes a branch",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        if n:
            self.act = nn.ReLU()
            # nothing else

            # really
        +nn.init.zeros_(self.fc.weight)

        # what comes next
        """,
    ),
    (
        "after a comment on the line of the statement",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»  # the head
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "at once where the last line holds two statements",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        +nn.init.zeros_(self.fc.weight)
        self.a = 1; self.b = 2;
        """,
    ),
    (
        "after an if that ends in one line",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(3, 4)»
        if n: self.a = 1
        +nn.init.zeros_(self.fc.weight)
        """,
    ),
    (
        "in a nested function at once",
        ("fc.weight",),
        """
        def build():
            self.fc = «nn.Linear(3, 4)»
        +    nn.init.zeros_(self.fc.weight)
            return 3
        build()
        """,
    ),
]


def texts(body: str) -> tuple[str, str]:
    lines = dedent(body).strip("\n").splitlines()
    before = "\n".join(line for line in lines if not line.startswith("+"))
    after = "\n".join(line.removeprefix("+") for line in lines)
    after = after.replace("«", "").replace("»", "")
    return tuple(f"{HEAD}{indent(t, ' ' * 8)}\n{TAIL}" for t in (before, after))  # type: ignore


cases = pytest.mark.parametrize(
    ("names", "body"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)


@cases
def test_the_call_goes_there(names: tuple[Names, ...], body: str) -> None:
    before, after = texts(body)
    assert rewritten(before, names, calls=ZEROS) == after


@cases
def test_a_second_run_changes_nothing(names: tuple[Names, ...], body: str) -> None:
    before, after = texts(body)
    assert again(before, after, names, calls=ZEROS) == after


def test_a_static_method_has_no_instance() -> None:
    source = """\
from torch import nn


class Net(nn.Module):
    @staticmethod
    def build(net):
        net.fc = «nn.Linear(3, 4)»
        net.act = nn.ReLU()
"""
    expected = """\
        net.fc = nn.Linear(3, 4)
        nn.init.zeros_(net.fc.weight)
        net.act = nn.ReLU()
"""
    assert rewritten(source, ["fc.weight"], calls=ZEROS).endswith(expected)


def test_a_layer_made_in_forward_is_filled_before_it_is_used() -> None:
    source = """\
from torch import nn


class Net(nn.Module):
    def forward(self, x):
        self.fc = «nn.Linear(x.shape[1], 4)»
        x = self.fc(x)
        return x
"""
    expected = """\
        self.fc = nn.Linear(x.shape[1], 4)
        nn.init.zeros_(self.fc.weight)
        x = self.fc(x)
"""
    assert expected in rewritten(source, ["fc.weight"], calls=ZEROS)


def test_several_findings_on_one_site_make_one_edit() -> None:
    clean, (site,) = unmarked(f"{HEAD}        self.fc = «nn.Linear(3, 4)»\n{TAIL}")
    result = rewrite(clean.encode(), site.path, [finding(site, "a.fc.weight")] * 2)
    assert result.source.count(b"kaiming_normal_") == 1
    assert len(result.fixed) == 2


def test_two_weights_of_one_site_may_have_different_calls() -> None:
    clean, (site,) = unmarked(f"{HEAD}        self.rnn = «nn.RNN(3, 4)»\n{TAIL}")
    both = [
        finding(site, "rnn.weight_ih_l0", KAIMING),
        finding(site, "rnn.weight_hh_l0", XAVIER),
    ]
    lines = rewrite(clean.encode(), site.path, both).source.decode().splitlines()
    assert [line.strip() for line in lines[-5:-3]] == [
        'nn.init.kaiming_normal_(self.rnn.weight_ih_l0, mode="fan_in", nonlinearity="relu")',
        "nn.init.xavier_normal_(self.rnn.weight_hh_l0)",
    ]


def test_a_user_s_own_equal_call_counts() -> None:
    body = "self.fc = «nn.Linear(3, 4)»\n        nn.init.zeros_( self.fc.weight )\n        n = 3"
    source = f"{HEAD}        {body}\n{TAIL}"
    assert rewritten(source, ["fc.weight"], calls=ZEROS) == unmarked(source)[0]


def test_an_equal_call_for_another_member_does_not_count() -> None:
    body = """\
        layers = []
        layers.append(«nn.Linear(3, 4)»)
        layers.append(nn.Linear(4, 5))
        nn.init.zeros_(layers[-1].weight)
"""
    result = fixed(f"{HEAD}{body}{TAIL}", ["net.0.weight"], calls=ZEROS)
    assert result.source.decode().count("nn.init.zeros_(layers[-1].weight)") == 2


@pytest.mark.slow
def test_a_thousand_layers_in_one_constructor() -> None:
    lines = "".join(f"        self.fc{i} = «nn.Linear({i}, 4)»\n" for i in range(1000))
    names = [f"fc{i}.weight" for i in range(1000)]
    result = rewritten(f"{HEAD}{lines}{TAIL}", names, calls=ZEROS)
    loop = result.partition("for layer in (\n")[2].partition("\n        ):\n")[0]
    assert [line.strip() for line in loop.splitlines()] == [f"self.fc{i}," for i in range(1000)]
    assert result.count("zeros_") == 1 and len(names) == 1000
