"""A rule's card, for `initlint rule`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initlint.output.lines import as_json
from initlint.records import Rule

FORMATS = ("text", "json", "markdown")


def render(rules: Sequence[Rule], form: str = "text") -> str:
    """The cards one after the other; as JSON one object, or an array where there are several."""
    if form == "json":
        objects = [_object(rule) for rule in rules]
        return as_json(objects if len(objects) != 1 else objects[0])
    if form == "markdown":
        return "\n".join(_markdown(rule) for rule in rules)
    return "\n\n".join("\n".join(_text(rule)) + "\n" for rule in rules)


def listed(rules: Sequence[Rule]) -> str:
    """One line for each rule: code, name, whether it is on by default, its fix, its summary."""
    width = max((len(rule.name) for rule in rules), default=0)
    return "".join(
        f"{rule.code}  {rule.name:<{width}}  {'on ' if rule.default else 'off'}  "
        f"{rule.fix or '-':<7}  {rule.summary}\n"
        for rule in rules
    )


def _object(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "group": rule.group,
        "severity": rule.severity,
        "confidence": rule.confidence,
        "fixable": bool(rule.fix),
        "fix": rule.fix or None,
        "default": rule.default,
        "since": rule.since,
        "summary": rule.summary,
        "explanation": rule.text,
    }


def _markdown(rule: Rule) -> str:
    return f"# {rule.name} ({rule.code})\n\n{_facts(rule)}\n\n{rule.text}"


def _text(rule: Rule) -> Iterator[str]:
    """The card without its markup: headings underlined, examples indented."""
    yield f"{rule.code} {rule.name}"
    yield _facts(rule)
    yield ""
    fenced = False
    for line in rule.text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            yield f"    {line}".rstrip()
        elif line.startswith("## "):
            heading = line.removeprefix("## ")
            yield from (heading, "-" * len(heading))
        else:
            yield line


def _facts(rule: Rule) -> str:
    facts = {
        "Category": rule.group,
        "Severity": rule.severity,
        "Confidence": rule.confidence,
        "Fix": rule.fix or "none",
        "Default": "on" if rule.default else "off",
        "Since": rule.since,
    }
    return " ".join(f"{name}: {value}." for name, value in facts.items())
