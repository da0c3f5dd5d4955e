"""The format for people: golden text, excerpts, notes, colour, summary."""

import ast
import re
from dataclasses import replace

import pytest
from handmade import CONV_SITE, finding, full_report, layer, live_finding, three_findings

from initlint.output import concise, phrases, text
from initlint.output.excerpt import excerpt
from initlint.output.lines import joined
from initlint.recommend import times
from initlint.records import Fix, Following, Initializer, Report, Site, Unanalysed
from initlint.safe.shown import access

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plain_excerpt(lines, site):
    return joined(excerpt(lines, site, "bold red")).splitlines()


def test_full(project, golden):
    golden(text.render(full_report()), "full.txt")


def test_full_colour(project, golden):
    golden(text.render(full_report(), colour=True), "full-colour.txt")


@pytest.mark.parametrize("module", [text, concise], ids=["full", "concise"])
def test_colour_adds_nothing_but_colour(project, module):
    coloured = module.render(full_report(), colour=True)
    assert coloured != module.render(full_report())
    assert ANSI.sub("", coloured) == module.render(full_report())


def test_concise(project, golden):
    golden(concise.render(full_report()), "concise.txt")


def test_concise_is_one_line_each(project):
    assert len(concise.render(full_report()).splitlines()) == len(full_report().findings)


def test_nothing_found_prints_nothing():
    assert text.render(Report(layers=(layer(),))) == ""
    assert concise.render(Report()) == ""


def test_live_model_has_no_path(golden):
    golden(text.render(Report(findings=(live_finding(),))), "full-live.txt")


def test_whole_text_ends_with_gaps_and_summary(project):
    lines = text.render_whole(full_report()).splitlines()
    assert lines[-3:] == [
        "not analysed: net.py:Decoder: needs width; give --arg width=VALUE",
        "not analysed: other.py:3: forward raises NameError: name 'y' is not defined (Net)",
        "Found 3 findings in 1 model; 2 fixable with --fix, "
        "1 more fixable with --fix --unsafe-fixes (may override a deliberate choice); "
        "2 not analysed.",
    ]


def test_the_call_is_shown_once(project):
    body = three_findings()[1]
    for render in (text.render, concise.render):
        assert render(Report(findings=(body,))).count("nn.init.kaiming_normal_") == 1


def test_what_was_added_to_the_message_stays(project):
    body = three_findings()[1]
    shown = text.render(Report(findings=(replace(body, message=f"{body.message} (not fixed: x)"),)))
    assert shown.splitlines()[0].endswith("body.0 is followed by relu (not fixed: x)")


@pytest.mark.parametrize(
    ("applicability", "way"),
    [
        ("safe", " (fixable with --fix)"),
        ("unsafe", " (fixable with --fix --unsafe-fixes)"),
        ("display", ""),
    ],
)
def test_help_says_which_option_fixes(project, applicability, way):
    fix = Fix("insert", CONV_SITE, Initializer("zeros_"), applicability)
    shown = text.render(Report(findings=(finding(fix=fix),)))
    assert f"= help: nn.init.zeros_(self.conv.weight){way}\n" in shown


def test_without_a_fix_the_recommendation_helps(project):
    shown = text.render(Report(findings=(finding(fix=None),)))
    assert "= help: nn.init.kaiming_normal_(self.conv.weight" in shown
    assert "fixable" not in shown


def test_without_either_the_help_is_that_of_the_rule(project):
    shown = text.render(Report(findings=(finding(fix=None, recommended=None),)))
    assert shown.count("help") == 1
    assert shown.endswith("  = help: `initlint rule INIT101`\n\n")
    shown = text.render(Report(findings=(finding(fix=None, recommended=None, help="write x"),)))
    assert shown.endswith("  = help: write x\n  = more: `initlint rule INIT101`\n\n")


def test_many_layers_of_one_line_are_counted(project):
    names = tuple(f"body.{n}.weight" for n in range(20))
    shown = text.render(Report(findings=(finding("body.0", parameters=names),)))
    assert "= also: body[1].weight, body[2].weight, body[3].weight" in shown
    assert "body[6].weight and 13 more\n" in shown


