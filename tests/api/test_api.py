"""check from Python: every kind of target, and what a live model is told by."""

import copy
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

import initlint
from initlint import api
from initlint.records import InitlintError

SOURCE = """import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x).relu()


class Net(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(depth)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Sized(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return self.fc(x)


def make(depth=3, bias=True):
    return Net(depth)


ready = make()
number = 3
"""


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.fc1 = nn.Linear(width, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 2)

    def forward(self, x):
        return self.fc3(self.fc2(self.fc1(x).relu()).relu())


@pytest.fixture
def net(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "net", raising=False)
    return tmp_path / "net.py"


def test_a_class_is_built_on_meta_with_sites():
    report = initlint.check(Net)
    assert [layer.parameter for layer in report.layers] == [
        "fc1.weight",
        "fc2.weight",
        "fc3.weight",
    ]
    assert report.layers[0].current.default and report.layers[0].site.path.endswith("test_api.py")
    assert [(f.code, f.layer) for f in report.findings] == [("INIT101", "fc2")]


def test_a_factory_and_constructor_arguments():
    assert initlint.check(lambda: Net(32)).layers[0].shape == (64, 32)
    assert initlint.check(Net, args={"width": 16}).layers[0].shape == (64, 16)


@pytest.mark.parametrize(
    ("target", "count"),
    [("net.py:Net", 2), ("net.py:make", 3), ("net.py:ready", 3), ("net:make", 3)],
)
def test_targets_by_name(net, target, count):
    report = initlint.check(target)
    assert len(report.layers) == count and {layer.model for layer in report.layers} == {target}
    assert report.findings[0].site.path == "net.py" and report.findings[0].site.line == 8


def test_layers_of_one_line_are_one_finding(net):
    [finding] = initlint.check("net.py:make").findings
    # The first of them sees the data.
    assert finding.parameters == tuple(f"blocks.{i}.fc.weight" for i in (1, 2))
    assert "1 more of this line" in finding.message


def test_trace_takes_whole_models_and_lists_what_lacks_arguments(net):
    report = initlint.check("net.py", trace=True)
    assert {layer.model for layer in report.layers} == {"net.py:Net", "Sized"}
    [gap] = report.unanalysed
    assert gap.target == "net.py:Sized" and "give args={'width': ...}" in gap.reason


REFUSED = {
    "net.py:Nett": "did you mean Net",
    "net.py:number": "a int is neither",
    "net.py:Sized": "needs width; give args={'width': ...}",
    "missing.py:Net": "no such file",
    "no.such.module:Net": "there is no module no here; for a file write its path",
}


@pytest.mark.parametrize(("target", "words"), REFUSED.items(), ids=REFUSED)
def test_targets_that_cannot_be_built_say_why(net, target, words):
    with pytest.raises(InitlintError) as error:
        initlint.check(target)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "words"),
    [("notes.txt", "no such file"), ("missing.py", "no such file")],
)
def test_what_cannot_be_traced_says_why(net, target, words):
    with pytest.raises(InitlintError, match=words):
        initlint.check(target, trace=True)


def test_a_folder_is_read_and_each_of_its_files_traced(net):
    report = initlint.check(".", trace=True)
    assert {layer.model for layer in report.layers} == {"net.py:Net", "Sized"}


def test_a_path_is_read_and_nothing_of_it_runs(net):
    Path("net.py").write_text(SOURCE + "\nopen('ran', 'w')\n")
    report = initlint.check("net.py")
    assert {layer.model for layer in report.layers} == {"Net", "Sized"}
    assert not Path("ran").exists() and not report.unanalysed


@pytest.mark.parametrize("target", [".", "net:Net.py"])
def test_a_file_with_a_colon_in_its_name_is_read_and_nothing_runs(net, target):
    net.write_text(SOURCE + "\nopen('ran', 'w')\n")
    Path("net:Net.py").write_text(SOURCE)
    report = initlint.check(target)
    assert report.layers and not Path("ran").exists() and not report.unanalysed


def test_paths_may_be_given_as_such(net):
    report = initlint.check(Path("net.py"))
    assert report.layers and report.layers == initlint.check("net.py").layers
    assert initlint.fix(Path("net.py")).diff == initlint.fix("net.py").diff != ""


@pytest.mark.parametrize("target", [None, 5, ["net.py"]])
def test_what_is_no_target_is_refused(target):
    kind = type(target).__name__
    for function in (initlint.check, initlint.fix):
        with pytest.raises(InitlintError, match=f"takes a path, .* not {kind}"):
            function(target)
    with pytest.raises(InitlintError, match=r"fix takes a path, .* not type"):
        initlint.fix(Net)


