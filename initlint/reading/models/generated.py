"""Files from which others are generated: what runs is the generated one, which says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from initlint.reading.sources.resolve import Module

# As in transformers, whose models are written in `modular_net.py`: a file that nothing imports, in
# which a class that says `pass` stands for a copy of another model's.
_SAYS = re.compile(rb"^#.*automatically generated from \S*?(modular_\w+\.py)", re.MULTILINE)
_TOP = 1_000


def templates(modules: Iterable[Module]) -> Iterator[str]:
    """The paths of the files from which files beside them are generated."""
    for module in modules:
        found = _SAYS.search(module.source.data[:_TOP])
        if found:
            yield str(PurePath(module.path).with_name(found[1].decode()))
