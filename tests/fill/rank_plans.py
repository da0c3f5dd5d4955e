"""What one of several processes does where one of them fails before it writes anything."""

from __future__ import annotations

import datetime
import math
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import initlint
from initlint.fill.shards import part_of, parts_of

SEED = 3
# The processes wait for each other at most so long: a hang is an error soon.
SECONDS = 60


class Net(nn.Module):
    """Its forward can be told to fail; nothing but its own code fills `gain`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.a, self.b, self.c = nn.Linear(6, 9), nn.Linear(9, 9), nn.Linear(9, 3)
        self.gain = nn.Parameter(torch.ones(3))
        self.fails: Callable[[], object] = bool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.b(self.a(x).relu()).relu()
        self.fails()
        return self.c(x) * self.gain


def fsdp(count: int) -> nn.Module:
    model = Net()
    mesh = init_device_mesh("cpu", (count,))
    fully_shard(model.b, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def one_layer(count: int) -> nn.Module:
    return fully_shard(nn.Linear(6, 3), mesh=init_device_mesh("cpu", (count,)))


def fsdp1(count: int) -> nn.Module:
    return FullyShardedDataParallel(Net(), use_orig_params=True, device_id=torch.device("cpu"))


def tensor_parallel(count: int) -> nn.Module:
    plan = {"a": ColwiseParallel(), "b": RowwiseParallel()}
    return parallelize_module(Net(), init_device_mesh("cpu", (count,)), plan)


def both(count: int) -> nn.Module:
    """Tensor parallel within, FSDP2 across: a 2-D mesh."""
    mesh = init_device_mesh("cpu", (count // 2, 2), mesh_dim_names=("data", "tensor"))
    plan = {"a": ColwiseParallel(), "b": RowwiseParallel()}
    return fully_shard(parallelize_module(Net(), mesh["tensor"], plan), mesh=mesh["data"])


def replicated(count: int) -> nn.Module:
    return nn.parallel.DistributedDataParallel(Net())


KINDS = {k.__name__: k for k in (fsdp, fsdp1, tensor_parallel, both, replicated)}


# What two ranks are enough for, and what needs four.
BY_TWO, BY_FOUR = ("fsdp", "fsdp1", "tensor_parallel", "replicated"), ("both", "stages")


def _raise(error: BaseException) -> None:
    raise error


def _failing(model: nn.Module, error: BaseException) -> dict[str, Any]:
    net = next(module for module in model.modules() if isinstance(module, Net))
    net.fails = lambda: _raise(error)
    return {}


def _read_only(model: nn.Module) -> dict[str, Any]:
    """Lets a parameter lie in a file that is mapped for reading."""
    value = next(p for name, p in model.named_parameters() if name.endswith("b.weight"))
    shape = tuple(part_of(value).local.shape)
    mapped = torch.from_numpy(numpy.memmap("zeros", numpy.float32, "r", shape=shape))
    if isinstance(value, DTensor):
        value._local_tensor = mapped
    else:
        value.data = mapped
    return {}


def _failing_late(model: nn.Module, interrupt: bool = False) -> dict[str, Any]:
    """Fails in the run, after a part of the model has been gathered, and not where it is traced."""
    net = next(module for module in model.modules() if isinstance(module, Net))

    def late(module: nn.Module, args: Any) -> None:
        if not args[0].is_meta:
            os.kill(os.getpid(), signal.SIGINT) if interrupt else _raise(RuntimeError("late"))

    net.c.register_forward_pre_hook(late)
    return {}


def _interrupted(model: nn.Module) -> dict[str, Any]:
    net = next(module for module in model.modules() if isinstance(module, Net))
    net.fails = lambda: os.kill(os.getpid(), signal.SIGINT)
    return {}


# What goes wrong on one rank: gives the options of `apply_` there, and what its message says.
FAULTS: dict[str, tuple[Callable[[nn.Module], dict[str, Any]], str]] = {
    "forward": (lambda m: _failing(m, ValueError("no data")), "ValueError: no data"),
    "exit": (lambda m: _failing(m, SystemExit(3)), "SystemExit: 3"),
    "only": (lambda m: {"only": "z.*"}, "only z.*: no parameter"),
    "scope": (lambda m: {"scope": "every"}, "no such scope"),
    "policy": (lambda m: {"policy": "best"}, "no such policy"),
    "overrides": (lambda m: {"overrides": {"b": nn.ReLU}}, "is no initialiser"),
    "pattern": (lambda m: {"overrides": {"z": 0.1}}, "overrides z: no parameter"),
    "whole": (lambda m: {"whole": lambda: _raise(ValueError("no whole"))}, "no whole"),
    "stranger": (lambda m: {"whole": lambda: nn.Linear(2, 2)}, "is a parameter of the stage"),
    "read_only": (_read_only, "for reading only"),
    "interrupt": (_interrupted, "KeyboardInterrupt"),
}
# The same where all ranks calibrate.
RUNS: dict[str, tuple[Callable[[nn.Module], dict[str, Any]], str]] = {
    "inputs": (lambda m: {"inputs": (torch.ones(2, 7),)}, "RuntimeError: "),
    "late": (lambda m: _failing_late(m), "RuntimeError: late"),
    "only": FAULTS["only"],
    "forward": FAULTS["forward"],
    "interrupt": (lambda m: _failing_late(m, interrupt=True), "KeyboardInterrupt"),
}
# What is asked of one rank and not of the others; all say that they do not do the same.
DIFFERENT: dict[str, dict[str, Any]] = {
    "no seed": {"seed": None},
    "another seed": {"seed": SEED + 1},
    "another scope": {"scope": "findings"},
    "another policy": {"policy": "orthogonal"},
    "skip": {"skip": "*b.*"},
    "keep": {"overrides": {"*b.weight": "keep"}},
}


def apply_(model: nn.Module, inputs: tuple[Any, ...] = (), **options: Any) -> str:
    """What `apply_` says: its error, or nothing."""
    try:
        initlint.apply_(model, *inputs, **{"seed": SEED, "scope": "all", **options})
    except initlint.InitlintError as error:
        return str(error)
    except KeyboardInterrupt:
        return "KeyboardInterrupt"
    return ""


def materialized(count: int, fault: str) -> tuple[str, nn.Module | None]:
    """What `materialize` says where this fails here, and what it makes."""

    def shard(model: nn.Module) -> None:
        if fault == "shard":
            raise ValueError("no shard")
        fully_shard(model, mesh=init_device_mesh("cpu", (count,)))

    def init(model: nn.Module) -> None:
        if fault == "init":
            raise ValueError("no init")
        if fault == "nan":
            model.gain.data.fill_(math.nan)

    def build() -> nn.Module:
        if fault == "build":
            raise ValueError("no build")
        model = Net()
        if fault == "run":
            _failing(model, ValueError("no run"))
        return model

    options = {"only": "z"} if fault == "only" else {}
    try:
        made = initlint.materialize(
            build, init=init, shard=shard, seed=SEED, scope="all", **options
        )
    except initlint.InitlintError as error:
        return str(error), None
    return "", made


MADE = {
    "build": "ValueError: no build",
    "init": "ValueError: no init",
    "shard": "ValueError: no shard",
    "nan": "not finite",
    "only": "only z: no parameter",
    "run": "ValueError: no run",
}


def values(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: part.local.clone() for name, part in parts_of(model).items()}


def is_same(model: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(value.equal(before[name]) for name, value in values(model).items())


def in_step(count: int) -> bool:
    """Whether the ranks are still in step: an exchange of theirs gives what it should."""
    total = torch.ones(5) * (distributed.get_rank() + 1)
    distributed.all_reduce(total)
    return bool((total == count * (count + 1) / 2).all())


def begin(rank: int, count: int, folder: str) -> None:
    warnings.simplefilter("ignore")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.chdir(folder)
    if not rank:
        Path("zeros").write_bytes(bytes(4096))
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=SECONDS)
    method = f"file://{folder}/meeting"
    distributed.init_process_group(
        "gloo", init_method=method, rank=rank, world_size=count, timeout=limit
    )


def noted(rank: int, count: int, kinds: tuple[str, ...]) -> dict[tuple[str, str], Any]:
    """Of every kind and fault, what this rank is told and holds, and how long it took."""
    found: dict[tuple[str, str], Any] = {}

    def note(kind: str, fault: str, prepare: Any, other: Any = None, **options: Any) -> None:
        faulty = len(found) % count
        model = other() if other and rank == faulty else KINDS[kind](count)
        given = prepare(model) if rank == faulty else {}
        before, began = values(model), time.monotonic()
        message = apply_(model, **{**options, **given})
        seconds = time.monotonic() - began
        found[kind, fault] = faulty, message, is_same(model, before), in_step(count), seconds

    for kind in kinds:
        if kind == "stages":
            found[kind, ""] = stages(rank)
            continue
        for fault, (prepare, _) in FAULTS.items():
            note(kind, fault, prepare)
        for fault, different in DIFFERENT.items() if kind != "replicated" else ():
            note(kind, fault, lambda model, given=different: given)
        if kind != "fsdp":
            continue
        note(kind, "another model", lambda model: {}, lambda: one_layer(count))
        for fault, (prepare, _) in RUNS.items():
            note(kind, f"run: {fault}", prepare, policy="calibrated")
        for fault in MADE:
            faulty, began = len(found) % count, time.monotonic()
            message, made = materialized(count, fault if rank == faulty else "")
            seconds = time.monotonic() - began
            found[kind, f"made: {fault}"] = faulty, message, made is None, in_step(count), seconds
    return found


def stages(rank: int) -> list[str]:
    """Two stages, each cut among two ranks; only those of the first call anything."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("stages", "shards"))["shards"]
    said: list[str] = []
    if rank < 2:
        for options in ({}, {"seed": None}, {"only": "z"} if rank else {}):
            said.append(apply_(fully_shard(Net(), mesh=mesh), **options))

        def shard(model: nn.Module) -> None:
            _raise(ValueError("no shard")) if rank else fully_shard(model, mesh=mesh)

        for fault in ("", "shard", ""):
            cut = shard if fault else lambda model: fully_shard(model, mesh=mesh)
            try:
                initlint.materialize(Net, shard=cut, seed=SEED, scope="all")
                said.append("")
            except initlint.InitlintError as error:
                said.append(str(error))
    if rank == 2:
        # One rank alone, with a model that no other one holds.
        said.append(apply_(Net()))
        initlint.materialize(Net, seed=SEED)
    assert in_step(4)
    return said
