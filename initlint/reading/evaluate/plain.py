"""Methods of Python's own values: lists, tables, texts and tuples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter

from initlint.reading.abstract.holders import Listing, Table, elements, extend, listed
from initlint.reading.abstract.parts import choice, contents_of, key_of, take_in
from initlint.reading.abstract.sizes import product
from initlint.reading.abstract.values import PLAIN, UNKNOWN, Value, bounded
from initlint.reading.objects.containers import rearranged, without


def asked(receiver: Value, name: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
    """What a method gives, or NotImplemented where it is not known."""
    if isinstance(receiver, Listing):
        return _list(receiver, name, args)
    if isinstance(receiver, Table):
        return _table(receiver, name, args, kwargs)
    if isinstance(receiver, str):
        if name == "format":
            return _filled(receiver, args, kwargs)
        return _text(receiver, name, args)
    if isinstance(receiver, tuple):
        if name == "numel":
            # Of a shape.
            return product(receiver)
        return PLAIN if name in ("index", "count") else NotImplemented
    return NotImplemented


def costs(receiver: Value, name: str, args: Sequence[Value]) -> int:
    """How many elements a method goes through."""
    count = 0 if name in _AT_ONCE else len(receiver) if _is_text(receiver) else _length(receiver)
    return count + sum(len(v) if _is_text(v) else _length(v) for v in args[:_MOST_ARGUMENTS])


# Methods that take as long whatever the length is, and arguments that any of the others looks at.
_AT_ONCE = ("append", "add", "pop", "popleft", "get", "setdefault")
_MOST_ARGUMENTS = 2


def _is_text(value: Value) -> bool:
    return isinstance(value, (str, bytes))


def _length(value: Value) -> int:
    return len(contents_of(value))


def _list(receiver: Listing, name: str, args: Sequence[Value]) -> Value:
    if name in ("append", "add", "appendleft") and args:
        if name == "appendleft":
            receiver.items.insert(0, args[0])
        extend(receiver, () if name == "appendleft" else args[:1])
        return None
    if name in ("extend", "update") and args:
        found = elements(args[0])
        extend(receiver, found or (), found is None or getattr(args[0], "open", False))
        return None
    if name == "insert" and len(args) > 1:
        receiver.items = rearranged(receiver.items, name, args)
        return None
    if name in ("pop", "popleft"):
        return _popped(receiver, 0 if name == "popleft" else args[0] if args else -1)
    if name == "copy":
        return Listing(list(receiver.items), receiver.open, perhaps=receiver.perhaps)
    if name == "remove" and args:
        places = [i for i, item in enumerate(receiver.items) if key_of(item) == key_of(args[0])]
        receiver.items = without(receiver.items, places[0] if places else UNKNOWN)
        return None
    if name in ("reverse", "sort", "clear"):
        _rearrange(receiver, name)
        return None
    return PLAIN if name in ("index", "count") else NotImplemented


def _popped(receiver: Listing, place: Value) -> Value:
    if type(place) is int and -len(receiver.items) <= place < len(receiver.items):
        return receiver.items.pop(place)
    receiver.items = without(receiver.items, place)
    return UNKNOWN


def _rearrange(receiver: Listing, name: str) -> None:
    if name == "reverse":
        receiver.items.reverse()
    elif name == "clear":
        receiver.items.clear()
    else:
        plain = all(isinstance(item, (int, float, str)) for item in receiver.items)
        receiver.items = [PLAIN if plain else UNKNOWN] * len(receiver.items)


def _table(receiver: Table, name: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
    items = receiver.items
    if name in ("get", "pop", "setdefault") and args:
        return _got(receiver, name, args)
    if name == "update":
        for given in args:
            take_in(receiver, given)
        items.update({key: value for key, value in kwargs.items() if key not in ("*", "**")})
        return None
    if name in ("items", "keys", "values"):
        found = {"items": list(items.items()), "keys": list(items)}.get(name, list(items.values()))
        return Listing(list(found), receiver.open, perhaps=receiver.perhaps)
    if name == "copy":
        return Table(dict(items), receiver.open, receiver.perhaps)
    return NotImplemented


def _got(receiver: Table, name: str, args: Sequence[Value]) -> Value:
    key, default = args[0], args[1] if len(args) > 1 else None
    if not isinstance(key, (str, int)):
        return choice(list(receiver.items.values())) if receiver.items else UNKNOWN
    if key in receiver.items:
        return receiver.items.pop(key) if name == "pop" else receiver.items[key]
    if name == "setdefault":
        receiver.items[key] = default
    # Of a table that may hold more, the default is what its author expects.
    return UNKNOWN if receiver.open and default is None else default


# No text that names something is longer; texts made of longer ones could grow without end.
_LONGEST = 1000
# Methods of texts that give a number, a text, or several, and nothing but.
_TEXT = {
    *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha"),
    *("isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isspace", "isupper"),
    *("join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind"),
    *("rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip"),
    *("swapcase", "title", "upper"),
}


def _text(receiver: str, name: str, args: Sequence[Value]) -> Value:
    given = [_written(value) for value in args]
    if name not in _TEXT or None in given or len(receiver) > _LONGEST:
        return PLAIN
    # What is put in place of every character, or between the parts, may be as long as these.
    if name in ("replace", "join") and _grown(receiver, given) > _LARGEST:
        return PLAIN
    try:
        found = getattr(receiver, name)(*given)
    except (TypeError, ValueError):
        return PLAIN
    return listed(found) if isinstance(found, list) else bounded(found)


def _filled(receiver: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
    """`"conv{}".format(1)`, where what is put in is known; no attribute of it is looked at."""
    if len(receiver) > _LONGEST:
        return PLAIN
    found, size, places = [], 0, iter(args)
    try:
        for text, name, form, conversion in Formatter().parse(receiver):
            found.append(text)
            if name is None:
                continue
            if name.isdigit():
                value = args[int(name)]
            else:
                value = kwargs[name] if name else next(places, None)
            is_known = isinstance(value, (str, int)) and _written(value) is not None
            # A longer form may ask for a text of any length.
            if not is_known or conversion or len(form or "") >= _LONGEST_FORM:
                return PLAIN
            found.append(format(value, form or ""))
            size += len(found[-1])
            if size > _LARGEST:
                return PLAIN
    except (ValueError, LookupError):
        return PLAIN
    return bounded("".join(found))


_LARGEST, _LONGEST_FORM = 20_000, 4


def _grown(receiver: str, given: Sequence[Value]) -> int:
    """At most how long a text is that `replace` or `join` gives."""
    parts = [part for value in given for part in (value if isinstance(value, tuple) else (value,))]
    longest = max((len(part) for part in parts if isinstance(part, str)), default=0)
    return (len(receiver) + len(parts) + 1) * (longest + len(receiver) + 1)


def _written(value: Value) -> Value:
    """An argument of a text's method; None where it is not known, or long."""
    if isinstance(value, Listing):
        value = None if value.open else tuple(value.items)
    parts = value if isinstance(value, tuple) else (value,)
    is_known = len(parts) <= _LONGEST and all(isinstance(part, (str, int)) for part in parts)
    is_short = is_known and all(len(part) <= _LONGEST for part in parts if isinstance(part, str))
    return value if is_short else None
