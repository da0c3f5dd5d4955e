"""The functions of rules: how one is called, and what is refused with file and line."""

import pickle

import handmade
import pytest
from made import CARD, FUNCTION, write

from initlint.judge import Model, findings, load
from initlint.records import InitlintError

HEAD = "from initlint.judge import Layer, Model, Problem\n\n\n"
LAYERS = (handmade.layer("conv"), handmade.layer("head", site=handmade.HEAD_SITE))


def found(folder, function):
    """What the rule with this function reports of two layers."""
    rules = load([str(write(folder, function=function))])
    return [finding.message for finding in findings(LAYERS, rules, {"INIT199"})]


@pytest.mark.parametrize(
    ("function", "messages"),
    [
        ("def f(layer: Layer):\n    yield layer, layer.layer", ["conv", "head"]),
        ("def f(layer: Layer):\n    yield Problem(layer, layer.layer)", ["conv", "head"]),
        ("def f(layer: Layer):\n    return [(layer, layer.layer)]", ["conv", "head"]),
        ("def f(layer: 'Layer'):\n    return ()", []),
        ("def f(layer: Layer, model: Model):\n    yield layer, f'{len(model.layers)}'", ["2", "2"]),
        ("def f(model: Model):\n    yield model.layers[1], 'one for all'", ["one for all"]),
        ("def f(one: Model, all: Model):\n    yield all.layers[0], f'{one is all}'", ["True"]),
        (
            "def f(record: Layer | Model):\n    if isinstance(record, Model):\n"
            "        assert len(record.layers) == 2\n    else:\n        yield record, 'layer'",
            ["layer", "layer"],
        ),
        ("def _help(layer):\n    return 'help'\n\n\ndef f(layer: Layer):\n    yield layer, "
         "_help(layer)", ["help", "help"]),
    ],
)  # fmt: skip
def test_a_function_is_called_with_the_records_of_its_annotation(tmp_path, function, messages):
    assert found(tmp_path, HEAD + function) == messages


def test_a_name_of_python_is_of_no_other_file(tmp_path):
    """Imported functions and classes are not the rule."""
    text = FUNCTION.replace("import Layer", "import consequence, unsuited, Layer")
    assert found(tmp_path, "import math\nfrom os.path import join\n" + text) == []


WRONG = {
    "": "1: there is no function in this file",
    "x = 1": "1: there is no function in this file",
    "def _f(layer: Layer): ...": "1: there is no function in this file",
    "def f(layer: Layer): ...\n\n\ndef g(layer: Layer): ...": "7: one function is enough; begin "
    "the name of g with an underscore",
    "def f(): ...": "4: f has to take one record (Layer, Parameter, Call, Test, Model)",
    "def f(*layers: Layer): ...": "4: f has to take one record",
    "def f(layer: Layer, *, model: Model): ...": "4: f has to take one record",
    "def f(layer: Layer, model: Model, more: int): ...": "4: f has to take one record",
    "def f(layer): ...": "4: parameter layer has no annotation; write one of Layer",
    "\ndef f(layer: int): ...": "5: parameter layer: int is none of Layer, Parameter, Call, Test",
    "def f(layer: Problem): ...": "4: parameter layer: Problem is none of Layer, Param",
    "def f(layer: Layer | None): ...": "4: parameter layer: NoneType is none of Layer",
    "def f(layer: list[Layer]): ...": "4: parameter layer: list is none of",
    "def f(layer: 'Later'): ...": "4: the annotations of f mean nothing when it is loaded: name",
    "def f(layer: Layer, model): ...": "4: the second parameter of f has to be annotated with",
    "def f(layer: Layer, model: Layer): ...": "4: the second parameter of f has to be",
    "async def f(layer: Layer): ...": "4: f is async",
    "async def f(layer: Layer):\n    yield layer, ''": "4: f is async",
    "def f(layer: Layer) ...": "4: cannot be loaded: SyntaxError",
    "import no_such_module": "4: cannot be loaded: ModuleNotFoundError: No module named",
    "from . import shared": "4: cannot be loaded: ImportError",
    "x = 1\nx = 1 / 0": "5: cannot be loaded: ZeroDivisionError: division by zero",
    "raise SystemExit(0)": "4: cannot be loaded: SystemExit",
    "f = lambda layer: ()": "4: parameter layer has no annotation",
    # While it is called.
    "def f(layer: Layer): ...": "4: f returns None; write yield (layer, message)",
    "def f(layer: Layer):\n    yield layer": "4: f yields a Layer; write (layer, message) or",
    "def f(layer: Layer):\n    yield layer, 1": "4: f yields (Layer, int); write",
    "def f(layer: Layer):\n    yield 'conv', 'x'": "4: f yields (str, str); write",
    "def f(layer: Layer):\n    yield layer, ' '": "4: f yields (Layer, str); write",
    "def f(layer: Layer):\n    yield Problem(layer, '')": "4: f yields (Layer, str); write",
    "def f(model: Model):\n    yield model, 'all'": "4: f yields (Model, str); write",
    "def f(layer: Layer):\n    return 3": "4: the rule fails: TypeError: 'int' object is not",
    "def f(layer: Layer):\n    return layer.\\\n    colour": "6: the rule fails: AttributeError",
    "def _g(n):\n    return 1 / n\n\n\ndef f(layer: Layer):\n    yield layer, str(_g(0))": "5: the "
    "rule fails: ZeroDivisionError",
    "import json\n\n\ndef f(layer: Layer):\n    json.loads('{')": "8: the rule fails: JSONDecode",
}