@pytest.mark.parametrize("args", [[8], 8, {8: 8}], ids=str)
def test_arguments_without_names_are_refused(args):
    words = r"^args=.*: write the constructor's arguments by name, as args=\{'width': 64\}$"
    for function, target in ((initlint.check, Net), (initlint.fix, SOURCE)):
        with pytest.raises(InitlintError, match=words):
            function(target, args=args)
    with pytest.raises(InitlintError, match=words):
        initlint.materialize(Net, args=args)


def test_source_text_is_read(net):
    report = initlint.check(SOURCE)
    assert {layer.site.path for layer in report.layers} == {"<source>"}


def test_a_wrong_argument_names_the_nearest(net):
    with pytest.raises(InitlintError, match="takes no argument dept; did you mean depth"):
        initlint.check("net.py:make", args={"dept": 3})


def test_a_live_model_is_measured_and_left_as_it_was():
    model = Net().train()
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    report = initlint.check(model)
    assert report.layers[0].site is None and report.layers[0].current.default
    assert [finding.code for finding in report.findings] == ["INIT101"]
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert model.training and torch.get_rng_state().equal(random)


def test_a_live_models_other_weights_are_judged_by_their_std():
    model = Net()
    nn.init.normal_(model.fc1.weight, std=1e-4)
    current = initlint.check(model).layers[0].current
    assert (current.name, current.default) == ("measured", False)
    assert current.std == pytest.approx(1e-4, rel=0.05)
    for layer in (model.fc1, model.fc2):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert initlint.check(model).findings == ()


def test_a_live_model_on_meta_is_unknown():
    with torch.device("meta"):
        model = Net()
    report = initlint.check(model)
    assert report.layers[0].current.name == "unknown" and report.findings == ()
    assert report.layers[0].recommended.std == pytest.approx(math.sqrt(2 / 64))


def test_select_limits_the_rules():
    assert initlint.check(Net, select=["INIT102"]).findings == ()


def _name(select):
    """A test's name must be the same in every process."""
    return "an iterator" if hasattr(select, "__next__") else str(select)


SELECTED = ["INIT1", "ALL", "default-before-rectifier", "init101", "INIT102,INIT101", ["INIT101"]]


@pytest.mark.parametrize("select", [*SELECTED, {"INIT1"}, iter(["INIT1"])], ids=_name)
def test_rules_are_selected_as_on_the_command_line(select):
    assert [finding.code for finding in initlint.check(Net, select=select).findings] == ["INIT101"]


@pytest.mark.parametrize("select", SELECTED, ids=str)
def test_fix_selects_rules_as_the_command_line_does(select):
    assert initlint.fix(SOURCE, select=select).count == 1
    assert initlint.fix(SOURCE, select="INIT102").count == 0


@pytest.mark.parametrize("function", [initlint.check, initlint.fix])
@pytest.mark.parametrize(
    ("select", "words"),
    [
        (["INIT999"], r"select INIT999: there is no such rule or group; did you mean INIT\d"),
        ("default-before-rectifer", "did you mean default-before-rectifier"),
        (101, "select=101: write a string or a list of strings"),
        ([101], r"select=\[101\]: write a string or a list of strings"),
    ],
    ids=str,
)
def test_rules_that_are_none_are_refused(function, select, words):
    with pytest.raises(InitlintError, match=words):
        function(SOURCE, select=select)


def test_str_is_the_text_of_the_command_line():
    assert "INIT101 default-before-rectifier" in str(initlint.check(Net))


def test_pretrained_weights_are_not_judged():
    def pretrained():
        model = Net()
        loaded = {name: torch.ones(value.shape) for name, value in model.state_dict().items()}
        loaded = {name: value.cumsum(0) for name, value in loaded.items()}
        model.load_state_dict(loaded)
        return model

    report = initlint.check(pretrained)
    assert report.layers[0].current.name == "unknown" and report.findings == ()


def test_fix_of_source_text_returns_the_new_text():
    fixed = initlint.fix(SOURCE)
    assert fixed.count == 1 and fixed.findings == ()
    assert "nn.init.kaiming_normal_(self.fc.weight" in fixed.source
    assert "+        nn.init.kaiming_normal_" in fixed.diff


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig"])
def test_the_new_text_of_a_file_in_another_encoding(net, encoding):
    text = f"# coding: {encoding.removesuffix('-sig')}\n# größe\n{SOURCE}"
    net.write_bytes(text.encode(encoding))
    fixed = initlint.fix("net.py")
    assert fixed.source.startswith(text.partition("class")[0]) and "kaiming_" in fixed.source


