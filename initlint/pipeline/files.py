"""Files to layers without running anything: the source engine, with notebooks as Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from initlint.project.sourcefiles import NOTEBOOK, Texts
from initlint.records import InitlintError, Layer, Unanalysed

# In bytes: so little is read anew faster than it is looked up.
_SMALL = 20_000


class Reading(NamedTuple):
    """The layers of the files, and the files, cells and classes that were not analysed."""

    layers: tuple[Layer, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()


def read(paths: Sequence[str], texts: Texts, cache: bool = False, jobs: int = 1) -> Reading:
    """Read all files together, since one file may use a class of another.

    `texts` has their bytes. With `cache`, the result for more than a few kB is kept in the user's
    cache folder. `jobs` is the number of processes that follow the data of models.
    """
    python: dict[str, bytes] = {}
    gaps: list[Unanalysed] = []
    for path in paths:
        try:
            if path.endswith(NOTEBOOK):
                notebook = texts.notebook(path)
                python[path] = notebook.text.encode("utf-8", "surrogatepass")
                gaps += [
                    Unanalysed(path, f"{path}:cell {cell.cell}:{cell.line}: {cell.reason}")
                    for cell in notebook.broken
                ]
            else:
                python[path] = texts.source(path)
        except OSError as error:
            reason = error.strerror or str(error)
            gaps.append(Unanalysed(path, f"{path}: cannot be read: {reason}"))
        except InitlintError as error:
            gaps.append(Unanalysed(path, str(error)))
    if cache and sum(map(len, python.values())) > _SMALL:
        from initlint.project.cache import cached

        layers, others = cached(python, lambda: _fresh(list(python), python, jobs))
    else:
        layers, others = _fresh(list(python), python, jobs)
    return Reading(layers, (*gaps, *others))


def _fresh(
    paths: Sequence[str], texts: Mapping[str, bytes], jobs: int
) -> tuple[tuple[Layer, ...], tuple[Unanalysed, ...]]:
    from initlint import reading as source

    found = source.read(paths, texts, jobs)
    return tuple(found.layers), (*found.broken, *found.unanalysed)
