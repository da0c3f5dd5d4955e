"""docs/rules.md writes a rule: its card, its function and its errors are as printed there."""

from pathlib import Path

import made

from initlint import api
from initlint.cli import main as cli
from initlint.judge import cards, load
from initlint.judge.kinds import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def between(mark):
    return PAGE.split(f"<!-- {mark} -->\n")[1].split(f"<!-- /{mark} -->")[0]


def test_the_rule_that_the_page_writes_works(tmp_path, capsys):
    texts = {}
    for mark in ("card", "function"):
        fence, _, rest = between(mark).partition("\n")
        texts[mark] = rest.rstrip().removesuffix(fence.rstrip("abcdefghijklmnopqrstuvwxyz"))
    rules = load([str(made.write(tmp_path / "a", "TEAM101", **texts))])
    card = rules.rule("orthogonal-convolution")
    net = tmp_path / "net.py"
    for heading, codes in (("Bad", ["TEAM101"]), ("Good", []), ("Leave alone", [])):
        (example,) = cards.examples(card, heading)
        net.write_text(example)
        report = api.check_all([str(net)], api.Options(rules=rules))
        assert [finding.code for finding in report.findings] == codes
    unclear = texts["function"].replace("layer: Layer", "layer")
    for number, function in enumerate([unclear, None]):
        folder = made.write(tmp_path / str(number), "TEAM101", texts["card"], function)
        assert cli.main(["rule", "TEAM101", "--rules", str(folder)]) == 2
        assert capsys.readouterr().err.replace(str(folder), "our_rules") in PAGE


def test_the_page_on_rules_names_all_that_a_card_may_say():
    assert all(f"`{key}`" in PAGE for key in (*cards.REQUIRED, *cards.OPTIONAL))
    assert all(f"| `{kind.__name__}` |" in PAGE for kind in KINDS)
