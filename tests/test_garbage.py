"""When the collector runs again after work that it was kept from."""

import gc

import pytest

from initlint import garbage


@pytest.fixture(autouse=True)
def settled():
    yield
    garbage._collect_left_over()
    gc.enable()


class Ring:
    """Refers to itself: only the collector can free it."""

    alive = 0

    def __init__(self):
        self.me = self
        Ring.alive += 1

    def __del__(self):
        Ring.alive -= 1


def test_nothing_is_collected_meanwhile():
    with garbage.uncollected():
        assert not gc.isenabled()
        with garbage.uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with garbage.uncollected():
        pass
    assert not gc.isenabled()


def test_what_much_work_leaves_is_collected_before_more_is_done(monkeypatch):
    monkeypatch.setattr(garbage, "_MANY", 1000)
    with garbage.uncollected():
        for _ in range(5000):
            Ring()
    assert Ring.alive == 5000
    with garbage.uncollected():
        assert Ring.alive == 0


def test_what_little_work_leaves_is_the_collectors_own_affair():
    gc.collect()
    with garbage.uncollected():
        for _ in range(5000):
            Ring()
    [[] for _ in range(2000)]
    assert Ring.alive == 0


def test_frozen_objects_stay_frozen(monkeypatch):
    monkeypatch.setattr(garbage, "_MANY", 0)
    gc.freeze()
    try:
        with garbage.uncollected():
            pass
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
