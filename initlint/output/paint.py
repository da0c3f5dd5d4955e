"""Text with or without colour: the same characters either way."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

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


def console_of(width: int, colour: bool) -> Console:
    """A console of rich's that writes nowhere: what is printed to it can be captured."""
    from rich.console import Console

    # With height given too, rich asks neither the terminal nor the environment for a size.
    return Console(
        file=io.StringIO(),
        width=width,
        height=100,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