def test_unreadable_source_leaves_the_rest(project):
    gone = replace(CONV_SITE, path="gone.py")
    shown = text.render(Report(findings=(finding(site=gone),))).splitlines()
    assert shown[0].startswith("gone.py:8:21: INIT101")
    assert shown[1].startswith("  = help:")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"# coding: nonsense\n", b"x = 1\n"])
def test_source_that_is_not_what_it_was(project, content):
    (project / "net.py").write_bytes(content)
    shown = text.render(Report(findings=(finding(),)))
    assert "INIT101" in shown
    assert "^" not in shown


def test_bom_and_crlf_do_not_shift_the_mark(project):
    source = (project / "net.py").read_bytes()
    wanted = text.render(Report(findings=(finding(),)))
    (project / "net.py").write_bytes(b"\xef\xbb\xbf" + source.replace(b"\n", b"\r\n"))
    assert text.render(Report(findings=(finding(),))) == wanted


# Excerpts


def test_excerpt_of_one_line():
    assert plain_excerpt(["a = f(1)"], Site("", 1, 5, 1, 9)) == [
        "  |",
        "1 | a = f(1)",
        "  |     ^^^^",
    ]


def test_excerpt_of_several_lines():
    lines = ["self.head = Linear(", "    8,", ")"]
    assert plain_excerpt(lines, Site("", 1, 13, 3, 2)) == [
        "  |",
        "1 |   self.head = Linear(",
        "  |  _____________^",
        "2 | |     8,",
        "3 | | )",
        "  | |_^",
    ]


def test_excerpt_of_many_lines_leaves_out_the_middle():
    lines = ["f(", *(f"    {n}," for n in range(20)), ")"]
    shown = plain_excerpt(lines, Site("", 1, 1, 22, 2))
    assert [line[:2].strip() for line in shown if line[:2].strip()] == ["1", "2", "3", "21", "22"]
    assert "   | | ..." in shown


def test_gutter_is_as_wide_as_the_number():
    shown = plain_excerpt(["x"] * 100, Site("", 100, 1, 100, 2))
    assert shown == ["    |", "100 | x", "    | ^"]


@pytest.mark.parametrize(
    ("line", "columns", "shown", "mark"),
    [
        ("\tx = f()", (6, 9), "    x = f()", "        ^^^"),
        ("größe = f()", (9, 12), "größe = f()", "        ^^^"),
        ("名前 = f()", (6, 9), "名前 = f()", "       ^^^"),
        ("é = f()", (5, 8), "é = f()", "    ^^^"),
        ("x = '\x1b[31m'", (1, 2), "x = '\N{REPLACEMENT CHARACTER}[31m'", "^"),
        ("f()", (4, 4), "f()", "   ^"),
    ],
    ids=["tab", "umlaut", "wide", "combining", "control", "empty"],
)
def test_mark_stands_under_the_call(line, columns, shown, mark):
    start, end = columns
    rows = plain_excerpt([line], Site("", 1, start, 1, end))
    assert rows[1:] == [f"1 | {shown}", f"  | {mark}"]


@pytest.mark.parametrize("site", [Site("", 0, 1, 0, 1), Site("", 3, 1, 2, 1), Site("", 1, 1, 9, 1)])
def test_excerpt_of_lines_that_do_not_exist(site):
    assert plain_excerpt(["x"], site) == []


# Wording