def test_a_fix_is_one_line_to_look_at():
    shown = repr(initlint.fix(SOURCE))
    assert shown.startswith("<Fixed: 1 finding in 1 file; Report: ") and "\n" not in shown
    assert len(shown) < 160


def test_fix_all_writes_only_if_asked(net):
    options = api.Options(trace=True)
    assert api.fix_all(["net.py"], options, write=False).count == 1
    assert net.read_text() == SOURCE
    api.fix_all(["net.py"], options, write=True)
    assert "kaiming_normal_" in net.read_text()
    assert api.fix_all(["net.py"], options).files == ()


def test_fix_of_source_text_names_no_file_of_its_own():
    fixed = initlint.fix(SOURCE.replace("return self.fc(x)\n", "return self.fc(x).tanh()\n"))
    assert fixed.diff.startswith("--- a/<source>\n+++ b/<source>\n")
    refused = initlint.fix(SOURCE.replace("nn.Linear(8, 8)", "(fc := nn.Linear(8, 8))"))
    assert {f.site.path for f in refused.findings} == {"<source>"}
    assert {layer.site.path for layer in refused.report.layers} == {"<source>"}
    assert all("source.py" not in str(result) + repr(result) for result in (fixed, refused))


@pytest.mark.parametrize("target", ["net.py", "net.py:Net", "text", "refused"])
def test_the_source_of_what_does_not_change(net, target):
    clean = SOURCE.replace(".relu()", "")
    if target == "refused":
        clean = SOURCE.replace("nn.Linear(8, 8)", "(fc := nn.Linear(8, 8))")
    net.write_text(clean)
    fixed = initlint.fix(target if ".py" in target else clean)
    assert (fixed.source, fixed.diff, fixed.count) == (clean, "", 0)


def test_the_source_of_a_text_in_another_encoding():
    text = f"# coding: latin-1\n# größe\n{SOURCE}"
    assert initlint.fix(text).source.startswith(text.partition("class")[0])


def test_fix_reads_and_runs_nothing(net):
    """A file that cannot be imported is fixed; trace=True imports it."""
    net.write_text(f"import no_such_package\n{SOURCE}")
    assert initlint.fix("net.py").count == 1
    assert initlint.fix(f"import no_such_package\n{SOURCE}").count == 1
    traced = initlint.fix("net.py", trace=True)
    assert any("no_such_package" in gap.reason for gap in traced.report.unanalysed)


def test_fix_builds_with_arguments_only_where_it_builds(net):
    with pytest.raises(InitlintError, match="args has no effect here: no model is built"):
        initlint.fix("net.py", args={"depth": 3})
    net.write_text(SOURCE.replace("depth=2", "depth"))
    assert initlint.fix("net.py:Net", args={"depth": 3}).count == 1
    assert initlint.fix("net.py", trace=True, args={"depth": 3}).count == 1


def test_fix_of_folders(net):
    Path("empty").mkdir()
    assert initlint.fix("empty").source == ""
    assert initlint.fix(".").count == 1
    net.with_name("other.py").write_text("x = 1\n")
    net.write_text("x = 2\n")
    assert initlint.fix(".").source == ""


@pytest.mark.parametrize("target", ["nope.py", "nope.py:Net", "import torch"])
def test_fix_raises_where_check_does(net, target):
    for function in (initlint.check, initlint.fix):
        with pytest.raises(InitlintError, match=target.partition(":")[0]):
            function(target)


def test_fix_raises_where_it_cannot_write(net):
    net.chmod(0o444)
    with pytest.raises(InitlintError, match=r"^net\.py: the file is read-only"):
        initlint.fix("net.py", write=True)
    assert initlint.fix("net.py").count == 1


def test_prints_of_the_users_code_do_not_reach_standard_output(net, capsys):
    net.write_text(SOURCE.replace("        return x\n", "        print('x')\n        return x\n"))
    initlint.check("net.py:Net")
    assert capsys.readouterr().out == ""


def test_a_line_whose_layers_need_different_initialisers_has_no_fix():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(64, 64)
            self.layers = nn.ModuleDict({name: nn.Linear(64, 64) for name in "ab"})

        def forward(self, x):
            x = nn.functional.leaky_relu(self.layers["a"](self.first(x)), 0.1)
            return nn.functional.leaky_relu(self.layers["b"](x), 0.9)

    (finding,) = initlint.check(Mixed).findings
    assert finding.fix is None and finding.unfixed.startswith("other layers")


