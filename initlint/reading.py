"""Files to layers without running anything: the source engine, with notebooks as Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from initlint import notebooks
from initlint.records import InitlintError, Layer, Unanalysed


@dataclass(frozen=True, slots=True)
class Reading:
    """The layers of the files, and the files, cells and classes of which nothing can be said."""

    layers: tuple[Layer, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()


def read(paths: Sequence[str], texts: Mapping[str, bytes]) -> Reading:
    """Read all files together, since a class may be used in another one than its own.

    `texts` are the files that are not what the disk holds.
    """
    from initlint import source

    python: dict[str, bytes] = {}
    gaps: list[Unanalysed] = []
    for path in paths:
        if not path.endswith(notebooks.SUFFIX):
            if path in texts:
                python[path] = texts[path]
            continue
        try:
            notebook = notebooks.opened(path)
        except InitlintError as error:
            gaps.append(Unanalysed(path, str(error)))
            continue
        python[path] = notebook.text.encode("utf-8", "surrogatepass")
        gaps += [
            Unanalysed(path, f"{path}:cell {cell.cell}:{cell.line}: {cell.reason}")
            for cell in notebook.broken
        ]
    failed = {gap.target for gap in gaps} - python.keys()
    found = source.read([path for path in paths if path not in failed], python)
    return Reading(tuple(found.layers), (*gaps, *found.broken, *found.unanalysed))
