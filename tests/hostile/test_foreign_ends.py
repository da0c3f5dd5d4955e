"""Models whose code ends the process, or raises what nobody catches: one line, and the rest is
judged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import initlint
from initlint import InitlintError
from initlint.cli import main as cli

HEAD = """
import atexit, os, signal, sys, threading, warnings
import torch
from torch import nn


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.a(x))))


class Own(BaseException):
    def __str__(self): raise SystemExit(3)


class Long(Exception):
    def __str__(self): return "x\\n\\x1b[31m" * 10**6


class NoText(Exception):
    def __str__(self): return 3


class Meta(type):
    __name__ = property(lambda cls: sys.exit(0))


class Nameless(Exception, metaclass=Meta):
    pass
"""
# What a class does, and what its gap says; None where it does no harm and is judged.
IN_CONSTRUCTOR = {
    "Exits": ("sys.exit(0)", "SystemExit: 0"),
    "NoMessage": ("raise SystemExit", "SystemExit: no message"),
    "Keyboard": ("raise KeyboardInterrupt", "KeyboardInterrupt: no message"),
    "Generator": ("raise GeneratorExit", "GeneratorExit: no message"),
    "Stop": ("raise StopIteration('s')", "StopIteration: s"),
    "Group": ("raise BaseExceptionGroup('g', [SystemExit()])", "BaseExceptionGroup: g"),
    "OwnBase": ("raise Own", "Own: (Own, whose __str__ raises SystemExit)"),
    "LongText": ("raise Long", " …"),
    "TextOfNumber": ("raise NoText", "whose __str__ raises TypeError"),
    "OddMeta": ("raise Nameless", "Nameless"),
    "Cause": ("raise ValueError('v') from Own()", "ValueError: v"),
    "Chained": ("sys.exit(Own())", "SystemExit, whose __str__ raises SystemExit"),
    "Syntax": ("raise SyntaxError('s', ('f', Own(), 0, ''))", "SyntaxError"),
    "Attribute": ("raise AttributeError('x', name=Own(), obj=self)", "AttributeError: x"),
    "Limit": ("sys.setrecursionlimit(5)", "RecursionError"),
    "Streams": ("sys.stdout = sys.stderr = None", None),
    "Hooks": ("sys.excepthook = sys.unraisablehook = None; atexit.register(os._exit, 0)", None),
    "Thread": ("threading.Thread(target=lambda: 1 / 0).start()", None),
    "Handler": ("signal.signal(signal.SIGINT, lambda *_: os._exit(0))", None),
    "Errors": ("warnings.simplefilter('error')", None),
}
IN_FORWARD = {
    "ForwardExit": ("sys.exit('bye')", "SystemExit: bye"),
    "ForwardKeyboard": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "ForwardGenerator": ("raise GeneratorExit", "GeneratorExit"),
    "ForwardOwn": ("raise Own", "Own: (Own, whose __str__"),
    "ForwardDeep": ("return self.forward(x)", "RecursionError"),
    "ForwardWarns": ("warnings.simplefilter('error'); warnings.warn('w')", "UserWarning: w"),
}
METHODS = {
    "Repr": ("def __repr__(self): sys.exit()", None),
    "ExtraRepr": ("def extra_repr(self): sys.exit()", None),
    "Str": ("def __str__(self): sys.exit()", None),
    "Del": ("def __del__(self): sys.exit()", None),
    "Example": ("example_input_array = property(lambda self: sys.exit())", None),
    "Parameters": ("def named_parameters(self, *a, **k): sys.exit(5)", "SystemExit: 5"),
    "Modules": ("def named_modules(self, *a, **k): raise Own", "Own: "),
    "State": ("def state_dict(self, *a, **k): sys.exit(6)", "SystemExit: 6"),
    "Config": ("config = property(lambda self: sys.exit(7))", None),
}
ENDING = {
    "Hard": ("__init__", "os._exit(0)", "with exit code 0"),
    "HardOne": ("forward", "os._exit(1)", "with exit code 1"),
    "Aborted": ("__init__", "os.abort()", "SIGABRT"),
    "Raised": ("forward", "signal.raise_signal(signal.SIGINT)", "SIGINT"),
}


def source(constructors=(), forwards=(), methods=(), ending=()):
    parts = [HEAD, "\n\nclass First(Base): pass"]
    for name, (line, _) in dict(constructors).items():
        parts.append(f"class {name}(Base):\n    def __init__(self):\n        super().__init__()")
        parts.append(f"        {line}")
    for name, (line, _) in dict(forwards).items():
        parts.append(f"class {name}(Base):\n    def forward(self, x):\n        {line}")
        parts.append("        return super().forward(x)")
    for name, (line, _) in dict(methods).items():
        parts.append(f"class {name}(Base):\n    {line}")
    for name, (method, line, _) in dict(ending).items():
        signature = "self, *x"
        parts.append(f"class {name}(Base):\n    def {method}({signature}):\n        {line}")
    parts.append("class Last(Base): pass\n")
    return "\n\n\n".join(parts[:1]) + "\n" + "\n".join(parts[1:])


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs a command line beside net.py; gives code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(text, *line):
        Path("net.py").write_text(text)
        code = cli.main(list(line))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return command


def expected(*tables):
    return {f"net.py:{name}": entry[-1] for table in tables for name, entry in table.items()}


def assert_judged(out, wanted):
    report = json.loads(out)
    judged = {layer["model"] for layer in report["layers"]}
    gaps = {gap["target"]: gap["reason"] for gap in report["unanalysed"]}
    harmless = {name for name, reason in wanted.items() if reason is None}
    assert {"net.py:First", "net.py:Last"} | harmless <= judged
    assert gaps.keys() == wanted.keys() - harmless
    for name, reason in gaps.items():
        assert wanted[name] in reason, name
        assert "\n" not in reason and "\x1b" not in reason and len(reason) < 1000


def test_other_classes_are_judged_and_these_listed(run):
    text = source(IN_CONSTRUCTOR, IN_FORWARD, METHODS)
    code, out, err = run(text, "check", "--trace", "net.py", "--output-format", "json")
    wanted = expected(IN_CONSTRUCTOR, IN_FORWARD, METHODS)
    assert code == 2
    assert_judged(out, wanted)
    lines = err.splitlines()
    assert len(lines) == 1 + sum(reason is not None for reason in wanted.values())
    starts = ("initlint: error: net.py:", "initlint: not analysed: net.py:", "Found ")
    assert all(line.startswith(starts) for line in lines)
    raised = [reason for reason in expected(IN_CONSTRUCTOR).values() if reason is not None]
    assert sum(line.startswith(starts[0]) for line in lines) == len(raised)


def test_a_process_that_is_ended_costs_one_class(run):
    text = source(ending=ENDING)
    code, out, err = run(text, "check", "--trace", "net.py", "--output-format", "json")
    assert code == 2
    assert_judged(out, expected(ENDING))
    ended = [line for line in err.splitlines() if "the process" in line]
    assert "Traceback" not in err and len(ended) == len(ENDING)


def test_other_targets_are_judged(run):
    text = source({"Out": IN_CONSTRUCTOR["Exits"]}, ending={"Hard": ENDING["Hard"]})
    names = ["net.py:Out", "net.py:Hard", "net.py:First"]
    code, out, err = run(text, "check", *names, "--output-format", "concise")
    assert code == 2 and "INIT101" in out
    assert [line for line in err.splitlines() if line.startswith("initlint")] == [
        "initlint: error: net.py:41: SystemExit: 0 (Out)",
        "initlint: error: net.py:Hard: its code ended the process that built it, with exit code 0",
    ]


IMPORTS = {
    "exit": ("sys.exit(0)", "cannot be imported: SystemExit: 0"),
    "keyboard": ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt"),
    "generator": ("raise GeneratorExit", "cannot be imported: GeneratorExit"),
    "hard": ("os._exit(0)", "ended the process that built it, with exit code 0"),
    "getattr": ("def __getattr__(name): sys.exit(1)", "there is no Absent"),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_that_ends_is_one_line(run, name):
    line, words = IMPORTS[name]
    code, out, err = run(f"import os, sys\n{line}\n", "apply", "net.py:Absent")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and words in err


# Code that never ends, and that no exception ends.
ENDLESS = {
    "import": "while True: pass\n",
    "import that catches all": "while True:\n    try:\n        while True: pass\n"
    "    except BaseException: pass\n",
    "constructor": "class Loop(nn.Module):\n    def __init__(self):\n        while True: pass\n",
    "forward": "class Loop(Base):\n    def forward(self, x):\n        while True: pass\n",
    "a lock": "import threading\nthreading.Semaphore(0).acquire()\n",
}


@pytest.mark.parametrize("command", ["check", "apply"])
@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_code_without_end_is_ended(run, text, command):
    code, _, err = run(HEAD + text, command, "net.py:Loop", "--timeout", "3")
    assert code == 2
    said = "net.py:Loop: its code ran for more than 3 s; --timeout SECONDS sets another limit"
    assert err == f"initlint: error: {said}\n"


def test_the_end_of_a_process_is_not_waited_for_without_end(run):
    last = "@atexit.register\ndef forever():\n    while True: pass\nclass Loop(Base): pass\n"
    code, out, err = run(HEAD + last, "check", "net.py:Loop", "--timeout", "100")
    assert (code, "INIT101" in out) == (1, True) and "its code ran for" not in err


def test_code_without_end_costs_one_class(run):
    loop = "class Loop(Base):\n    def __init__(self):\n        while True: pass\n"
    first, last = "class First(Base): pass\n", "class Last(Base): pass\n"
    text = HEAD + first + loop + last
    options = ("--timeout", "25", "--output-format", "json")
    code, out, _ = run(text, "check", "--trace", "net.py", *options)
    assert code == 2
    wanted = {"net.py:Loop": "its code ran for more than 25 s"}
    assert_judged(out, wanted | {"net.py:Base": None})


@pytest.mark.parametrize("kind", ["Out", "Hard", "Late"])
def test_apply_writes_or_says_why_not(run, kind):
    text = source(
        {"Out": IN_CONSTRUCTOR["Exits"]},
        {"Late": IN_FORWARD["ForwardExit"]},
        ending={"Hard": ENDING["Hard"]},
    )
    Path("old.safetensors").write_bytes(b"old")
    code, out, err = run(text, "apply", f"net.py:{kind}", "--out", "old.safetensors")
    assert (code, out) == (2, "")
    assert err.startswith("initlint: error: net.py:") and len(err.splitlines()) == 1
    assert Path("old.safetensors").read_bytes() == b"old"
    assert sorted(map(str, Path().iterdir())) == ["net.py", "old.safetensors"]


SLOW = """
import time
from torch import nn


