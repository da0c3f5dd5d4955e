"""Ranks that each make the same model meet once it is made, or hear which of them could not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from initlint.records import InitlintError

TOLD = "another rank has failed, rank"
# How many seconds pass between two questions, at first and at most.
_SOON, _LATER = 0.01, 0.5
# How often this process has made a model of a name, and how often its groups have met.
_made: Counter[str] = Counter()
_met: Counter[str] = Counter()


class Meeting:
    """A call by which several processes make a model, each its own part.

    Only the model that was made, and sharded, knows which processes hold it. So one that cannot
    make it knows nobody to exchange anything with; it leaves word in the store of the job, where
    those who wait for it find it.
    """

    def __init__(self, name: str) -> None:
        _made[name] += 1
        self._place = f"initlint/{name}/{_made[name]}"
        self._store: Any = torch.distributed.distributed_c10d._get_default_store()

    def failed(self, reason: str) -> None:
        """Leave word that this process could not make the model."""
        self._store.set(f"{self._place}/{torch.distributed.get_rank()}", reason)
        self._store.add(self._place, 1)

    def wait(self, groups: Sequence[Any]) -> None:
        """Wait for all processes of the groups. Raises InitlintError if one of them has failed.

        Groups meet in turn: what one dimension of a mesh has heard, the next one hears.
        """
        here: list[str] = []
        members = {r for g in groups for r in torch.distributed.get_process_group_ranks(g)}
        try:
            for group in groups:
                key = f"initlint/{group.group_name}/{_met[group.group_name]}"
                self._store.add(key, 1)
                here.append(key)
                self._wait(key, torch.distributed.get_world_size(group), members)
        except BaseException:
            for key in here:
                self._store.add(key, -1)
            raise
        _met.update({group.group_name for group in groups})

    def _wait(self, key: str, count: int, members: set[int]) -> None:
        end = time.monotonic() + self._store.timeout.total_seconds()
        pause = _SOON
        while True:
            are_all_here = self._store.add(key, 0) >= count
            # Heard afterwards: one that failed and calls again comes to the same place.
            if self._store.add(self._place, 0):
                self._listen(members)
            if are_all_here:
                return
            if time.monotonic() > end:
                raise InitlintError("another rank does not answer: it has not made its model")
            time.sleep(pause)
            pause = min(2 * pause, _LATER)

    def _listen(self, members: set[int]) -> None:
        for rank in sorted(members):
            key = f"{self._place}/{rank}"
            if self._store.check([key]):
                reason = self._store.get(key).decode()
                raise InitlintError(
                    reason if reason.startswith(TOLD) else f"{TOLD} {rank}: {reason}"
                )
