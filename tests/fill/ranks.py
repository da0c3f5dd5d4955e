"""What one of several processes does: shard a model, fill it, and show all of it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import rank_plans
import torch
from torch import distributed, nn
from torch.distributed import checkpoint
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

import initlint
from initlint.fill.apply import bare_name

WIDTH = 1537
SEED = 11


class Net(nn.Module):
    """Sizes that no number of ranks divides; `a` and `b` are of several blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(513, WIDTH)
        self.b = nn.Linear(WIDTH, 299)
        self.c = nn.Linear(299, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.b(self.a(x).relu()).relu())


class Sigmoids(nn.Sequential):
    """Hidden sigmoids, whose rows are centred."""

    def __init__(self) -> None:
        layers = [m for _ in range(4) for m in (nn.Linear(65, 65), nn.Sigmoid())]
        super().__init__(*layers, nn.Linear(65, 7))


def alone(count: int) -> nn.Module:
    return Net()


def fsdp(count: int) -> nn.Module:
    model = Net()
    mesh = init_device_mesh("cpu", (count,))
    for part in (model.a, model.b):
        fully_shard(part, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def hybrid(count: int) -> nn.Module:
    """Replicas of shards: HSDP."""
    mesh = init_device_mesh("cpu", (count // 2, 2), mesh_dim_names=("copies", "shards"))
    return fully_shard(Net(), mesh=mesh)


def tensor_parallel(count: int) -> nn.Module:
    mesh = init_device_mesh("cpu", (count,))
    return parallelize_module(Net(), mesh, {"a": ColwiseParallel(), "b": RowwiseParallel()})


def both(count: int) -> nn.Module:
    """Tensor parallel within, FSDP2 across: a 2-D mesh."""
    mesh = init_device_mesh("cpu", (count // 2, 2), mesh_dim_names=("data", "tensor"))
    plan = {"a": ColwiseParallel(), "b": RowwiseParallel()}
    model = parallelize_module(Net(), mesh["tensor"], plan)
    return fully_shard(model, mesh=mesh["data"])


def replicated(count: int) -> nn.Module:
    return DistributedDataParallel(Net())


def from_meta(count: int) -> nn.Module:
    with torch.device("meta"):
        model = Net()
    fully_shard(model, mesh=init_device_mesh("cpu", (count,)))
    return model.to_empty(device="cpu")


def fsdp1(count: int) -> nn.Module:
    """Cut without regard to rows, `a` in a unit of its own."""
    model, options = Net(), {"use_orig_params": True, "device_id": torch.device("cpu")}
    model.a = FullyShardedDataParallel(model.a, **options)
    return FullyShardedDataParallel(model, **options)


def offloaded(count: int) -> nn.Module:
    mesh = init_device_mesh("cpu", (count,))
    return fully_shard(Net(), mesh=mesh, offload_policy=CPUOffloadPolicy(pin_memory=False))


def materialized(count: int) -> nn.Module:
    """Sharded on the meta device, with an embedding and a normalisation beside."""
    with torch.device("meta"):
        model = Words()
    model.register_buffer("there", torch.arange(5.0))
    fully_shard(model, mesh=init_device_mesh("cpu", (count,)))
    initlint.materialize(model, seed=SEED, scope="all")
    assert model.there.equal(torch.arange(5.0))
    return model


class Biased(Net):
    """A bias that is a constant, one with a few elements that were set, and one drawn."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.c.bias, -2.0)
        # All of them lie in the first rank's part.
        self.b.bias.data[:60] = 1.0


class Copied(Net):
    """A frozen copy of a layer, and a frozen layer that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.copy = copy.deepcopy(self.b).requires_grad_(False)
        self.other = nn.Linear(WIDTH, 299).requires_grad_(False)


def followed(model: nn.Module) -> nn.Module:
    initlint.apply_(model, seed=SEED, scope="all")
    return model


def with_set_biases(count: int) -> nn.Module:
    model = fully_shard(Biased(), mesh=init_device_mesh("cpu", (count,)))
    report = initlint.apply_(model, seed=SEED, scope="all")
    assert {gap.target for gap in report.unanalysed} == {"b.bias", "c.bias"}
    options = {"use_orig_params": True, "device_id": torch.device("cpu")}
    flat = FullyShardedDataParallel(Biased(), **options)
    report = initlint.apply_(flat, seed=SEED, scope="all")
    assert {gap.target for gap in report.unanalysed} == {"b.bias", "c.bias"}
    return model


def scoped(model: nn.Module) -> nn.Module:
    """By the default scope, with values of shards in which a single rank may see what was meant."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if bare_name(name) == "c.weight":
                value.mul_(0.01)
    report = initlint.apply_(model, seed=SEED)
    filled = {bare_name(one.parameter) for one in report.outcomes if one.status == "filled"}
    assert filled >= {"b.weight", "b.bias"} and "c.weight" not in filled, filled
    before = {one.parameter: one.before for one in report.outcomes}
    assert before["b.weight"].startswith("PyTorch's default")
    assert before["c.weight"].startswith("std 0.000")
    return model


def reformed(kind: str, count: int) -> nn.Module:
    """Draws that are not PyTorch's default, without a finding: of their std, as all ranks see."""
    torch.manual_seed(0)
    model = KINDS[kind](count)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "weight" in name:
                value.mul_(1.5)
    report = initlint.apply_(model, seed=SEED, policy="orthogonal")
    filled = {bare_name(one.parameter) for one in report.outcomes if one.status == "filled"}
    assert filled >= {"a.weight", "b.weight", "c.weight"}, filled
    return model


class Words(Net):
    """Its embedding is drawn by torch's own code, a row of it then set to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1001, 513, padding_idx=3)
        self.plain = nn.Embedding(1001, 513)
        self.norm = nn.LayerNorm(513)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(self.norm(self.embed(ids) + self.plain(ids)))


KINDS: dict[str, Callable[[int], nn.Module]] = {
    k.__name__: k
    for k in (alone, fsdp, hybrid, tensor_parallel, both, replicated, from_meta, fsdp1, offloaded)
}


def probes() -> torch.Tensor:
    return torch.randn(48, 513, generator=torch.Generator().manual_seed(3))


def calibrated(count: int, own: bool) -> nn.Module:
    """Calibrated on the same noise by all ranks, or each on its `own` part of the same inputs."""
    model = fsdp(count)
    inputs = [probes().chunk(count)[distributed.get_rank()]] if own else []
    initlint.apply_(model, *inputs, seed=SEED, policy="calibrated", scope="all")
    # The model is as usable as before.
    model(probes()).square().mean().backward()
    return model


def refused(count: int) -> nn.Module:
    """Tensor parallel, whose run is not understood: one line, and nothing is changed."""
    model = tensor_parallel(count)
    before = _whole(model)
    try:
        initlint.apply_(model, seed=SEED, policy="calibrated", scope="all")
    except initlint.InitlintError as error:
        assert "fully_shard" in str(error) and "\n" not in str(error)
    else:
        raise AssertionError("it was not refused")
    assert all(value.equal(before[name]) for name, value in _whole(model).items())
    return model


def saved(count: int, folder: str) -> nn.Module:
    """Filled, saved, and loaded into a model that is sharded in another way."""
    model = fsdp(count)
    initlint.apply_(model, seed=SEED, scope="all")
    checkpoint.save(model.state_dict(), checkpoint_id=f"{folder}/saved")
    other = both(count) if count == 4 else tensor_parallel(count)
    state = other.state_dict()
    checkpoint.load(state, checkpoint_id=f"{folder}/saved")
    other.load_state_dict(state)
    alone = Net()
    whole = alone.state_dict()
    checkpoint.load(whole, checkpoint_id=f"{folder}/saved", no_dist=True)
    assert all(value.equal(whole[name]) for name, value in _whole(other).items())
    return other


def run(rank: int, count: int, kinds: tuple[str, ...], folder: str) -> None:
    """Fill this rank's part of every kind of model and save the whole of each, gathered.

    Without a seed `unseeded` is filled, and `trap` by torch's own initialiser with one seed;
    of `plans`, it saves what the ranks were told.
    """
    rank_plans.begin(rank, count, folder)
    for kind in kinds:
        torch.manual_seed(rank)
        if kind == "plans":
            found = rank_plans.noted(rank, count, rank_plans.BY_FOUR)
        else:
            found = _whole(_filled(kind, count, folder))
        torch.save(found, f"{folder}/{kind}{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def _filled(kind: str, count: int, folder: str) -> nn.Module:
    if kind in ("calibrated", "calibrated_own"):
        return calibrated(count, kind == "calibrated_own")
    if kind == "centred":
        model = fully_shard(Sigmoids(), mesh=init_device_mesh("cpu", (count,)))
        initlint.apply_(model, seed=SEED)
        return model
    if kind in ("refused", "saved"):
        return refused(count) if kind == "refused" else saved(count, folder)
    if kind == "trap":
        torch.manual_seed(0)
        model = fully_shard(
            nn.Sequential(nn.Linear(64, 64, device="meta")), mesh=init_device_mesh("cpu", (count,))
        ).to_empty(device="cpu")
        nn.init.kaiming_normal_(model[0].weight)
        return model
    if kind == "materialized":
        return materialized(count)
    if kind == "followed":
        return followed(fully_shard(Copied(), mesh=init_device_mesh("cpu", (count,))))
    if kind == "set":
        return with_set_biases(count)
    if kind.startswith("reformed_"):
        return reformed(kind.removeprefix("reformed_"), count)
    if kind.startswith("scoped_"):
        return scoped(KINDS[kind.removeprefix("scoped_")](count))
    if kind == "orthogonal":
        model = fsdp(count)
        initlint.apply_(model, seed=SEED, policy="orthogonal", scope="all")
        return model
    model = replicated(count) if kind == "unseeded" else KINDS[kind](count)
    initlint.apply_(model, seed=None if kind == "unseeded" else SEED, scope="all")
    return model


def _whole(model: nn.Module) -> dict[str, torch.Tensor]:
    found = {}
    if isinstance(model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(model):
            return {bare_name(name): value.clone() for name, value in model.named_parameters()}
    for name, value in model.named_parameters():
        data = value.data
        full = data.full_tensor() if isinstance(data, DTensor) else data
        found[bare_name(name)] = full.clone()
    return found