class Net(nn.Module):
    def __init__(self):
        print("building", flush=True)
        while True:
            try:
                time.sleep(0.05)
            except BaseException:
                pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("group", [True, False], ids=["the terminal's group", "initlint alone"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (getattr(signal, "SIGHUP", 1), 129)],
)
def test_the_users_own_interrupt_is_obeyed(tmp_path, group, number, code):
    (tmp_path / "net.py").write_text(SLOW)
    command = [sys.executable, "-m", "initlint", "apply", "net.py:Net", "--out", "w.safetensors"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr.readline() == "building\n"
        (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait(60) == code
        assert "Traceback" not in process.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]


# In the user's own process


class Net(torch.nn.Module):
    def __init__(self, ending=None, where=""):
        super().__init__()
        self.a, self.ending, self.where = torch.nn.Linear(8, 8), ending, where
        self.end("init")

    def end(self, where):
        if where == self.where:
            raise self.ending

    def forward(self, x):
        self.end("forward")
        return torch.relu(self.a(x))


ENDINGS = [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), BaseException("b")]


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
@pytest.mark.parametrize("where", ["init", "forward"])
@pytest.mark.parametrize("call", [initlint.check, initlint.materialize], ids=["check", "fill"])
def test_the_python_api_raises_one_line(call, where, ending):
    with pytest.raises(InitlintError, match=type(ending).__name__) as raised:
        call(lambda: Net(ending, where))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