def test_members_of_a_run_that_need_different_initialisers_are_spared():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(64, 64)
            self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(2)])
            self.head = nn.Linear(64, 8)

        def forward(self, x):
            return self.head(self.layers[1](self.layers[0](self.first(x)).relu()).tanh())

    first, second = initlint.check(Mixed).findings
    assert (first.fix.applicability, first.fix.spared) == ("safe", ("layers.1.weight",))
    assert (second.fix.applicability, second.fix.spared) == ("safe", ("layers.0.weight",))


def test_activations_that_differ_by_instance_are_an_unsafe_fix():
    class Block(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.fc = nn.Linear(64, 64)
            self.act = act

        def forward(self, x):
            return self.act(self.fc(x))

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(64, 64)
            self.a = Block(nn.ReLU())
            self.b = Block(nn.Tanh())
            self.head = nn.Linear(64, 8)

        def forward(self, x):
            return self.head(self.b(self.a(self.first(x))))

    first, second = initlint.check(Mixed).findings
    assert (first.fix.applicability, first.fix.cases[0][0]) == ("unsafe", ("ReLU",))
    assert (second.fix.applicability, second.fix.cases[0][0]) == ("unsafe", ("Tanh",))


def test_one_initialiser_call_for_layers_that_agree_is_corrected_where_it_stands():
    class Initialised(Net):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 64)
            for module in (self.fc1, self.fc2, self.last):
                nn.init.xavier_uniform_(module.weight)

        def forward(self, x):
            x = self.fc1(self.first(x)).relu()
            return self.fc3(self.last(self.fc2(x).relu()).relu())

    findings = initlint.check(Initialised).findings
    assert [finding.layer for finding in findings] == ["fc1", "fc2", "last"]
    first = findings[0]
    assert first.fix.kind == "correct" and first.fix.site == first.current.site


def test_a_bare_sequential_is_called_model_in_calls():
    report = initlint.check(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64), nn.ReLU())
    )
    assert str(report).count("nn.init.kaiming_normal_(") == 1
    assert "nn.init.kaiming_normal_(model[2].weight" in str(report)


def test_a_path_that_ends_in_a_bare_parameter_is_said_to():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(64, 64)
            self.fc = nn.Linear(64, 64)
            self.last = nn.Parameter(torch.randn(10, 64))

        def forward(self, x):
            return nn.functional.linear(self.fc(self.first(x)).relu(), self.last)

    (finding,) = initlint.check(Net, select="INIT101").findings
    assert "; predicted signal at last: 0." in finding.message


def test_a_layer_of_one_line_in_a_container_of_one_model_and_bare_in_another(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n"
        "class Block(nn.Module):\n"
        "    def __init__(self, act=nn.Sigmoid()):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(64, 64)\n"
        "        self.act = act\n"
        "    def forward(self, x):\n"
        "        return self.act(self.fc(x))\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.blocks = nn.ModuleList([Block(nn.ReLU()), Block(nn.Tanh())])\n"
        "        self.head, self.first = nn.Linear(64, 8), nn.Linear(64, 64)\n"
        "    def forward(self, x):\n"
        "        return self.head(self.blocks[1](self.blocks[0](self.first(x))))\n"
    )
    targets = [f"{path}:Net", f"{path}:Block"]
    found = api.check_all(targets, api.Options()).findings
    assert {finding.code for finding in found} == {"INIT101", "INIT103"}
    assert all(finding.fix is None or finding.fix.applicability == "unsafe" for finding in found)


def test_threads_get_the_same_answers():
    def build():
        first, second = nn.Linear(8, 16), nn.Linear(16, 16)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(16, 4))

    def codes(_):
        return [finding.code for finding in initlint.check(build).findings]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(codes, range(40)))
    assert answers == [["INIT101"]] * 40


def test_threads_materialize_and_apply_side_by_side():
    def made(seed):
        model = initlint.materialize(Net, seed=seed)
        initlint.apply_(model, seed=seed)
        return model.fc1.weight

    with ThreadPoolExecutor(4) as pool:
        weights = list(pool.map(made, [0, 1] * 8))
    assert all(weight.equal(made(seed)) for seed, weight in zip([0, 1] * 8, weights, strict=True))


def test_a_constructor_may_ask_initlint_itself():
    class Curious(Net):
        def __init__(self):
            super().__init__()
            assert initlint.check(SOURCE).layers

    assert initlint.check(Curious).layers
