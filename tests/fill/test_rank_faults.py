"""Where a write fails on one rank, every rank is told, and no rank's part is changed."""

import functools
import tempfile
import warnings
from pathlib import Path

import pytest
import rank_faults
import torch
from torch import multiprocessing

KINDS = ("fsdp", "fsdp1", "tensor_parallel", "replicated")


@functools.cache
def told():
    """What two ranks were told, and whether they hold what they held."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        multiprocessing.spawn(rank_faults.run, (2, KINDS, folder), nprocs=2)
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("faulty", [0, 1])
@pytest.mark.parametrize("policy", rank_faults.POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_ranks_put_back_what_they_held(kind, policy, faulty):
    for rank, found in enumerate(told()):
        message, same = found[kind, policy, faulty]
        why = "cannot be written: RuntimeError: no draw" if rank == faulty else "another rank"
        assert why in message and message.endswith("nothing was changed") and same


def test_flat_parameters_of_fsdp1_are_an_error_that_says_what_to_do():
    for found in told():
        message, same = found["flat"]
        assert "use_orig_params=True" in message and "\n" not in message and same
