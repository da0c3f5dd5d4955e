"""Files to records without running anything: the source engine, with notebooks as Python."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from initlint.project.cache import Reading
from initlint.project.imports import Imported
from initlint.project.sourcefiles import NOTEBOOK, Texts
from initlint.records import InitlintError, Unanalysed

# In bytes: so little is read anew faster than it is looked up.
_SMALL = 20_000


class Reader(NamedTuple):
    """The way files are read.

    - `cache`: whether to keep the result for more than a few kB in the user's cache folder.
    - `jobs`: the number of processes that follow the data of models.
    - `parameters`: whether to record parameters and buffers.
    - `data`: whether to follow the data of models: without it, nothing follows a layer.
    """

    cache: bool = False
    jobs: int = 1
    parameters: bool = False
    data: bool = True


_PLAINLY = Reader()
_NOTHING = Imported()


def read(
    paths: Sequence[str], texts: Texts, reader: Reader = _PLAINLY, imported: Imported = _NOTHING
) -> Reading:
    """Read all files together, since one file may use a class of another.

    `texts` has their bytes, `imported` are files that they import, and where imports begin. The
    gaps are the files, cells and classes that were not analysed.
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
    for path in imported.files:
        with contextlib.suppress(OSError):
            python[path] = texts.source(path)
    if reader.cache and sum(map(len, python.values())) > _SMALL:
        from initlint.project.cache import cached

        asked = (reader.parameters, reader.data, sorted(imported.starts.items()))
        found = cached(python, asked, lambda: _fresh(python, reader, imported))
    else:
        found = _fresh(python, reader, imported)
    return found._replace(gaps=(*gaps, *found.gaps))


def _fresh(texts: Mapping[str, bytes], reader: Reader, imported: Imported) -> Reading:
    from initlint import reading

    paths = [path for path in texts if path not in imported.files]
    found = reading.read(
        paths,
        texts,
        reader.jobs,
        reader.parameters,
        imported.files,
        starts=imported.starts,
        data=reader.data,
    )
    gaps = (*found.broken, *found.unanalysed)
    return Reading(found.layers, found.parameters, found.calls, found.tests, gaps)
