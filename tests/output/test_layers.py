"""The table of layers, the statistics, and the cards of rules."""

import json
import re

import pytest
from handmade import all_layers, finding, full_report, layer, rule, three_findings
from rich.cells import cell_len

from initlint.output import card, layers, statistics
from initlint.records import Following, Initializer, Report, Site

ANSI = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (60, 80, 100, 120, 160, 240)


def table(*shown, width=160, findings=(), reasons=True):
    report = Report(layers=shown, findings=findings)
    return layers.render(report, width=width, reasons=reasons)


def row(shown, width=240, **options):
    """The cells of a layer's only row, that of the reason left out unless it is asked for."""
    options = {"reasons": False} | options
    body = " ".join(rows(table(shown, width=width, **options)))
    return [cell for cell in re.split(r"\s{2,}", body.strip()) if cell]


def rows(text):
    """The lines under the headings, up to the empty line after them."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if "───" in line) + 1
    return lines[start : lines.index("", start) if "" in lines[start:] else None]


@pytest.mark.parametrize("width", [80, 160])
def test_table(golden, width):
    golden(layers.render(full_report(), width=width), f"layers-{width}.txt")


def test_table_in_colour_is_the_same_text(golden):
    coloured = layers.render(full_report(), colour=True)
    plain = "".join(f"{line.rstrip()}\n" for line in ANSI.sub("", coloured).splitlines())
    assert plain == layers.render(full_report())
    assert "\x1b[" in coloured


@pytest.mark.parametrize("width", WIDTHS)
def test_table_keeps_to_its_width(width):
    assert max(map(cell_len, table(*all_layers(), width=width).splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_names_are_folded_but_never_cut(width):
    long = all_layers()[1]
    lines = rows(table(long, width=width))
    name = "".join(line[1:].partition(" ")[0] for line in lines if line[1:2].strip())
    assert name == long.layer
    assert len(lines[0].split()[0]) >= 24


@pytest.mark.parametrize("width", WIDTHS)
def test_the_ratio_is_always_there(width):
    text = table(*all_layers(), width=width)
    assert "ratio" in text
    assert text.count("0.40×") == 2


@pytest.mark.parametrize("environ", [{"COLUMNS": "40"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_table_does_not_ask_the_environment(monkeypatch, environ):
    wanted = table(*all_layers())
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert table(*all_layers()) == wanted


def test_one_table_for_each_model():
    text = table(layer(model="a.py:A"), layer(model="b.py:B"), layer(model="a.py:A"))
    assert [line for line in text.splitlines() if ".py:" in line] == ["a.py:A", "b.py:B"]
    assert text.count("conv") == 3


def test_no_layers_no_table():
    assert table() == ""


def test_markup_in_names_is_text():
    assert "[bold]x[/bold]" in table(layer("[bold]x[/bold]", model="m[red]"))


def test_row():
    assert row(layer("conv", type="Conv2d", shape=(8, 3, 3, 3))) == [
        *("conv", "Conv2d", "8×3×3×3", "relu", "kaiming_uniform_ (default)", "0.1"),
        *("kaiming_normal_", "0.25", "0.40×"),
    ]


@pytest.mark.parametrize(
    ("following", "shown"),
    [
        (Following("relu"), "relu"),
        (Following("leaky_relu", {"negative_slope": 0.2}), "leaky_relu(0.2)"),
        (Following("gelu", {}, ("norm", "residual")), "gelu via norm, residual"),
        (Following("mixed", {"activations": ["relu", "tanh"]}), "mixed(relu, tanh)"),
        (Following("elu", {"alpha": 1 / 3}), "elu(0.3333)"),
    ],
)
def test_following(following, shown):
    assert row(layer(following=following))[3] == shown


@pytest.mark.parametrize(
    ("current", "cells"),
    [
        (None, ["never", "-"]),
        (Initializer("normal_", {}, 0.02), ["normal_", "0.02"]),
        (Initializer("copy_", {}, None), ["copy_", "?"]),
        (Initializer("uniform_", {}, 0.123456, default=True), ["uniform_ (default)", "0.123"]),
    ],
)
def test_current(current, cells):
    assert row(layer(current=current))[4:6] == cells


def test_sizes_that_are_only_names_are_not_shown_but_their_ratio_is():
    cells = row(layer(nominal=True))
    assert [cells[2], cells[5], cells[7], cells[8]] == ["?", "?", "?", "0.40×"]


def test_nothing_recommended():
    assert row(layer(recommended=None))[-3:] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"harmless": "a normalisation follows"}, "a normalisation follows"),
        ({"branch": "inside"}, "it is inside a residual branch"),
        ({"branch": "last"}, "it ends a residual branch"),
        ({"recurrent": "state"}, "it is recurrent: an activation's gain is not the rule"),
        ({"recurrent": "input"}, "it feeds a recurrence"),
        ({"following": Following("unknown")}, "what follows it is not known"),
        ({"following": Following("unknown", by="act")}, "what follows it is not known: act()"),
        ({"following": Following("mixed")}, "different activations follow"),
        ({"following": Following("output")}, "no activation follows that asks for a gain"),
        (
            {"following": Following("sigmoid"), "head": True},
            "its activation is the model's",
        ),
        ({"current": None}, "nothing initialises it"),
        ({"current": Initializer("copy_")}, "the std of its copy_ is not a number in the source"),
        ({"current": Initializer("unknown")}, "code that is not read may fill it"),
        (
            {"current": Initializer("unknown", reason="lib.init_all")},
            "lib.init_all() is not read, and may fill it",
        ),
        (
            {"current": Initializer("unknown", site=Site("train.py", 9, 1, 9, 2))},
            "what train.py:9 fills it with is not known",
        ),
        (
            {"current": Initializer("unknown", site=Site("a.ipynb", 9, 1, 9, 2))},
            "what a.ipynb fills it with is not known",
        ),
        ({"current": Initializer("kaiming_uniform_", default=True)}, "its fan_in is not known"),
        ({"recommended": None, "fan_in": None}, "its fan_in is not known"),
        ({"current": Initializer("normal_", {}, 0.5)}, "its std suits"),
        ({"current": Initializer("normal_", {}, 0.02), "head": True}, "it is small on purpose"),
        (
            {"current": Initializer("normal_", {}, 0.2), "before": "a"},
            "it was chosen by hand, and not far off",
        ),
        ({"origin": "input"}, "it sees the data"),
        ({"origin": "unknown"}, "what comes before it is not known"),
        ({"before": "another"}, "no predicted signal of its run is far off"),
    ],
)
def test_silence(changes, shown):
    assert row(layer(**changes), reasons=True)[-1].startswith(shown)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_every_silent_layer_has_its_reason(width):
    several = [layer(f"fc{n}", following=Following("output")) for n in range(9)]
    bad = layer("bad")
    text = table(*several, bad, layer("odd", following=Following("unknown")), width=width,
                 findings=(finding("bad"),))  # fmt: skip
    said = " ".join(text.split())
    if width < 130:
        assert f"asks for a gain: {', '.join(f'fc{n}' for n in range(6))} and 3 more" in said
        assert "silent, because what follows it is not known: odd" in said
    else:
        assert said.count("no activation follows") == 9
    assert "far off" not in said


def test_a_narrow_table_is_readable():
    text = table(*all_layers(), width=60)
    assert text.splitlines()[2].split() == ["layer", "following", "recommended", "ratio"]


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [("conv.weight", "conv"), ("attn.in_proj_weight", "attn.in_proj_weight"), ("weight", "weight")],
)
def test_name(parameter, shown):
    assert row(layer(parameter=parameter))[0] == shown


def test_layers_with_findings_stand_out():
    good, bad = layer("good"), layer("bad")
    report = Report(layers=(good, bad), findings=(finding("bad"),))
    lines = layers.render(report, colour=True).splitlines()
    assert "\x1b[33m" in next(line for line in lines if "bad" in line)
    assert "\x1b[33m" not in next(line for line in lines if "good" in line)


def test_all_layers_of_a_line_stand_out():
    several = (layer("body.0"), layer("body.1"))
    both = finding("body.0", parameters=("body.0.weight", "body.1.weight"))
    coloured = layers.render(Report(layers=several, findings=(both,)), colour=True)
    assert all("\x1b[33m" in line for line in coloured.splitlines() if "body" in line)


# Statistics


def test_statistics():
    assert statistics.render(Report(findings=three_findings())) == (
        "2  INIT101  default-before-rectifier\n1  INIT106  explicit-scale-off\n"
    )


def test_statistics_line_up():
    many = (*(finding() for _ in range(10)), finding(code="INIT000", name="other"))
    assert statistics.render(Report(findings=many)) == (
        "10  INIT101  default-before-rectifier\n 1  INIT000  other\n"
    )


def test_statistics_of_equals_go_by_code():
    equal = tuple(finding(code=code) for code in ("INIT105", "INIT101", "INIT103"))
    lines = statistics.render(Report(findings=equal)).splitlines()
    assert [line.split()[1] for line in lines] == ["INIT101", "INIT103", "INIT105"]


def test_statistics_of_nothing():
    assert statistics.render(Report()) == ""


# Cards


def test_card_as_text():
    assert card.render([rule()]).splitlines() == [
        "INIT101 default-before-rectifier",
        "Category: does not suit. Severity: warning. Confidence: high. Fix: safe. Default: on. "
        "Since: 0.1.0.",
        *("", "Short.", "", "What", "----", "", "It is so.", "", "Bad", "---", ""),
        "    ## no heading",
        "    bad()",
    ]


def test_card_as_markdown():
    shown = card.render([rule(fix="", confidence="low")], "markdown")
    assert shown.startswith(
        "# default-before-rectifier (INIT101)\n\n"
        "Category: does not suit. Severity: warning. Confidence: low. Fix: none. Default: off. "
        "Since: 0.1.0.\n\nShort.\n"
    )
    assert "```python\n## no heading\nbad()\n```\n" in shown


def test_card_as_json():
    shown = json.loads(card.render([rule()], "json"))
    assert list(shown) == [
        *("code", "name", "group", "severity", "confidence", "fixable", "fix", "default", "since"),
        *("summary", "explanation"),
    ]
    assert (shown["fixable"], shown["fix"], shown["default"]) == (True, "safe", True)
    by_hand = json.loads(card.render([rule(fix="")], "json"))
    assert (by_hand["fixable"], by_hand["fix"]) == (False, None)
    assert shown["explanation"] == rule().text


@pytest.mark.parametrize("form", card.FORMATS)
def test_several_cards(form):
    both = card.render([rule(), rule("INIT102", "other")], form)
    if form == "json":
        assert [entry["code"] for entry in json.loads(both)] == ["INIT101", "INIT102"]
    else:
        assert both.index("INIT101") < both.index("INIT102")
        assert both.endswith("\n")


def test_short_names_leave_the_heading_whole():
    assert " layer " in table(layer("a"))
