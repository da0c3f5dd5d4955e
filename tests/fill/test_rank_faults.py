"""Where one rank fails, every rank is told at once, and no rank's part is changed."""

import functools
import tempfile
import warnings
from pathlib import Path

import pytest
import rank_faults
import rank_plans
import torch
from test_ranks import gathered
from torch import multiprocessing

from initlint.fill.meeting import TOLD

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


def noted(kind, fault):
    """What every rank notes of a fault, and the rank on which it is."""
    every = gathered(4)["plans"] if kind == "both" else [found["plans"] for found in told()]
    faulty = every[0][kind, fault][0]
    return [found[kind, fault][1:] for found in every], faulty


KINDS_OF_PLANS = ("fsdp", "fsdp1", "tensor_parallel", "replicated", "both")
FAULTS = [
    (kind, fault, why) for kind in KINDS_OF_PLANS for fault, (_, why) in rank_plans.FAULTS.items()
]
FAULTS += [("fsdp", f"run: {fault}", why) for fault, (_, why) in rank_plans.RUNS.items()]
FAULTS += [("fsdp", f"made: {fault}", why) for fault, why in rank_plans.MADE.items()]


@pytest.mark.parametrize(("kind", "fault", "why"), FAULTS)
def test_where_one_rank_fails_the_others_say_which_and_why(kind, fault, why):
    every, faulty = noted(kind, fault)
    for rank, (message, same, in_step, seconds) in enumerate(every):
        assert why in message and same and in_step and seconds < rank_plans.SECONDS / 2
        assert (f"another rank has failed, rank {faulty}: " in message) == (rank != faulty)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(
            (k, f)
            for k in ("fsdp", "fsdp1", "tensor_parallel", "both")
            for f in rank_plans.DIFFERENT
        ),
        ("fsdp", "another model"),
    ],
)
def test_ranks_that_would_not_do_the_same_say_so(kind, fault):
    every, _ = noted(kind, fault)
    for message, same, in_step, seconds in every:
        assert "the ranks do not do the same" in message
        assert same and in_step and seconds < rank_plans.SECONDS / 2


def test_only_the_ranks_of_a_stage_take_part():
    first, second, alone, none = (found["stages", ""] for found in gathered(4)["plans"])
    assert first == ["", "", f"{TOLD} 1: {second[2]}", "", f"{TOLD} 1: {second[4]}", ""]
    assert [bool(said) for said in second] == [False, False, True, False, True, False]
    assert "only z" in second[2] and "no shard" in second[4] and alone == [""] and not none
