"""--select and --ignore: which rules they leave, and what a wrong one is told."""

import pytest
from handmade import rules

from initlint.judge import load
from initlint.project.select import Selection, expand
from initlint.records import InitlintError

DEFAULT = {"INIT001", "INIT101", "INIT102", "INIT106"}
INIT1 = {"INIT101", "INIT102", "INIT106"}
ALL = DEFAULT | {"INIT304", "INIT401"}


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        pytest.param([], [], DEFAULT, id="all but pedantic and low confidence"),
        pytest.param(["ALL"], [], ALL, id="ALL is all"),
        pytest.param(["all"], [], ALL, id="all in small letters"),
        pytest.param(["INIT"], [], ALL, id="prefix of all"),
        pytest.param(["INIT101"], [], {"INIT101"}, id="code"),
        pytest.param(["init101"], [], {"INIT101"}, id="code in small letters"),
        pytest.param(["INIT1"], [], INIT1, id="group"),
        pytest.param(["INIT10"], [], INIT1, id="longer prefix"),
        pytest.param(["INIT4"], [], {"INIT401"}, id="pedantic group"),
        pytest.param(["INIT304"], [], {"INIT304"}, id="low confidence by code"),
        pytest.param(["default-before-rectifier"], [], {"INIT101"}, id="name"),
        pytest.param(["Default-Before-Rectifier"], [], {"INIT101"}, id="name in other letters"),
        pytest.param(["INIT101,INIT102"], [], {"INIT101", "INIT102"}, id="comma list"),
        pytest.param([" INIT101 , INIT102,"], [], {"INIT101", "INIT102"}, id="spaces, last comma"),
        pytest.param(["INIT101", "INIT0"], [], {"INIT101", "INIT001"}, id="repeated"),
        pytest.param([""], [], DEFAULT, id="an empty one is none"),
        pytest.param([], ["INIT1"], {"INIT001"}, id="ignore a group"),
        pytest.param([], ["INIT101"], DEFAULT - {"INIT101"}, id="ignore a code"),
        pytest.param([], ["explicit-scale-off"], DEFAULT - {"INIT106"}, id="ignore a name"),
        pytest.param([], ["ALL"], set(), id="ignore all"),
        pytest.param(["INIT1"], ["INIT101"], {"INIT102", "INIT106"}, id="narrower ignore wins"),
        pytest.param(["INIT101"], ["INIT1"], {"INIT101"}, id="narrower select wins"),
        pytest.param(["ALL"], ["INIT1"], ALL - INIT1, id="ALL is the broadest"),
        pytest.param(["INIT101"], ["ALL"], {"INIT101"}, id="all but one ignored"),
        pytest.param(["INIT101"], ["INIT101"], set(), id="equals: ignore wins"),
        pytest.param(
            ["default-before-rectifier"], ["INIT101"], set(), id="a name weighs as much as a code"
        ),
    ],
)
def test_expand(select, ignore, expected):
    assert expand(select, ignore, rules()) == expected


@pytest.mark.parametrize("code", ["E501", "F401", "PLR0913", "RUF100", "B006"])
def test_rules_of_other_linters_are_told_apart(code):
    with pytest.raises(InitlintError, match=f"{code} is a rule of another linter"):
        expand([code], [], rules())


@pytest.mark.parametrize(
    ("option", "written", "near"),
    [
        ("--select", "INIT109", "INIT106"),
        ("--select", "INIT9", "INIT4"),
        ("--ignore", "INTI101", "INIT101"),
        ("--ignore", "default-before-rectifer", "default-before-rectifier"),
        ("--select", "INIT1x", "INIT1"),
    ],
)
def test_unknown_selectors(option, written, near):
    lists = {"--select": [], "--ignore": []} | {option: [f"INIT101,{written}"]}
    with pytest.raises(InitlintError) as error:
        expand(lists["--select"], lists["--ignore"], rules())
    assert str(error.value) == (
        f"{option} {written}: there is no such rule or group; did you mean {near}?"
    )


def test_the_real_catalogue_by_default():
    cards = load().cards
    chosen = Selection.default().codes()
    assert {"INIT101", "INIT106"} <= chosen
    assert not [code for code in chosen if cards[code].confidence == "low"]
