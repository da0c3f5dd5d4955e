"""What each command asks of the api, and what help, version and cards print."""

import json

import pytest
from handmade import CLEAN, layer

from initlint import __version__
from initlint.cli import main as cli
from initlint.judge import load
from initlint.project.inputspec import InputSpec
from initlint.records import Outcome, Report, Unanalysed

# What is asked of the api


def test_check_asks(initlint, fake):
    initlint(
        ["check", "a.py:A", "b:B", "--arg", "n=3", "--arg", "act=relu", "--input", "x=int64[2]"]
    )
    assert fake.asked["targets"] == ("a.py:A", "b:B")
    options = fake.asked["options"]
    assert options.arguments == {"n": 3, "act": "relu"}
    assert options.inputs == (InputSpec("x", "int64", (2,)),)
    assert options.trace is False
    assert {"INIT101", "INIT106"} <= options.codes


def test_check_asks_for_selected_codes(initlint, fake):
    initlint("check --trace net.py --select INIT101,INIT102 --ignore INIT102")
    assert fake.asked["options"].codes == {"INIT101"}
    assert fake.asked["options"].trace is True


@pytest.mark.parametrize(
    ("flags", "unsafe", "write"),
    [
        ("--fix", False, True),
        ("--fix --unsafe-fixes", True, True),
        ("--diff", False, False),
        ("--diff --unsafe-fixes", True, False),
    ],
)
def test_repair_asks(initlint, fake, flags, unsafe, write):
    initlint(f"check net.py:Net {flags}")
    assert (fake.asked["unsafe"], fake.asked["write"]) == (unsafe, write)


def test_unsafe_fixes_alone_are_refused(initlint, fake):
    assert initlint("check net.py:Net --unsafe-fixes")[0] == 2
    assert fake.asked == {}


def test_the_code_of_models_may_run_for_some_minutes(initlint, fake):
    for option, seconds in (("", 300), ("--timeout 5", 5), ("--timeout 0", 0)):
        initlint(f"check net.py:Net {option}")
        assert fake.asked["options"].timeout == seconds
    initlint("apply net.py:Net")
    assert fake.asked["options"].timeout == 0


def test_apply_asks(initlint, fake):
    initlint(
        "apply net.py:Net --device cuda --seed 7 --only body.* --only head --skip norm "
        "--out net.safetensors --arg n=3 --input 1,3 --policy orthogonal --scope all --force "
        "--forget-bias 1"
    )
    options = fake.asked.pop("options")
    assert callable(fake.asked.pop("progress"))
    assert options.arguments == {"n": 3}
    assert options.inputs == (InputSpec(None, "float32", (1, 3)),)
    assert fake.asked == {
        "target": "net.py:Net",
        "device": "cuda",
        "seed": 7,
        "only": ("body.*", "head"),
        "skip": ("norm",),
        "policy": "orthogonal",
        "scope": "all",
        "forget_bias": 1.0,
        "force": True,
        "out": "net.safetensors",
    }


def test_apply_asks_for_everything_by_default(initlint, fake):
    initlint("apply net.py:Net")
    assert (fake.asked["device"], fake.asked["seed"], fake.asked["out"]) == ("cpu", None, None)
    assert (fake.asked["policy"], fake.asked["force"]) == ("following", False)
    assert fake.asked["scope"] == "findings"


def test_apply_says_what_it_did(initlint):
    done = layer(current=layer().recommended)
    gap = Unanalysed("emb.weight", "it keeps the initialisation of its own")
    reason = "it keeps the initialisation of its own"
    outcomes = (
        Outcome("fc.weight", "filled", "He 2015", "PyTorch's default, std 0.1", "normal_, std 0.2"),
        Outcome("emb.weight", "kept", reason, "std 1"),
        Outcome("emb2.weight", "kept", reason, "std 1"),
        Outcome("odd.weight", "unknown", "what follows is unknown", "zeros"),
    )
    report = Report((done, layer("emb", recommended=None)), (), (gap,), outcomes=outcomes)
    code, out, err = initlint("apply net.py:Net --out w.safetensors", report=report)
    assert code == 0
    assert out.startswith("net.py:Net\n")
    assert "1.00×" in out
    assert err.splitlines() == [
        "filled fc.weight: PyTorch's default, std 0.1 → normal_, std 0.2 (He 2015)",
        "not understood odd.weight: what follows is unknown",
        "kept emb.weight, emb2.weight: it keeps the initialisation of its own",
        "Filled 1 parameter; 2 kept, 1 not understood.",
        "Written to w.safetensors.",
    ]


def test_apply_says_what_was_treated_alike_in_one_line(initlint):
    default, kaiming = "PyTorch's default, std {}", "kaiming_normal_, std {}"
    stds = [("0.0722", "0.178"), ("9e-05", "0.000173"), *[("0.1", "0.2")] * 6]
    outcomes = [
        Outcome(f"{n}.weight", "filled", "He 2015", default.format(was), kaiming.format(now))
        for n, (was, now) in enumerate(stds)
    ]
    outcomes += [
        Outcome("8.weight", "filled", "Glorot 2010", default.format(1), "xavier_normal_, std 1"),
        Outcome("9.weight", "kept", "it was set: std 0.02", "std 0.02"),
        Outcome("10.weight", "kept", "it was set: std 0.02", "std 0.02"),
        Outcome("11.weight", "kept", "it was set: std 0.019", "std 0.019"),
    ]
    report = Report((layer(),), (), (), outcomes=tuple(outcomes))
    _, _, err = initlint("apply net.py:Net --out w.safetensors", report=report)
    assert err.splitlines()[:3] == [
        "filled 0.weight, 1.weight, 2.weight, 3.weight, 4.weight, 5.weight and 2 more: PyTorch's "
        "default, std 9e-05 to 0.1 → kaiming_normal_, std 0.000173 to 0.2 (He 2015)",
        "filled 8.weight: PyTorch's default, std 1 → xavier_normal_, std 1 (Glorot 2010)",
        "kept 9.weight, 10.weight, 11.weight: it was set: std 0.019 to 0.02",
    ]


def test_apply_without_a_file_says_so(initlint):
    _, _, err = initlint("apply net.py:Net", report=CLEAN)
    assert err.splitlines() == [
        "Nothing to fill: no weight is uninitialised or has a finding (0 kept).",
        "Nothing written (no --out FILE).",
    ]


# Help, version, cards


def test_no_command_shows_help(initlint):
    assert initlint("") == initlint("--help")


def test_help_has_examples_and_exit_codes(initlint):
    _, out, _ = initlint("--help")
    assert "initlint check net.py:Net --show-layers" in out
    assert "1  findings remain" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", cli.group.commands)
def test_every_command_and_option_has_help(initlint, name):
    command = cli.group.commands[name]
    assert command.help
    for parameter in command.params:
        if "--" in "".join(parameter.opts) and "--output-format" not in parameter.opts:
            assert parameter.help, parameter.opts


def test_version(initlint):
    assert initlint("--version") == (0, f"initlint {__version__}\n", "")


def test_rule_prints_a_card(initlint):
    by_code = initlint("rule INIT101")
    assert by_code[1].startswith("INIT101 default-before-rectifier\n")
    assert by_code == initlint("rule default-before-rectifier")
    assert by_code[2] == ""


def test_rule_all(initlint):
    _, out, _ = initlint("rule --all --output-format json")
    assert [entry["code"] for entry in json.loads(out)] == list(load().cards)