@pytest.mark.parametrize(("function", "said"), WRONG.items(), ids=WRONG)
def test_a_wrong_function_is_refused_with_file_and_line(tmp_path, function, said):
    with pytest.raises(InitlintError) as caught:
        found(tmp_path, f"{HEAD}{function}\n" if function else "")
    assert str(caught.value).startswith(f"{tmp_path / 'INIT199.py'}:{said}")
    assert "\n" not in str(caught.value)


def test_a_rule_that_fails_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    from initlint.cli import main as cli

    write(tmp_path / "own", function=FUNCTION.replace("> 100", "> hundred"))
    (tmp_path / "net.py").write_text(handmade.NET)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "net.py", "--rules", "own", "--no-cache"]) == 2
    said = "own/INIT199.py:8: the rule fails: NameError: name 'hundred' is not defined"
    assert capsys.readouterr().err == f"initlint: error: {said}\n"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"function": None}, r"INIT199\.md:1: there is no INIT199\.py beside it$"),
        ({"card": None}, r"INIT199\.py:1: there is no INIT199\.md beside it$"),
        ({"code": "INIT19"}, r"INIT19\.md:1: 'INIT19' is not a rule code: capital letters and"),
        ({"code": "init199"}, r"init199\.md:1: 'init199' is not a rule code"),
        ({"code": "INIT1999"}, r"INIT1999\.md:1: 'INIT1999' is not a rule code"),
        ({"code": "INIT101", "card": CARD.replace("INIT199", "INIT101")},
         r"INIT101\.md:2: code 'INIT101' is already that of .*rules/INIT101\.md$"),
    ],
)  # fmt: skip
def test_a_rule_is_a_card_and_a_function(tmp_path, missing, said):
    write(tmp_path, **missing)
    with pytest.raises(InitlintError, match=said):
        load([str(tmp_path)])


def test_two_folders_with_one_code(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name)
    with pytest.raises(InitlintError, match=r"b/INIT199\.md:2: code 'INIT199' is already that of "):
        load([str(tmp_path / "a"), str(tmp_path / "b")])


def test_a_folder_that_is_named_twice_is_read_once(tmp_path, monkeypatch):
    write(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert "INIT199" in load(["a", str(tmp_path / "a"), "a/../a"]).cards


def test_a_name_of_a_folder_means_the_one_that_is_there(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / name / "own", card=CARD.replace("wide-layer", f"wide-{name}"))
        monkeypatch.chdir(tmp_path / name)
        assert load(["own"]).cards["INIT199"].name == f"wide-{name}"


def test_a_folder_without_rules(tmp_path):
    with pytest.raises(InitlintError, match="there is no such folder"):
        load([str(tmp_path / "none")])
    (tmp_path / "README.md").write_text("no rule")
    (tmp_path / "shared.py").write_text("x = 1")
    with pytest.raises(InitlintError, match="no rule is in it"):
        load([str(tmp_path)])


def test_other_files_beside_rules_are_left_alone(tmp_path):
    write(tmp_path)
    (tmp_path / "README.md").write_text("no card")
    (tmp_path / "shared.py").write_text("raise ValueError")
    (tmp_path / "INIT198.txt").write_text("no rule")
    assert "INIT199" in load([str(tmp_path)]).cards


def test_the_module_of_a_rule_is_called_like_it():
    function = load().functions["INIT101"]
    assert function.call.__module__ == "initlint.rules.INIT101"
    assert function.kinds and function.line > 1 and function.path.name == "INIT101.py"


def test_another_process_finds_the_same_rules(tmp_path):
    rules = load([str(write(tmp_path))])
    assert "INIT199" in pickle.loads(pickle.dumps(rules)).cards


def test_the_model_is_that_of_the_layer(tmp_path):
    text = HEAD + "def f(layer: Layer, model: Model):\n    yield layer, f'{layer in model.layers}'"
    rules = load([str(write(tmp_path, function=text))])
    layers = (handmade.layer("conv"), handmade.layer("conv", model="other", site=None))
    said = {finding.message for finding in findings(layers, rules, {"INIT199"})}
    assert said == {"True"} and len(Model(layers).layers) == 2


def test_a_name_with_a_line_break_is_no_fault_of_the_rule(tmp_path):
    """Layers are called what the code that is read calls them; it is escaped where it is shown."""
    rules = load([str(write(tmp_path, function=FUNCTION.replace("100", "1")))])
    (finding,) = findings([handmade.layer("a\nb")], rules, {"INIT199"})
    assert finding.message == "a\nb has 8 outputs"
