"""Keys of values, by which calls are told apart: no two objects have the same one."""

import pytest

from initlint.reading.abstract.holders import Instance, Method, Partial
from initlint.reading.abstract.parts import key_of
from initlint.reading.abstract.values import Fresh, Held, Slot
from initlint.torchlib.draws import UNCLEAR


def slot(name):
    return Slot(None, name, (8, 8), UNCLEAR)


MAKERS = {
    "module": lambda: Instance(None, "Linear"),
    "parameter": lambda: slot("weight"),
    "view": lambda: Held(slot("weight"), None),
    "new tensor": lambda: Fresh((8, 8), UNCLEAR),
    "method": lambda: Method(slot("weight"), "view"),
    "within a tuple": lambda: (1, (Instance(None, "Linear"),)),
    "within a partial": lambda: Partial(Instance(None, "Linear"), (), {}),
    "slice": lambda: slice(0, 8),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_key_is_no_later_objects(make):
    # Each object is gone when the next one is made, often in the same place of memory.
    assert len({key_of(make()) for _ in range(100)}) == 100


def test_one_object_has_one_key():
    value = Held(slot("weight"), None)
    assert key_of((value, 1)) == key_of((value, 1))
    assert key_of(slot("a")) != key_of(slot("a"))