@pytest.mark.parametrize(
    ("parameter", "owner", "expected"),
    [
        ("conv.weight", "self", "self.conv.weight"),
        ("features.0.weight", "self", "self.features[0].weight"),
        ("0.weight", "model", "model[0].weight"),
        ("weights.3", "self", "self.weights[3]"),
        ("heads.my-task.weight", "self", 'getattr(self.heads, "my-task").weight'),
        ("heads.class.weight", "self", 'getattr(self.heads, "class").weight'),
        ("heads.{weight}.weight", "self", 'getattr(self.heads, "{weight}").weight'),
        ("a\"]; x.q's\n.0", "self", r"""getattr(getattr(self, "a\"]; x"), "q's\n")[0]"""),
        ("a.007.weight", "self", 'getattr(self.a, "007").weight'),
        ("a.²", "self", 'getattr(self.a, "²")'),
    ],
)
def test_access(parameter, owner, expected):
    assert access(owner, parameter) == expected
    ast.parse(expected)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("body.0.größe", "body[0].größe"),
        ("0.weight", "model[0].weight"),
        ("q r.weight", 'getattr(model, "q r").weight'),
    ],
)
def test_access_within_the_model(parameter, expected):
    assert access("", parameter) == expected


@pytest.mark.parametrize(
    ("current", "recommended", "expected"),
    [(0.1, 0.25, 0.4), (None, 0.25, None), (0.1, None, None), (0.1, 0.0, None), (0.0, 0.25, 0.0)],
)
def test_ratio(current, recommended, expected):
    initializers = [Initializer("normal_", {}, std) for std in (current, recommended)]
    assert phrases.ratio(*initializers) == expected
    assert phrases.ratio(None, initializers[1]) is None
    assert phrases.ratio(initializers[0], None) is None


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(0.408, "0.41×"), (1, "1.00×"), (0.00031, "0.00031×"), (12.4, "12×"), (9.9, "9.90×")],
)
def test_times(factor, expected):
    assert times(factor) == expected


@pytest.mark.parametrize(
    ("target", "reason", "expected"),
    [
        ("a.py:Net", "a.py:Net: needs x", "a.py:Net: needs x"),
        ("a.py:Net", "a.py:7: raises", "a.py:7: raises (Net)"),
        ("pkg.mod:Net", "lib/mod.py:7: raises", "pkg.mod:Net: lib/mod.py:7: raises"),
        ("a.py:Net", "two\n  lines", "a.py:Net: two lines"),
        ("emb.weight", "keeps its own", "emb.weight: keeps its own"),
    ],
)
def test_gap_names_the_target_once(target, reason, expected):
    assert phrases.gap(Unanalysed(target, reason)) == expected


def with_fixes(*applicabilities):
    fixes = [a and Fix("insert", CONV_SITE, Initializer("ones_"), a) for a in applicabilities]
    return Report(findings=tuple(finding(fix=fix) for fix in fixes))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (with_fixes("safe"), "Found 1 finding in 1 model; 1 fixable with --fix."),
        (with_fixes(None, "display"), "Found 2 findings in 1 model."),
        (
            with_fixes("unsafe"),
            "Found 1 finding in 1 model; "
            "1 fixable with --fix --unsafe-fixes (may override a deliberate choice).",
        ),
        (
            Report(findings=(finding(fix=None), finding(model="b:B", fix=None))),
            "Found 2 findings in 2 models.",
        ),
        (Report(layers=(layer(),)), "No findings in 1 weight of 1 model."),
        (Report(layers=(layer(), layer(model="b"))), "No findings in 2 weights of 2 models."),
        (
            Report(
                layers=(
                    layer(),
                    layer("a", current=Initializer("unknown", default=False)),
                    layer("b", following=Following("unknown")),
                    layer("c", following=Following("unknown"), harmless="a norm follows"),
                )
            ),
            "No findings in 4 weights of 1 model, 2 of them not judged (--show-layers says why).",
        ),
        (
            Report(layers=(layer(),), unanalysed=(Unanalysed("a", "b"),)),
            "No findings in 1 weight of 1 model; 1 not analysed.",
        ),
        (
            Report(findings=(finding(fix=None),), unanalysed=(Unanalysed("a", "b"),) * 2),
            "Found 1 finding in 1 model; 2 not analysed.",
        ),
        (Report(unanalysed=(Unanalysed("a", "b"),)), "Nothing could be analysed."),
        (Report(), "Found no weights to judge."),
    ],
)
def test_summary(report, expected):
    assert phrases.summary(report) == expected
