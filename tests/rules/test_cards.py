"""The cards of rules: what is read of one, and what is refused with file and line."""

import pytest
from made import CARD, write

from initlint.judge import cards, load
from initlint.records import InitlintError
from initlint.torchlib.catalog import rules_folder

# A card of a rule with a fix, which has more to be wrong.
FIXABLE = CARD.replace('"0.1.0"\n', '"0.1.0"\nfix = "safe"\n').replace(" by-hand", "")


def card(folder, text=CARD):
    write(folder, card=text)
    return load([str(folder)]).cards["INIT199"]


def test_a_card_is_read(tmp_path):
    rule = card(tmp_path)
    assert (rule.code, rule.name, rule.group) == ("INIT199", "wide-layer", "made up")
    assert (rule.severity, rule.confidence, rule.fix) == ("warning", "high", "")
    assert (rule.since, rule.default) == ("0.1.0", True)
    assert rule.summary == "A layer is wider than 100."
    assert rule.path == str(tmp_path / "INIT199.md")
    assert tuple(rule.sections) == cards.HEADINGS
    assert "\n## a comment, no heading\n" in rule.sections["Bad"]
    assert rule.sections["References"] == "- none"
    assert rule.text.startswith("A layer is wider\nthan 100.\n\n## What")
    assert [text.count("200") for text in cards.examples(rule, "Bad")] == [1]


def test_a_fix_is_what_the_card_says(tmp_path):
    assert card(tmp_path, FIXABLE.replace('"safe"', '"unsafe"')).fix == "unsafe"


@pytest.mark.parametrize(
    ("entry", "confidence", "default"),
    [
        ('confidence = "medium"', "medium", True),
        ('confidence = "low"', "low", False),
        ('default = "off"', "high", False),
        ('default = "on"', "high", True),
    ],
)
def test_which_rules_are_on_by_default(tmp_path, entry, confidence, default):
    rule = card(tmp_path, CARD.replace('"0.1.0"\n', f'"0.1.0"\n{entry}\n'))
    assert (rule.confidence, rule.default) == (confidence, default)


def test_pedantic_rules_are_off_by_default(tmp_path):
    write(tmp_path, "INIT499", CARD.replace("INIT199", "INIT499"))
    assert not load([str(tmp_path)]).cards["INIT499"].default


WRONG = {
    # old: (new, what is said)
    'name = "wide-layer"\n': {"": "1: 'name' is missing"},
    'since = "0.1.0"\n': {
        "": "1: 'since' is missing",
        'since = 1\n': "6: 'since' is not a text",
        'since = ""\n': "6: 'since' is not a text",
        'since = "0.1.0"\nfixable = true\n': "7: 'fixable' is none of code, name, group",
        'since = "0.1.0"\nconfidence = "huge"\n': "7: confidence 'huge' is none of high, medium",
        'since = "0.1.0"\ndefault = "yes"\n': "7: default 'yes' is none of on, off",
        'since = "0.1.0"\nfix = "perhaps"\n': "7: fix 'perhaps' is none of safe, unsafe, display",
        'since = "0.1.0"\nfix = "safe"\n': "37: with a fix, Good has for each example under Bad",
        'since = "0.1.0"\nconfidence = "low"\ndefault = "on"\n': "8: rules of low confidence and",
    },
    '"warning"': {'"fatal"': "5: severity 'fatal' is none of error, warning"},
    '"INIT199"': {'"INIT198"': "2: code 'INIT198' is not the file's name"},
    '"wide-layer"': {
        '"wide-layer': "3: Illegal character",
        '"Wide Layer"': "3: name 'Wide Layer' is not of the form two-words",
        '"wide"': "3: name 'wide' is not of the form two-words",
        '"default-before-rectifier"': "3: name 'default-before-rectifier' is already that of ",
    },
    "+++\ncode": {"code": "1: the card does not begin with TOML"},
    "A layer is wider\nthan 100.\n": {"": "8: no paragraph sums the rule up"},
    "## Why\n": {"": "19: '## Why' is missing here", "## How\n": "16: '## Why' is missing here"},
    "Why.\n": {"": "16: the section 'Why' is empty"},
    "## Good\n": {"## Fix\n": "36: '## Good' is missing here"},
    "## References\n\n- none\n": {"": "72: '## References' is missing here"},
    "- none\n": {"- none\n\n## More\n": "76: no section may follow these", "": "72: the section"},
    "```\n\n## Good": {"\n## Good": "22: this code fence is not closed"},
    "```python by-hand": {
        "```python": "38: begin this example with ```python by-hand, or give",
        "```py": "38: an example begins with ```python",
    },
    "A wide input.\n": {"": "54: nothing above this example says why"},
    "nn.Linear(8, 200)": {"nn.Linear(8, 200": "30: this example does not compile: '(' was never"},
    "return self.narrow(x)": {"pass\n    return\nreturn 1": "66: this example does not compile"},
}  # fmt: skip
CASES = [(old, new, said) for old, variants in WRONG.items() for new, said in variants.items()]


@pytest.mark.parametrize(("old", "new", "said"), CASES, ids=[said for _, _, said in CASES])
def test_a_wrong_card_is_refused_with_file_and_line(tmp_path, old, new, said):
    assert CARD.count(old) == 1
    with pytest.raises(InitlintError) as caught:
        card(tmp_path, CARD.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'INIT199.md'}:{said}")


def test_an_example_is_missing(tmp_path):
    start, end = CARD.index("```python"), CARD.index("## Good")
    with pytest.raises(InitlintError, match=r"INIT199\.md:20: there is no example under 'Bad'"):
        card(tmp_path, f"{CARD[:start]}Words.\n\n{CARD[end:]}")


def test_a_card_that_is_no_text(tmp_path):
    write(tmp_path)
    (tmp_path / "INIT199.md").write_bytes(b"\xff\xfe")
    with pytest.raises(InitlintError, match=r"INIT199\.md:1: the card cannot be read"):
        load([str(tmp_path)])


def test_the_file_is_named_as_it_was_given(tmp_path, monkeypatch):
    write(tmp_path / "own", card=CARD.replace("## Why\n", ""))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InitlintError, match=r"^own/INIT199\.md:19: "):
        load(["own"])
    with pytest.raises(InitlintError, match=r"^own/INIT199\.md:19: "):
        load([str(tmp_path / "own")])


def test_all_cards_of_initlint_are_read():
    found = load().cards
    assert set(found) == {path.stem for path in rules_folder().glob("INIT*.md")}
    for rule in found.values():
        cards.reject_broken_examples(rule)


def test_rules_of_one_hundred_are_one_group():
    groups = {}
    for rule in load().cards.values():
        groups.setdefault(rule.code[:5], set()).add(rule.group)
    assert all(len(names) == 1 for names in groups.values())


@pytest.mark.parametrize("key", ["INIT199", "init199", "wide-layer", "Wide-Layer"])
def test_a_rule_is_found_by_code_or_name(tmp_path, key):
    write(tmp_path)
    assert load([str(tmp_path)]).rule(key).code == "INIT199"


def test_an_unknown_rule_is_answered_with_the_nearest(tmp_path):
    write(tmp_path)
    with pytest.raises(InitlintError) as caught:
        load([str(tmp_path)]).rule("wide-layr")
    assert str(caught.value) == "there is no rule 'wide-layr'; did you mean wide-layer?"
