"""Example inputs as they are written on the command line: `1,3,32,32`, `ids=int64[2,16]`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from initlint.records import InitlintError
from initlint.safe.shown import cut

DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *("int8", "int16", "int32", "int64", "uint8", "bool"),
)
_SHORT = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "long": "int64",
}
# The most elements of a tensor: 16 TB in float32; torch counts bytes in 63 bits.
_ELEMENTS = 2**42
_DIGITS, _DIMENSIONS = 13, 64
_SPEC = re.compile(
    r"(?:(?P<name>[^=\[\]]*)=)?"
    r"(?:(?P<dtype>[A-Za-z][\w.]*)\[(?P<typed>[^\[\]]*)\]|(?P<plain>[^=\[\]]*))"
)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One tensor to make: for which argument of forward (None: by position), dtype and shape."""

    name: str | None
    dtype: str
    shape: tuple[int, ...]


def parse(text: str) -> InputSpec:
    """The tensor that `text` describes; float32 where no dtype is given."""
    match = _SPEC.fullmatch("".join(text.split()))
    if match is None:
        raise _error(text, "write 1,3,32,32 or name=1,3,32,32 or name=int64[2,16]")
    name, dtype, typed, plain = match.group("name", "dtype", "typed", "plain")
    if name is not None and not name.isidentifier():
        raise _error(text, f"{cut(name)!r} is not the name of an argument")
    sizes = plain if typed is None else typed
    return InputSpec(name, _dtype(text, dtype), _shape(text, sizes, scalar=typed is not None))


def _dtype(text: str, written: str | None) -> str:
    if written is None:
        return "float32"
    name = written.removeprefix("torch.")
    name = _SHORT.get(name, name)
    if name not in DTYPES:
        import difflib

        near = difflib.get_close_matches(cut(name), DTYPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"write one of {', '.join(DTYPES)}"
        raise _error(text, f"there is no dtype {cut(written)!r}; {hint}")
    return name


def _shape(text: str, sizes: str, *, scalar: bool) -> tuple[int, ...]:
    if not sizes and scalar:
        return ()
    shape = []
    for size in sizes.removesuffix(",").split(","):
        if not re.fullmatch(r"[0-9]+", size) or not size.strip("0"):
            wanted = "is not a size; write whole numbers from 1, as 1,3,32,32"
            raise _error(text, f"{cut(size)!r} {wanted}")
        if len(size) > _DIGITS:
            raise _error(text, f"{cut(size)} is more than any tensor holds")
        shape.append(int(size))
    if len(shape) > _DIMENSIONS:
        raise _error(text, f"{len(shape)} dimensions are more than torch's {_DIMENSIONS}")
    if math.prod(shape) > _ELEMENTS:
        raise _error(text, "these are more elements than any tensor holds")
    return tuple(shape)


def _error(text: str, reason: str) -> InitlintError:
    return InitlintError(f"--input {cut(text)}: {reason}")
