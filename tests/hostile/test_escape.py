"""Names, messages, settings and source of others: on one line, and no control of the terminal."""

import ast
import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from handmade import finding, layer

from initlint import output
from initlint.cli import main as cli
from initlint.cli import terminal
from initlint.output import layers as table
from initlint.output.text import render_whole
from initlint.records import Initializer, Report, Site, Unanalysed
from initlint.safe.shown import access, literal, masked, shown

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "newline": "a\n::error::owned",
    "carriage return": "a\r::error::owned",
    "crlf": "a\r\n::warning file=x::owned",
    "line separators": "a\x85b\u2028c\u2029d",
    "form feed and vertical tab": "a\fb\vc\x1cd",
    "colour": "a\x1b[31mred",
    "title": "a\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "C1": "a\x9b31mb\x90c\x9d0;t\x9c",
    "bell and backspace": "a\x07\x08\x08\x7f",
    "nul": "a\0b",
    "tab": "a\tb",
    "unseen": "a\u200bb\ufeffc\xadd\U000e0041e",
    "bidi overrides": "a\u202eb\u202dc\u202a\u202b\u202c",
    "bidi isolates": "a\u2066b\u2067c\u2068d\u2069",
    "direction marks": "a\u200eb\u200fc\u061cd",
    "surrogates": "a\udcff\ud800b",
    "markup": "[bold red]a[/]",
    "placeholders": "{weight}{init}{0.__class__}{} %s %(x)s",
    "quotes": "a\"]; __import__('os'); b[\"c\\",
    "command of GitHub": "::add-mask::owned",
    "indented command of GitHub": "  ::error file=x::owned",
    "old command of GitHub": "a ##[error]owned",
    "command of Azure": "a ##vso[task.setvariable variable=PATH]owned",
    "command of Azure at the start": "##vso[task.complete result=Succeeded;]done",
    "command behind more hashes": "####vso[task.complete result=Succeeded;]",
    "command of TeamCity": "##teamcity[buildStatus status='SUCCESS']",
}
TAME = "a"
every = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def steers(text):
    """The characters that no output may hold, as Unicode classes them."""
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in bidi
        or character in "\u200e\u200f\u061c"
    ]


def commands(text):
    """The commands in a text that the log of a CI would obey, besides those of `steers`."""
    found = re.findall(r"##(?:vso|teamcity)?\[", text)
    return found + [line for line in text.split("\n") if line.lstrip().startswith("::")]


def path_of(text):
    """A file of this name, as far as a file can have it."""
    return re.sub("[\0\ud800]", "", text) + ".py"


def report_on(text):
    """A report that has `text` wherever the code read decides what it says."""
    site = Site(path_of(text), 1, 1, 1, 5)
    current = Initializer(text, {text: text, "of": [text]}, 0.1, site=site, reason=text)
    one = layer(text, model=text, type=text, site=site, current=current, harmless=text)
    found = finding(
        text,
        message=f"{text} is followed by {text}; write this",
        model=text,
        site=site,
        current=current,
        parameters=(f"{text}.weight", f"x.{text}.weight"),
    )
    live = replace(found, site=None, fix=None)
    return Report((one,), (found, live), (Unanalysed(text, f"{text}: {text} cannot be read"),))


# The functions that every line goes through


@every
def test_shown_is_one_harmless_line(text):
    assert steers(shown(text)) == commands(shown(text)) == []
    assert shown(shown(text)) == shown(text)


def test_shown_leaves_what_is_harmless():
    for text in (
        "größe 層 0.41× √5 … é 👩🔬 שלום \\n",
        "x[::2] ## [a] # b",
        "a::b",
        ": :c",
        "#[d]",
    ):
        assert shown(text) == text


@every
def test_masked_keeps_columns(text):
    assert len(masked(text)) == len(text)
    assert steers(masked(text)) == []


