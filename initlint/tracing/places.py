"""Where in the user's source something happens: the first stack frame outside torch."""

from __future__ import annotations

import copy
import copyreg
import linecache
import sys
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

from initlint.records import Site
from initlint.torchlib.draws import INITIALIZERS
from initlint.tracing.foreign import working_folder

TORCH = str(Path(torch.__file__).parent) + "/"
INIT = str(Path(torch.nn.init.__file__))
_TORCH_MODULES = TORCH + "nn/modules/"
_MODULE_BASE = TORCH + "nn/modules/module.py"
OWN = str(Path(__file__).parent.parent) + "/"
# Frames of these are skipped, because their callers make the tensors: the standard library (copy),
# and transformers, whose functions wrap those of torch.nn.init.
_ON_THE_WAY = (TORCH, OWN, "<frozen", copy.__file__, copyreg.__file__)
_WRAPPER = "transformers/initialization.py"


def user_frame(frame: FrameType | None, building: object = None) -> FrameType | None:
    """The innermost frame outside torch and initlint, from `frame` outwards.

    Frames whose first argument is `building` are skipped: a module's own constructors are not the
    call that constructs it.
    """
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        passed = name.startswith(_ON_THE_WAY) or name.endswith(_WRAPPER)
        if not passed and not (building is not None and _first_argument(frame) is building):
            return frame
        frame = frame.f_back
    return None


def initialiser_of(frame: FrameType | None) -> FrameType | None:
    """The outermost function of torch.nn.init that a call made at `frame` comes from."""
    outermost = None
    while frame is not None and frame.f_code.co_filename == INIT:
        if frame.f_code.co_name in INITIALIZERS:
            outermost = frame
        frame = frame.f_back
    return outermost


def by_torch(frame: FrameType | None) -> bool:
    """Whether a write comes from one of torch's own modules rather than from the user's code."""
    while frame is not None and frame.f_code.co_filename.startswith(TORCH):
        name = frame.f_code.co_filename
        if name.startswith(_TORCH_MODULES) and name != _MODULE_BASE:
            return True
        frame = frame.f_back
    return False


def called_as(frame: FrameType | None, name: str) -> str:
    """The name by which the user calls an initialiser: the old one where it is deprecated."""
    while frame is not None and frame.f_code.co_filename.startswith(TORCH):
        if frame.f_code.co_filename == INIT and frame.f_code.co_name == "deprecated_init":
            return str(frame.f_locals.get("old_name", name))
        frame = frame.f_back
    return name


def within(frame: FrameType | None) -> str:
    """The function that a frame runs, or the one around its lambda; empty at a top level."""
    while frame is not None and frame.f_code.co_name.startswith("<"):
        if frame.f_code.co_name == "<module>":
            return ""
        frame = user_frame(frame.f_back)
    return frame.f_code.co_name if frame is not None else ""


def arguments_of(frame: FrameType) -> dict[str, Any]:
    """The arguments of a frame's function by name."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {name: frame.f_locals[name] for name in names}


def _first_argument(frame: FrameType) -> object:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


class Sites:
    """Sites of frames, each worked out once.

    Keyed by the code object itself: two of them are equal even if they come from different files.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[CodeType, Site | None]] = {}

    def of(self, frame: FrameType | None) -> Site | None:
        """The expression that `frame` is evaluating; None where there is no source for it."""
        if frame is None or frame.f_code.co_filename.startswith("<"):
            return None
        key = id(frame.f_code), frame.f_lasti
        if key not in self._found:
            self._found[key] = frame.f_code, _site(frame.f_code, frame.f_lasti)
        return self._found[key][1]


def _site(code: CodeType, instruction: int) -> Site | None:
    position = next(islice(code.co_positions(), instruction // 2, None))
    line, end_line, column, end_column = position
    if line is None or end_line is None:
        return None
    path = code.co_filename
    return Site(
        shown_path(path),
        line,
        _characters(path, line, column),
        end_line,
        _characters(path, end_line, end_column),
    )


def _characters(path: str, line: int, byte_column: int | None) -> int:
    text = linecache.getline(path, line).encode()
    return len(text[: byte_column or 0].decode(errors="replace")) + 1


def shown_path(path: str) -> str:
    """A file's path as the user would type it: relative to the working directory where inside."""
    here, absolute = working_folder(), Path(path)
    if here is None or not absolute.is_relative_to(here):
        return path
    return str(absolute.relative_to(here))


def caller(depth: int) -> FrameType:
    """The frame `depth` calls above the function that asks."""
    return sys._getframe(depth + 1)
