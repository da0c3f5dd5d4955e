"""From a live model, or from what builds one, to a filled model and the report on it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlint.fill.apply import Choice, Progress, fill_
from initlint.fill.calibrate import calibrate_
from initlint.fill.followers import follow, with_copied, with_followers
from initlint.fill.given import Wanted, Ways
from initlint.fill.materialize import fill_rest, on_meta_again, refuse_broken
from initlint.fill.normed import renorm
from initlint.fill.outcomes import report_on
from initlint.fill.planning import chosen, layers_and_facts, refuse_unwritten
from initlint.fill.present import (
    Present,
    has_learned,
    present_in,
    with_few_draws,
    with_unwritten,
)
from initlint.fill.scope import Scope, behind_kept
from initlint.fill.shards import parts_of
from initlint.fill.skeleton import (
    Init,
    Skeleton,
    constructed,
    follow_convention,
    reset,
    seed_everything,
    sharded,
)
from initlint.fill.stages import refuse_strangers, whole_of
from initlint.fill.together import Together, shared_draws
from initlint.fill.twins import traceable
from initlint.fill.undo import Copies, all_or_nothing, same_random_state
from initlint.pipeline.asked import Report
from initlint.records import InitlintError, Layer
from initlint.tracing.alone import alone
from initlint.tracing.build import construct, described, where
from initlint.tracing.foreign import asked, contained, foreign, interrupts_noted, kind_of
from initlint.tracing.walks import refuse_strange


@contextlib.contextmanager
def one_line(name: str) -> Iterator[None]:
    """Turn exceptions of the user's code, and of torch because of it, into InitlintError."""

    try:
        with interrupts_noted(), contained():
            yield
    except InitlintError:
        raise
    except Exception as error:
        reason = f"{where(error, name)}: cannot be initialised: {described(error)}"
        raise InitlintError(reason) from error


def begun(
    model: nn.Module,
    inputs: Sequence[Any],
    wanted: Wanted,
    ranks: Together,
    progress: Progress | None = None,
) -> Report:
    """`apply_` with a given seed: looks at the values, fills what is to be filled."""

    with one_line(kind_of(model)):
        refuse_strange(model)
        whole = None if wanted.whole is None else whole_of(wanted.whole)
        if whole is not None:
            refuse_strangers(model, whole)
        wanted = replace(wanted, whole=whole)
        present = present_in(model, None, whole.model if whole else None, ranks)
        if whole is not None and has_learned(whole.model, whole.present):
            present = with_few_draws(present)
    return _applied(model, inputs, wanted, present, ranks, progress)


# The lock is taken only here: ranks that are threads must first agree together on a seed, and on
# what their shards hold.
@alone
def _applied(
    model: nn.Module,
    inputs: Sequence[Any],
    wanted: Wanted,
    present: Mapping[str, Present],
    ranks: Together,
    progress: Progress | None = None,
) -> Report:
    """Fills all chosen weights, or changes nothing."""

    with one_line(kind_of(model)), foreign(), same_random_state(model):
        layers, known = layers_and_facts(model, inputs, wanted, present, ranks)
        choice = with_followers(model, chosen(model, layers, wanted, known), wanted, ranks)
        refuse_unwritten(model, choice, wanted, known.scope)
        ranks.agree("fill weights", shared_draws(model, choice.sources))
        with all_or_nothing(ranks.end) as copies, contained():
            scope = known.scope
            return _filled(model, inputs, layers, choice, wanted, copies, scope, ranks, progress)


def _filled(
    model: nn.Module,
    inputs: Sequence[Any],
    layers: Sequence[Layer],
    choice: Choice,
    wanted: Wanted,
    copies: Copies,
    scope: Scope,
    ranks: Together,
    progress: Progress | None = None,
) -> Report:
    """Fill the chosen parameters by the policy, and report."""

    if wanted.policy == "calibrated" and choice.sources:
        behind = behind_kept(layers, choice.sources, scope)
        calibrate_(model, choice, inputs, wanted.seed, copies, behind, ranks)
        if choice.followers:
            # The run has met the copies with the values that they had.
            follow(model, choice.followers, copies)
            calibrate_(model, choice, inputs, wanted.seed, copies, behind, ranks)
    else:
        fill_(model, choice, copies, progress)
    renorm(model, choice.sources, copies)
    follow(model, choice.followers, copies)
    return report_on(model, layers, choice, scope, wanted.policy)


