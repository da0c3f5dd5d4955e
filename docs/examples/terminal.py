"""Draws docs/pictures/terminal.svg: what `initlint check deep_mlp.py --show-layers` looks like.

python docs/examples/terminal.py
"""

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "pictures" / "terminal.svg"
WIDTH = 168
LINES = 26
# As rich has it, but for fonts from the network: the reader's own do.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def main() -> None:
    """Run the command with colours, and draw its first lines."""
    command = [sys.executable, "-m", "initlint", "check", "deep_mlp.py", "--show-layers"]
    done = subprocess.run(
        [*command, "--color", "always"],
        cwd=HERE,
        env={**os.environ, "COLUMNS": str(WIDTH)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    # The table's first rows, and the first finding.
    shown = [*lines[:9], " …", *lines[lines.index("", 5) : lines.index("", 5) + LINES - 10]]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print("[bold]$ initlint check deep_mlp.py --show-layers[/bold]")
    for line in shown:
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    svg = console.export_svg(
        title="initlint", theme=DIMMED_MONOKAI, code_format=FORMAT, unique_id="terminal"
    )
    PICTURE.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