@every
def test_a_literal_is_the_text_in_plain_source(text):
    assert ast.literal_eval(literal(text)) == text
    assert steers(literal(text)) == commands(literal(text)) == []


@every
def test_a_name_is_reached_by_one_expression(text):
    tree = ast.parse(access("self", f"d.{text.replace('.', '')}.weight"), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names <= {"self", "getattr"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [ast.unparse(node.func) for node in calls] in ([], ["getattr"])
    assert all(ast.literal_eval(node.args[1]) == text.replace(".", "") for node in calls)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("class.weight", 'getattr(self, "class").weight'),
        ("².weight", 'getattr(self, "²").weight'),
        ("٣.weight", 'getattr(self, "٣").weight'),
        ("0.weight", "self[0].weight"),
        ("größe.weight", "self.größe.weight"),
        ("a-b.weight", 'getattr(self, "a-b").weight'),
    ],
)
def test_names_that_only_look_like_attributes_and_numbers(parameter, expected):
    assert access("self", parameter) == expected


# Every format


@every
@pytest.mark.parametrize("form", output.FORMATS)
def test_formats(form, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rendered = output.render(report_on(text), form)
    lines = rendered.split("\n")
    assert len(lines) == len(output.render(report_on(TAME), form).split("\n"))
    assert not [line for line in lines if steers(line)]
    if form != "github":
        assert commands(rendered) == []
    assert not re.search(r"##(?:vso|teamcity)?\[", rendered)
    if form in ("json", "gitlab", "sarif"):
        json.loads(rendered)


@every
def test_json_names_are_exact_and_messages_on_one_line(text):
    content = json.loads(output.render(report_on(text), "json"))
    (found, _), (one,), (gap,) = content["findings"], content["layers"], content["unanalysed"]
    assert found["model"] == found["layer"] == one["type"] == gap["target"] == text
    assert found["path"] == path_of(text)
    assert one["current"]["args"] == {text: text, "of": [text]}
    assert steers(found["message"] + gap["reason"] + found["fix"]["call"]) == []


@every
def test_every_command_of_github_is_ours(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = output.render(report_on(text), "github").splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::warning", "::warning", "::notice"]
    for line in lines[:2]:
        properties, _, message = line.removeprefix("::").partition("::")
        assert properties.startswith("warning title=INIT101 default-before-rectifier")
        # A comma in a value is written %2C: what follows one is the name of a property.
        names = [each.partition("=")[0] for each in properties.partition(" ")[2].split(",")]
        assert set(names) <= {"title", "file", "line", "endLine", "col", "endColumn"}
        assert shown(text).replace("%", "%25") in message


@every
def test_colours_are_ours_alone(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes = re.compile(r"\x1b\[[\d;]*m")
    for form in ("full", "concise"):
        plain = output.render(report_on(text), form)
        coloured = output.render(report_on(text), form, colour=True)
        assert codes.sub("", coloured) == plain
        assert len(codes.findall(coloured)) == len(
            codes.findall(output.render(report_on(TAME), form, colour=True))
        )


@every
def test_the_table(text):
    rendered = table.render(report_on(text), width=160)
    assert not [line for line in rendered.split("\n") if steers(line)]
    assert "".join(shown(text).split()) in "".join(rendered.split())
    assert commands(rendered) == []


@every
def test_str_of_a_report(text):
    assert not [line for line in render_whole(report_on(text)).split("\n") if steers(line)]


@pytest.mark.parametrize("text", ["x = 1 # \x1b[31m", "\x9b31m x = 1", "x = '\u202e' # \u2066"])
def test_excerpts_of_source(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(f"{text}\n", encoding="utf-8")
    found = finding(site=Site("net.py", 1, 1, 1, 4))
    rendered = output.render(Report((), (found,)), "full")
    assert "\N{REPLACEMENT CHARACTER}" in rendered
    assert not [line for line in rendered.split("\n") if steers(line)]


# The writer


@every
def test_one_line_on_stderr(text, capsys):
    terminal.err(f"initlint: {text}")
    err = capsys.readouterr().err
    assert err.endswith("\n")
    assert steers(err.removesuffix("\n")) == []


@every
@pytest.mark.parametrize("colour", [False, True])
def test_the_writer_lets_through_line_ends_and_our_colours_only(text, colour, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1" if colour else "0")
    terminal.out(f"\x1b[1mours\x1b[0m {text}\n")
    written = capsys.readouterr().out
    allowed = re.compile(r"[\n\t]|\x1b\[[\d;]*m" if colour else r"[\n\t]")
    assert steers(allowed.sub("", written)) == []
    assert ("\x1b[1mours" in written) is colour


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "utf-16", "cp037"])
def test_any_encoding_takes_any_name(encoding, tmp_path):
    script = (
        "import sys; from initlint.cli import terminal\n"
        f"for text in {list(HOSTILE.values())!r}: terminal.out(text); terminal.err(text)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert done.stdout


# Whole runs

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.before = nn.Linear(16, 8)
        {made}

    def forward(self, x):
        return torch.{activation}({used}(self.before(x)))
"""


def net(name, activation="relu"):
    """A model whose one layer has this name."""
    made = f"setattr(self, {name!r}, nn.Linear(8, 8))"
    return NET.format(made=made, used=f"getattr(self, {name!r})", activation=activation)


def run(line, capfd):
    code = cli.main(line)
    out, err = capfd.readouterr()
    # A tab ends a name with blanks in a patch.
    assert not [part for part in (out + err).split("\n") if steers(part.removesuffix("\t"))]
    assert "internal error" not in err
    return code, out, err


nameable = pytest.mark.parametrize(
    "text",
    [t for t in HOSTILE.values() if "\0" not in t and "." not in t and "\ud800" not in t],
)


@nameable
@pytest.mark.parametrize("flags", [[], ["--show-layers"], ["--output-format", "github"]])
def test_layer_names(text, flags, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(net(text), encoding="utf-8")
    code, out, _ = run(["check", "--isolated", "net.py", *flags], capfd)
    assert code == 1
    assert "INIT101" in out


@nameable
@pytest.mark.parametrize("activation", ["relu", "nn.functional.gelu"])
def test_a_fix_spells_the_name_or_is_refused(text, activation, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(net(text, activation), encoding="utf-8")
    run(["check", "--isolated", "--select", "ALL", "--fix", "net.py"], capfd)
    tree = ast.parse(Path("net.py").read_text(encoding="utf-8"))
    keys = [
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr"
    ]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
    assert set(keys) == {text}
    assert names == {"getattr", "setattr", "super"}
    assert len(keys) > 1


@pytest.mark.parametrize("key", ["x, exec('1'), y", "x; y", "x y", "class"])
def test_a_name_in_other_code_is_not_written_as_source(key, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    source = f"""\
import torch
from torch import nn


class Held(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.add_module({key!r}, layer)

    def forward(self, x):
        return getattr(self, {key!r})(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.held = Held(nn.Linear(8, 8))

    def forward(self, x):
        return torch.relu(self.held(x))
"""
    Path("net.py").write_text(source)
    run(["check", "--isolated", "--fix", "net.py"], capfd)
    new = Path("net.py").read_text()
    assert "exec('1')" not in new.replace(repr(key), "")
    compile(new, "net.py", "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [t for t in HOSTILE.values() if not set("\0/") & set(t) and "\ud800" not in t]
)
@pytest.mark.parametrize("flags", [[], ["--output-format", "sarif"], ["--diff"], ["--fix"]])
def test_file_names(name, flags, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for text in (net("layer"), "def f(:\n"):
        Path(f"{name}.py").write_text(text)
        Path(f"{name}{len(text)}.py").write_text(text)
        run(["check", "--isolated", *flags, "."], capfd)
        run(["check", "--isolated", *flags, f"{name}.py", f"{name}gone.py"], capfd)


@every
@pytest.mark.parametrize(
    "line",
    [
        *(["check", "--select"], ["check", "--ignore"], ["check", "--arg"], ["check", "--input"]),
        *(["check", "--config"], ["check", "--style"], ["check"], ["rule"]),
    ],
    ids=" ".join,
)
def test_options(line, text, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    code, _, err = run([*line, as_argument(text)], capfd)
    assert (code, err.count("\n")) == (2, 1)


def test_the_target_of_apply(tmp_path, monkeypatch, capfd):
    """All texts at once: each call imports torch."""
    monkeypatch.chdir(tmp_path)
    code, _, err = run(["apply", as_argument("".join(HOSTILE.values()))], capfd)
    assert (code, err.count("\n")) == (2, 1)


def as_argument(text):
    """The text without the two characters that no argument can hold."""
    return re.sub("[\0\ud800]", "", text)


@pytest.mark.torch
def test_messages_of_models(tmp_path, monkeypatch, capfd):
    """All in one run: each model is a line, whatever its message holds."""
    monkeypatch.chdir(tmp_path)
    models = []
    for number, text in enumerate(HOSTILE.values()):
        source = NET.format(made=f"raise ValueError({text!r})", used="x", activation="relu")
        Path(f"net{number}.py").write_text(source, encoding="utf-8", errors="surrogatepass")
        models.append(f"net{number}.py:Net")
    code, _, err = run(["check", "--isolated", *models], capfd)
    named = re.findall(r"^initlint: error: (net\d+\.py):", err, re.MULTILINE)
    assert [f"{name}:Net" for name in named] == models
    assert (code, err.count("\n")) == (2, len(models))


@every
def test_cells_of_notebooks(text, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for source in (f"{net('layer')}\n# {text}", f"{text}\n", [net("layer"), f"x = {text!r}"]):
        cells = [{"cell_type": "code", "source": source, "metadata": {text: text}}]
        Path("n.ipynb").write_text(json.dumps({"cells": cells, "metadata": {text: text}}))
        run(["check", "--isolated", "n.ipynb"], capfd)


# Patches

WITH_CONTROLS = NET.format(
    made="self.fc = nn.Linear(8, 8)\n        # \x1b[31m \x9b \u202e",
    used="self.fc",
    activation="relu",
).encode()


def on_a_terminal(line, folder):
    """What a run writes to a terminal."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "initlint", *line]
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.PIPE, cwd=folder, env=environ
    ) as child:
        os.close(theirs)
        written = b""
        try:
            while data := os.read(ours, 65536):
                written += data
        except OSError:
            # The child has closed the terminal.
            pass
        child.communicate()
    os.close(ours)
    return written.replace(b"\r\n", b"\n").decode()


@pytest.mark.slow
def test_a_patch_keeps_every_byte_in_a_pipe_and_none_that_steers_a_terminal(tmp_path):
    Path(tmp_path, "net.py").write_bytes(WITH_CONTROLS)
    line = ["check", "--isolated", "--diff", "net.py"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    piped = subprocess.run(
        [sys.executable, "-m", "initlint", *line], cwd=tmp_path, env=environ, capture_output=True
    )
    assert "# \x1b[31m \x9b \u202e".encode() in piped.stdout
    seen = on_a_terminal(line, tmp_path)
    assert r"# \x1b[31m \x9b \u202e" in seen
    assert not [part for part in seen.split("\n") if steers(part)]


@pytest.mark.parametrize("name", ["a\nb.py", 'a"b.py', "a\\b.py", "a\tb.py", "a\x1bb.py", "a b.py"])
def test_a_patch_of_a_file_with_an_odd_name_applies(name, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(net("layer"))
    assert cli.main(["check", "--isolated", "--diff", "."]) == 1
    patch = capfdbinary.readouterr().out
    subprocess.run(["git", "apply"], input=patch, check=True, cwd=tmp_path)
    assert "kaiming_normal_" in Path(name).read_text()
