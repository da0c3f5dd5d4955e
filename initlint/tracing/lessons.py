"""Derives better inputs from the exception of a run, and from the line that raised it."""

from __future__ import annotations

import linecache
import re
from collections.abc import Collection, Iterator, Mapping
from types import FrameType
from typing import Any

import torch

from initlint.tracing.foreign import text_of
from initlint.tracing.places import OWN, TORCH

_UNPACKED = re.compile(r"^\s*\(?([\w\s,*]+?)\)?\s*=\s*([\w.]+?)\.(?:shape|size\(\))")
_ASSIGNED = re.compile(r"^[\w\s,.]+(?<![=!<>])=(?!=)")
_SHOWN_SHAPE = re.compile(r"\(([a-z_]\w*(?:,\s*[\w.]+)+)\)", re.IGNORECASE)
_DIMENSIONS = re.compile(
    r"\b([2-5])\s*-?\s*(?:d|dim\w*)\b|ndim(?:ension)?s?\s*(?:==|=|of|is)\s*([2-5])", re.IGNORECASE
)


def absent(error: BaseException, names: Collection[str]) -> list[str]:
    """Arguments of these names that were None and used where the exception was raised, or that its
    text names."""
    words = set(re.findall(r"\w+", text_of(error).lower()))
    found = [name for name in names if name.lower() in words]
    for frame, line in _frames(error) if "None" in text_of(error) else ():
        if found:
            break
        used = set(re.findall(r"\w+", _ASSIGNED.sub("", line)))
        found = [n for n in names if n in used and frame.f_locals.get(n, frame) is None]
    return found


def wanted_shape(
    error: BaseException, made: Mapping[str, torch.Tensor]
) -> tuple[str, list[str]] | None:
    """The input whose number of dimensions was wrong, and the names of those that it should have.

    They come from the line that takes a shape apart (`batch, frames, channels, height, width =
    pixel_values.shape`), or from a shape that the exception's own text shows.
    """
    if isinstance(error, ValueError) and "to unpack" in text_of(error):
        for frame, line in _frames(error):
            match = _UNPACKED.match(line)
            if match is not None:
                name = _input_of(frame, match[2], made)
                names = [part.strip() for part in match[1].split(",") if part.strip()]
                return None if name is None else (name, names)
            break
    shown = _SHOWN_SHAPE.search(text_of(error))
    if shown is None:
        return None
    for frame, _ in _frames(error):
        named = [_input_of(frame, local, made) for local in frame.f_locals]
        name = next((name for name in named if name is not None), None)
        return None if name is None else (name, [part.strip() for part in shown[1].split(",")])
    return None


def wanted_number(error: BaseException, sizes: Collection[int]) -> tuple[int, int] | None:
    """The one of `sizes` that the user's own error message names, and the size it asks for."""
    if not isinstance(error, (ValueError, AssertionError)):
        return None
    named = numbers(error)
    ours = [number for number in named if number in sizes]
    others = [number for number in named if number not in sizes]
    return (ours[-1], others[-1]) if ours and others and others[-1] > 1 else None


def is_too_short(error: BaseException) -> bool:
    """Whether a signal had fewer samples than a filter is long, or a search wants to find."""
    return (
        re.search(r"too small|can't be greater than actual|too short|not in range", text_of(error))
        is not None
    )


def numbers(error: BaseException) -> list[int]:
    """The whole numbers that the exception's text names."""
    return [int(number) for number in re.findall(r"\d+", text_of(error))]


def wanted_dimensions(error: BaseException) -> int | None:
    """How many dimensions the exception's text asks for."""
    match = _DIMENSIONS.search(text_of(error))
    return int(match[1] or match[2]) if match else None


def keys_of(error: BaseException, name: str) -> list[str]:
    """The keys that the code reads from the argument `name`, if a string failed as an index."""
    if not isinstance(error, (IndexError, TypeError, KeyError, AttributeError)):
        return []
    for frame, line in _frames(error):
        asked = re.compile(rf"\b{re.escape(name)}(?:\.get\(|\[)\s*['\"](\w+)['\"]")
        if not asked.search(line):
            return []
        text = "".join(linecache.getlines(frame.f_code.co_filename)[frame.f_code.co_firstlineno :])
        body = re.split(r"\n\s*def ", text)[0]
        return list(dict.fromkeys(asked.findall(body)))
    return []


def count_of(error: BaseException, name: str) -> int:
    """Into how many parts the argument `name` is taken apart where it had fewer or more."""
    if not isinstance(error, (ValueError, TypeError)):
        return 0
    for _, line in _frames(error):
        match = re.match(rf"^\s*\(?([\w\s,]+?)\)?\s*=\s*{re.escape(name)}\s*$", line)
        return len([part for part in match[1].split(",") if part.strip()]) if match else 0
    return 0


def _input_of(frame: FrameType, expression: str, made: Mapping[str, torch.Tensor]) -> str | None:
    """Which input a local variable is: the very tensor, or one that goes by the input's name."""
    value: Any = frame.f_locals.get(expression.split(".")[0])
    for name, tensor in made.items():
        if value is tensor:
            return name
    return expression if expression in made else None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, str]]:
    """The user's frames that the exception went through, innermost first, with their lines."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if not frame.f_code.co_filename.startswith((TORCH, OWN)):
            found.append((frame, linecache.getline(frame.f_code.co_filename, trace.tb_lineno)))
        trace = trace.tb_next
    return reversed(found)