@alone
def materialized(
    build: Any,
    inputs: Sequence[Any],
    ways: Ways,
    wanted: Wanted,
    ranks: Together,
    progress: Progress | None = None,
) -> tuple[nn.Module, Report]:
    """The model that `materialize` returns, and the report on how its weights were filled."""

    with one_line(name_of(build)), foreign():
        return _made(build, inputs, ways, wanted, ranks, progress)


def _made(
    build: Any,
    inputs: Sequence[Any],
    ways: Ways,
    wanted: Wanted,
    ranks: Together,
    progress: Progress | None,
) -> tuple[nn.Module, Report]:
    seed, live = wanted.seed, isinstance(build, nn.Module)
    rebuild = None if live else functools.partial(_built, build, ways.arguments, "cpu", seed)
    skeleton = _skeleton(build, ways, seed)
    if skeleton is None:
        model = ways.sharded(_built(build, ways.arguments, ways.device, seed, ways.init))
        ranks.meet(model)
        present = with_unwritten(present_in(model, ranks=ranks), ways.unwritten)
        return model, _applied(model, inputs, wanted, present, ranks, progress)
    ranks.meet(skeleton.original)
    present = present_in(skeleton.model, skeleton.journal)
    real = {name for name, part in parts_of(skeleton.model).items() if not part.local.is_meta}
    present = with_unwritten(present, ways.unwritten & real)
    layers, known = layers_and_facts(
        skeleton.model, inputs, wanted, present, ranks, rebuild, skeleton.journal
    )
    choice = chosen(skeleton.model, layers, wanted, known)
    model = skeleton.original
    # What the constructor left in memory may be unwritten.
    there = skeleton.with_values() - (set() if live else real)
    choice = choice.among(parts_of(model).keys() - there)
    refuse_unwritten(skeleton.model, choice, wanted, known.scope, ways.unwritten)
    choice = with_copied(skeleton, choice, wanted)
    ranks.agree("give the model memory", shared_draws(model, choice.sources))
    with on_meta_again(model):
        made = fill_rest(model, skeleton, choice, seed, torch.device(ways.device))
        refuse_broken(model, made, wanted)
        # Tensors without memory have no values to copy back.
        copies = Copies(needed=False)
        scope = known.scope
        if wanted.policy == "calibrated":
            # The run changes weights of which construction has made copies.
            fill_(model, choice, copies)
            choice = with_followers(model, choice, wanted, ranks)
        report = _filled(model, inputs, layers, choice, wanted, copies, scope, ranks, progress)
        ranks.end()
        return model, report


def _skeleton(build: Any, ways: Ways, seed: int) -> Skeleton | None:
    """The model on the meta device, with the record of what initialises it; None if it cannot."""

    live = isinstance(build, nn.Module)
    if live:
        refuse_strange(build)
    if live and not any(part.is_meta for part in (*build.parameters(), *build.buffers())):
        raise InitlintError(
            "no parameter is on the meta device, so there is nothing to fill: use apply_"
        )
    skeleton = (
        Skeleton(traceable(build), built=build)
        if live
        else constructed(build, ways.arguments, seed)
    )
    if skeleton is None:
        return None
    refuse_strange(skeleton.model)
    if live:
        reset(skeleton)
    try:
        if live or ways.init is not None:
            follow_convention(skeleton, ways.init)
    except Exception:
        # One that needs values is called again where there are some; what is broken, breaks again.
        if live:
            raise
        return None
    return skeleton if ways.shard is None else sharded(skeleton, ways.shard)


def _built(
    build: Any, arguments: Mapping[str, Any], device: str, seed: int, init: Init | None = None
) -> nn.Module:
    """A model built on `device` with values, on which `init` is called.

    `seed` decides its random numbers.
    """

    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        seed_everything(seed)
        model = construct(build, name_of(build), arguments, device).model
        if init is not None:
            with torch.no_grad():
                init(model)
        return model


def name_of(build: Any) -> str:
    """The name of a class, a function or a model in messages."""

    name = asked(lambda: build.__qualname__, None)
    return name if isinstance(name, str) else kind_of(build)
