"""Text with or without colour: the same characters either way."""

from __future__ import annotations

from collections.abc import Callable

Paint = Callable[[str, str], str]

_SEVERITIES = {"error": "bold red", "warning": "bold yellow"}


def painter(colour: bool) -> Paint:
    """A function that gives a text a style of rich, or leaves it alone."""
    if not colour:
        return lambda text, style: text
    from rich.color import ColorSystem
    from rich.style import Style

    def paint(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)

    return paint


def style_of(severity: str) -> str:
    """The style in which a finding of this severity stands out."""
    return _SEVERITIES.get(severity, "bold cyan")
