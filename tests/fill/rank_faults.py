"""What one of two processes does where a write fails on one of them."""

from __future__ import annotations

import rank_plans
import torch
from ranks import KINDS, SEED, Net
from torch import distributed, nn
from torch.distributed.fsdp import FullyShardedDataParallel

import initlint
from initlint.fill import blocks
from initlint.fill.shards import parts_of

POLICIES = ("following", "orthogonal")


def run(rank: int, count: int, kinds: tuple[str, ...], folder: str) -> None:
    """Let a draw fail on one rank and note what every rank is told and is left with."""
    rank_plans.begin(rank, count, folder)
    draw, found = blocks._draw, {}
    for kind in kinds:
        for policy in POLICIES:
            for faulty in range(count):
                model = KINDS[kind](count)
                blocks._draw = _failing(draw) if rank == faulty else draw
                found[kind, policy, faulty] = _told(model, policy)
                blocks._draw = draw
    found["flat"] = _told(_flat(), "following")
    found["plans"] = rank_plans.noted(rank, count, rank_plans.BY_TWO)
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def _failing(draw):
    """A draw that fails at the third time."""
    count = iter(range(10**6))

    def failing(*args):
        if next(count) == 2:
            raise RuntimeError("no draw")
        draw(*args)

    return failing


def _told(model: nn.Module, policy: str) -> tuple[str, bool]:
    """The error, and whether values and torch's random state are as they were."""
    before, state = _values(model), torch.get_rng_state()
    try:
        initlint.apply_(model, policy=policy, scope="all")
    except initlint.InitlintError as error:
        message = str(error)
    else:
        message = "no error"
    after = _values(model)
    same = all(value.equal(after[name]) for name, value in before.items())
    return message, same and state.equal(torch.get_rng_state())


def _values(model: nn.Module) -> dict[str, torch.Tensor]:
    if "_fsdp_wrapped_module._flat_param" in dict(model.named_parameters()):
        return {name: value.clone() for name, value in model.named_parameters()}
    return {name: part.local.clone() for name, part in parts_of(model).items()}


def _flat() -> nn.Module:
    """FSDP1 as it is by default: one flat parameter."""
    torch.manual_seed(SEED)
    return FullyShardedDataParallel(Net(), device_id=torch.device("cpu"))
