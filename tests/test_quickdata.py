"""Our quick `dataclass` against the library's: whatever one does, the other does."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field

import pytest

from initlint import quickdata

OPTIONS = {"frozen": True, "slots": True}


class Plain:
    """No default, a default, one that is made."""

    name: str
    size: int = 3
    parts: tuple = field(default_factory=tuple)

    @property
    def double(self):
        return 2 * self.size


class Single:
    """One field: its values are a tuple all the same."""

    only: object


class Checked:
    """Looks at what it was given, and is shown in its own way."""

    size: int

    def __post_init__(self):
        if self.size < 0:
            raise ValueError(self.size)

    def __repr__(self):
        return f"<{self.size}>"


def made(body):
    """The class as ours and as the library's."""
    members = {k: v for k, v in vars(body).items() if k not in ("__dict__", "__weakref__")}
    return [
        way(**OPTIONS)(type(body.__name__, (), dict(members)))
        for way in (quickdata.dataclass, dataclasses.dataclass)
    ]


@pytest.mark.parametrize("body", [Plain, Single, Checked])
def test_the_classes_are_alike(body):
    ours, theirs = made(body)
    assert [f.name for f in dataclasses.fields(ours)] == [
        f.name for f in dataclasses.fields(theirs)
    ]
    assert ours.__match_args__ == theirs.__match_args__
    assert ours.__slots__ == theirs.__slots__
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    one, two = ours(1), theirs(1)
    assert repr(one) == repr(two)
    assert hash(one) == hash(two)
    assert dataclasses.asdict(one) == dataclasses.asdict(two)
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("cls", made(Plain), ids=["ours", "theirs"])
def test_values(cls):
    assert cls("a") == cls("a", 3, ())
    assert cls("a") != cls("b")
    assert cls("a") != ("a", 3, ())
    assert cls("a", size=4).double == 8
    assert dataclasses.replace(cls("a"), size=5) == cls("a", 5)
    assert copy.copy(cls("a", 7)) == copy.deepcopy(cls("a", 7)) == cls("a", 7)
    assert {cls("a"): 1}[cls("a")] == 1
    with pytest.raises(TypeError):
        cls()
    with pytest.raises(TypeError):
        cls("a", colour="red")


@pytest.mark.parametrize("cls", made(Plain), ids=["ours", "theirs"])
def test_nothing_changes(cls):
    one = cls("a")
    for name in ("name", "other"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(one, name, "b")
    with pytest.raises(FrozenInstanceError):
        del one.name
    assert one == cls("a")


@pytest.mark.parametrize("cls", made(Checked), ids=["ours", "theirs"])
def test_what_is_done_after_init(cls):
    assert repr(cls(2)) == "<2>"
    with pytest.raises(ValueError):
        cls(-1)


def test_pickled():
    from initlint.records import Site

    site = Site("net.py", 1, 2, 3, 4)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(site, protocol)) == site


def test_other_options_are_the_librarys():
    cls = quickdata.dataclass(slots=True)(type("Open", (), {"__annotations__": {"x": int}}))
    one = cls(1)
    one.x = 2
    assert one == cls(2)


def test_frozen_classes_of_the_library_derive_from_ours():
    body = {"__annotations__": {"colour": str}}
    base = quickdata.dataclass(**OPTIONS)(type("Base", (), {"__annotations__": {"size": int}}))
    one = dataclasses.dataclass(frozen=True)(type("Derived", (base,), body))(1, "red")
    assert (one.size, one.colour) == (1, "red")
    with pytest.raises(FrozenInstanceError):
        one.size = 2