def test_a_live_model_that_ends_is_left_as_it_was(ending):
    model = Net(ending, "forward")
    before = model.a.weight.clone()
    for call in (initlint.check, initlint.apply_):
        with pytest.raises(InitlintError, match=type(ending).__name__):
            call(model)
    assert torch.equal(model.a.weight, before) and model.training


# Methods of nn.Module that a model may have of its own, asked before anything is filled.
ASKED = ("named_modules", "named_parameters", "named_buffers")


@pytest.mark.parametrize("method", ASKED)
@pytest.mark.parametrize(
    "ending", [e for e in ENDINGS if type(e) is not KeyboardInterrupt], ids=repr
)
def test_a_model_that_ends_where_it_is_asked_what_it_holds(method, ending, monkeypatch):
    model = Net(ending)
    before = model.a.weight.clone()

    def ends(self, *args, **kwargs):
        raise ending

    with monkeypatch.context() as patched:
        patched.setattr(Net, method, ends)
        for call in (initlint.check, initlint.apply_):
            try:
                call(model)
            except InitlintError as error:
                assert type(ending).__name__ in str(error)
    assert model.training and model.a.weight.shape == before.shape


@pytest.mark.parametrize("swallowed", [False, True])
def test_an_interrupt_by_signal_goes_through(swallowed):
    class Waiting(Net):
        def forward(self, x):
            try:
                signal.raise_signal(signal.SIGINT)
            except BaseException:
                if not swallowed:
                    raise
            return super().forward(x)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        initlint.check(Waiting())
    assert signal.getsignal(signal.SIGINT) is handler
