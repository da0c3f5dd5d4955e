"""`dataclass` for frozen classes with slots, made in a quarter of the time the library takes.

The library compiles six functions for each of them, and the command line defines fifty before it
reads its first file. Here one is compiled, `__init__`; the others are the same for all classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:

    def replace(record: Any, /, **changes: Any) -> Any:
        """A copy with other values: as the library's, for classes all of whose fields are given."""
        return _replacing(type(record))(record, **changes)

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """The decorator; the library's own where other options are given than those two."""
        quick = options == {"frozen": True, "slots": True}
        return _made if quick else dataclasses.dataclass(cls, **options)


def _made(cls: type) -> type:
    bare: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    # The library asks this of a class before it derives a frozen one from it.
    bare.__dataclass_params__.frozen = True
    names = tuple(field.name for field in dataclasses.fields(bare))
    bare.__init__ = _init(bare)
    for method in _shared(bare, names, _values(names)):
        # What the class itself defines stays, as in the library.
        if method.__name__ not in vars(cls):
            setattr(bare, method.__name__, method)
    return bare  # type: ignore[no-any-return]


def _init(cls: Any) -> Any:
    """`__init__`, which fills the slots themselves: the class lets nobody set an attribute."""
    known: dict[str, Any] = {"MISSING": MISSING}
    heads, lines = ["self"], []
    for field in dataclasses.fields(cls):
        name = value = field.name
        known[f"set_{name}"] = getattr(cls, name).__set__
        if field.default is not MISSING:
            known[f"default_{name}"] = field.default
            heads.append(f"{name}=default_{name}")
        elif field.default_factory is not MISSING:
            known[f"make_{name}"] = field.default_factory
            heads.append(f"{name}=MISSING")
            value = f"make_{name}() if {name} is MISSING else {name}"
        else:
            heads.append(name)
        lines.append(f"set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(heads)}):\n " + "\n ".join(lines), known)
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return known["__init__"]


@cache
def _replacing(cls: Any) -> Callable[..., Any]:
    """The function that copies a record of one class, with the changes it is given by name."""
    names = cls.__match_args__
    # No field is called like these.
    changes = ", ".join(f"{name}=_MISSING" for name in names)
    values = ", ".join(f"_old.{name} if {name} is _MISSING else {name}" for name in names)
    known: dict[str, Any] = {"_MISSING": MISSING, "_cls": cls}
    exec(f"def _replaced(_old, /, *, {changes}):\n return _cls({values})", known)
    return known["_replaced"]  # type: ignore[no-any-return]


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) == 1:
        return lambda self: (getattr(self, names[0]),)
    return attrgetter(*names)


def _shared(
    cls: type, names: tuple[str, ...], values: Callable[[Any], tuple[Any, ...]]
) -> tuple[Callable[..., Any], ...]:
    """Comparing, hashing, showing, copying, and refusing to change."""

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        is_alike = other.__class__ is self.__class__
        return values(self) == values(other) if is_alike else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    def __repr__(self: Any) -> str:  # noqa: N807
        pairs = zip(names, values(self), strict=True)
        shown = ", ".join(f"{name}={value!r}" for name, value in pairs)
        return f"{type(self).__qualname__}({shown})"

    def __reduce__(self: Any) -> tuple[type, tuple[Any, ...]]:  # noqa: N807
        return type(self), values(self)

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    return __eq__, __hash__, __repr__, __reduce__, __setattr__, __delattr__
