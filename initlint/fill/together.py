"""All ranks of a model, or none: each is told where another fails, before it would wait for it."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from initlint.fill.blocks import Source
from initlint.fill.meeting import TOLD, Meeting
from initlint.fill.shards import flat_parts, tensors_of
from initlint.fill.twins import is_sharded
from initlint.records import InitlintError
from initlint.tracing.build import described

T = TypeVar("T")
# What a rank says instead of a step, where it has failed.
_FAILED = "failed"


class Together:
    """The processes that hold a model, or copies of it: all of them go on, or none does.

    Before they exchange anything, and at the end, they `agree`: each says that it is well, and what
    comes next. A rank that fails says so where the others agree the next time. So no rank waits for
    one that will not come, and no exchange is left half done. Processes that hold nothing of the
    model are not asked; without such groups nothing is exchanged.
    """

    def __init__(self, model: nn.Module | None = None, made: str = "") -> None:
        """`made` is the name of a model that is still to be made or sharded."""
        self._groups = [] if model is None else _groups(model)
        unknown = bool(made) and not self._groups and bool(_everyone())
        self._meeting = Meeting(made) if unknown else None
        # Whether all know already how it ends, or cannot be told.
        self._over = False

    def agree(self, step: str, detail: str = "", last: bool = False) -> None:
        """Go on to the next `step`, as all ranks do; every rank must ask.

        Raises InitlintError if a rank has failed, or goes on to another step, or to the same one
        with another `detail`. After the `last` step nobody is told anything any more.
        """
        if not self._groups or self._over:
            return
        self._over = True
        try:
            failed, differ = self._round(step, detail)
            said = self._gathered((torch.distributed.get_rank(), step, "")) if failed else []
            steps = self._gathered((torch.distributed.get_rank(), step, "")) if differ else []
        except Exception as error:
            raise InitlintError(f"another rank does not answer: {described(error)}") from error
        if failed:
            raise InitlintError(_told(said))
        if differ:
            raise InitlintError(_differing(steps))
        self._over = last

    def meet(self, model: nn.Module) -> None:
        """Once the model is made: from now on, these are its ranks."""
        if self._meeting is not None:
            groups = _groups(model)
            self._meeting.wait([group for group, _ in groups])
            self._groups, self._meeting = groups, None

    @contextlib.contextmanager
    def exchange(self, step: str, detail: str = "") -> Iterator[None]:
        """Agree, and exchange something with the other ranks."""
        self.agree(step, detail)
        try:
            yield
        except Exception:
            # The others may be waiting in the middle of it: they cannot be told.
            self._over = True
            raise

    def everyones(self, step: str, mine: T) -> list[T]:
        """What all ranks give, some of it more than once."""
        known = [mine]
        with self.exchange(step):
            for group, _ in self._groups:
                every: list[Any] = [None] * torch.distributed.get_world_size(group)
                torch.distributed.all_gather_object(every, known, group=group)
                known = [one for some in every for one in some]
        return known

    def end(self) -> None:
        """Agree that all of it is done: nobody is told of what is raised afterwards."""
        self.agree("return", last=True)

    def leave(self, error: BaseException) -> None:
        """Tell the other ranks that this one has failed, unless they know how it ends."""
        reason = str(error) if isinstance(error, InitlintError) else described(error)
        if self._meeting is not None:
            with contextlib.suppress(Exception):
                self._meeting.failed(reason)
        if not self._groups or self._over:
            return
        self._over = True
        with contextlib.suppress(Exception):
            self._round(_FAILED, "")
            self._gathered((torch.distributed.get_rank(), _FAILED, reason))

    def seed(self) -> int:
        """A seed from torch's default generator; that of the first rank where there are several.

        Where nobody knows which processes hold the model, all of the job take part.
        """
        seed = torch.randint(2**62, (), device="cpu")
        with self.exchange("agree on a seed"):
            for group, device in self._groups or _everyone():
                seed = seed.to(device)
                torch.distributed.broadcast(seed, _first(group), group=group)
        return int(seed)

    def _round(self, step: str, detail: str) -> tuple[bool, bool]:
        """Whether any rank has failed, and whether two of those that have not go on differently.

        Groups are asked in turn: what one dimension of a mesh has heard, the next one hears.
        """
        is_well = step != _FAILED
        number = zlib.crc32(f"{step} {detail}".encode()) if is_well else -(2**40)
        # The largest number that any rank has said, and the least.
        most, least = number, number if is_well else 2**40
        failed = 0 if is_well else 1
        for group, device in self._groups:
            said = torch.tensor([failed, most, -least], device=device)
            torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX, group=group)
            failed, most, least = said.tolist()
            least = -least
        return bool(failed), not failed and most != least

    def _gathered(self, mine: tuple[int, str, str]) -> list[tuple[int, str, str]]:
        """What every rank says: its number, its next step, and why it has failed."""
        known = {mine}
        for group, _ in self._groups:
            every: list[Any] = [None] * torch.distributed.get_world_size(group)
            torch.distributed.all_gather_object(every, known, group=group)
            known = known.union(*every)
        return sorted(known)


@contextlib.contextmanager
def together(model: Any, made: str = "") -> Iterator[Together]:
    """The ranks of a model; if anything is raised here, the others are told.

    `made` is the name of a model that is still to be made or sharded.
    """
    ranks = Together(model if isinstance(model, nn.Module) else None, made)
    try:
        yield ranks
    except BaseException as error:
        ranks.leave(error)
        raise


def shared_draws(model: nn.Module, sources: Mapping[str, Source]) -> str:
    """What is drawn for the parameters that are cut among ranks: all must draw the same."""
    if not is_sharded(model):
        return ""
    from torch.distributed.tensor import DTensor

    flat = {id_ for id_, _ in flat_parts(model)}
    tensors = tensors_of(model)
    return " ".join(
        f"{name} {source.seed} {source.distribution} {source.std:.6g} {source.mean:.6g}"
        for name, source in sorted(sources.items())
        if id(tensors[name]) in flat or isinstance(tensors[name].data, DTensor)
    )


def _told(said: list[tuple[int, str, str]]) -> str:
    failed = [(rank, why) for rank, step, why in said if step == _FAILED]
    rank, why = failed[0]
    others = f" (and {len(failed) - 1} more ranks)" if len(failed) > 1 else ""
    return f"{TOLD} {rank}{others}: {why}"


def _differing(said: list[tuple[int, str, str]]) -> str:
    first, step, _ = said[0]
    other = next(((rank, its) for rank, its, _ in said if its != step), None)
    what = (
        f"rank {first} would {step}, and rank {other[0]} would {other[1]}"
        if other
        else f"each would {step}, but not with the same weights"
    )
    return f"the ranks do not do the same: {what}; give all of them the same model and arguments"


def _everyone() -> list[tuple[Any, str]]:
    """The group of all processes of a job, if there is one."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return []
    return [(None, "cuda" if torch.distributed.get_backend() == "nccl" else "cpu")]


def _first(group: Any) -> int:
    return 0 if group is None else torch.distributed.get_global_rank(group, 0)


def _groups(model: nn.Module) -> list[tuple[Any, str]]:
    """The groups of processes among which a model is cut or copied, each with its device."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return []
    found: dict[int, tuple[Any, str]] = {}
    if is_sharded(model):
        for _, part in flat_parts(model):
            found.setdefault(id(part.group), (part.group, part.local.device.type))
        found |= _of_meshes(model)
    for module in model.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            group = module.process_group
            found.setdefault(id(group), (group, next(module.parameters()).device.type))
    return list(found.values())


def _of_meshes(model: nn.Module) -> dict[int, tuple[Any, str]]:
    from torch.distributed.tensor import DTensor

    meshes = [p.data.device_mesh for p in model.parameters() if isinstance(p.data, DTensor)]
    groups = [(m.get_group(place), m.device_type) for m in meshes for place in range(m.ndim)]
    return {id(group): (group, device) for group, device in groups}
