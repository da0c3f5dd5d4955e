"""apply_ and materialize: fill a live model, or build one and fill it, as recommended."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from initlint.pipeline.judged import Options, Report
from initlint.project.arguments import by_name
from initlint.recommend import with_recommendations
from initlint.recommend.variants import preferred
from initlint.records import POLICIES, SCOPES, Initializer, InitlintError, Layer, Preferences
from initlint.safe.strings import strings
from initlint.tracing.alone import alone
from initlint.tracing.needs import need_torch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from initlint.fill.apply import Choice, Known, Progress
    from initlint.fill.journal import Journal
    from initlint.fill.materialize import Skeleton
    from initlint.fill.overrides import Overrides
    from initlint.fill.present import Present
    from initlint.fill.scope import Scope
    from initlint.fill.undo import Copies


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The checked arguments of apply_ and materialize: which weights to fill, and how."""

    seed: int
    only: Sequence[str] | None
    skip: Sequence[str] | None
    policy: str
    scope: str
    overrides: Overrides = ()


def _wanted(
    seed: object, only: object, skip: object, policy: str, scope: str, overrides: object = None
) -> _Wanted:
    """The arguments, checked; without a seed, one is drawn."""
    from initlint.fill.apply import agreed_seed
    from initlint.fill.given import choice_of, seed_of
    from initlint.fill.overrides import overrides_of

    patterns = strings("only", only), strings("skip", skip)
    chosen = choice_of("policy", policy, POLICIES), choice_of("scope", scope, SCOPES)
    others = overrides_of(overrides)
    return _Wanted(agreed_seed() if seed is None else seed_of(seed), *patterns, *chosen, others)


def apply_(
    model: nn.Module,
    *inputs: Any,
    seed: int | None = None,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    policy: str = "following",
    scope: str = "findings",
    overrides: Mapping[str, Any] | None = None,
) -> Report:
    """Repair the initialisation of `model` in place, on each parameter's own device and dtype.

    Weights that nothing wrote, and those with a finding, get the initialiser that their following
    activation needs, and their biases become zero where they hold PyTorch's default. Everything
    else stays. `report.outcomes` says of every parameter and buffer what was done with it and why;
    uninitialised memory that nothing fills is an error that names it.

    `scope`: findings is that. recommended also fills layers that hold PyTorch's default where
    another initialiser is recommended. all overwrites every layer that has a recommendation, loaded
    weights too. In all scopes these stay: embeddings, layers that cannot be analysed, recurrent
    weights, biases that were set on purpose, and parameters that share memory with another one
    (docs/apply.md has the whole list).

    `seed`: the same seed gives the same weights, bit for bit, on any number of ranks and under any
    sharding (FSDP2, FSDP1 with `use_orig_params`, tensor parallel, replicas), and torch's random
    state stays as it is. A CPU and a GPU draw different bits. Without `seed`, one is drawn from
    torch's default generator.

    `only` and `skip`: one or several shell patterns for names of parameters (biases too) or
    modules.

    `overrides`: shell patterns, each with an initialiser for the parameters that it names: a
    function of torch.nn.init or its name, a pair of name and arguments, a std, or "keep".

    `policy`: following draws as recommended. orthogonal makes the matrices orthogonal, with the
    same std. calibrated then also runs the model once, on `inputs` or else on Gaussian noise, and
    sets the scale and the bias of each layer from the data that reaches it (docs/apply.md).

    The report's layers have the expected std in `recommended.std`, the measured one in
    `current.std`. Raises InitlintError if the model cannot be captured, filled or calibrated;
    the model is then unchanged, as it is after an interrupt.
    """
    need_torch("filling a model")
    from initlint.fill.given import model_of
    from initlint.fill.undo import drawing_undone

    with drawing_undone(seed):
        return _begun(model_of(model), inputs, _wanted(seed, only, skip, policy, scope, overrides))


def materialize(
    build: nn.Module | Callable[..., nn.Module],
    *inputs: Any,
    device: str | torch.device = "cpu",
    seed: int | None = None,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    policy: str = "following",
    scope: str = "findings",
    overrides: Mapping[str, Any] | None = None,
    args: Mapping[str, Any] | None = None,
    init: Callable[[nn.Module], object] | None = None,
    shard: Callable[[nn.Module], object] | None = None,
) -> nn.Module:
    """A model on `device`, built without memory and filled once.

    Weights are filled as by `apply_` with this `scope`. Everything else (buffers, normalisations,
    embeddings, tables, layers without a finding) gets the values that the constructor's own code
    gives it.

    `build` is a class or a function that returns a model, called with `args` on the meta device.
    It may also be a model on the meta device, `fully_shard`ed or not. Then `reset_parameters` of
    its parts is called; tensors that none of them fills are an error that names them, and tensors
    that have memory already (loaded weights, for example) keep their values.

    `init` is a function that initialises the model, called after construction as if every tensor
    had memory: `lambda model: model.init_weights()`. Without it, a model on the meta device that
    has a method `init_weights` without arguments is initialised by that. What it writes counts as
    meant. `shard` is a function that shards the model in place (`fully_shard`, tensor parallel);
    then each rank makes only its own part.

    The same `seed` gives the same weights as `apply_`, and the same random numbers in the
    constructor. Memory: the model, and what the constructor makes of one tensor at a time. A
    constructor that needs values, which the meta device does not have, is called on `device`.
    Raises InitlintError if the model cannot be built, captured or filled.
    """
    need_torch("building a model")
    from initlint.fill.given import builder_of, device_of
    from initlint.fill.undo import drawing_undone

    build, device = builder_of(build), device_of(device)
    with drawing_undone(seed):
        wanted = _wanted(seed, only, skip, policy, scope, overrides)
        ways = _Ways(device, by_name(args), init, shard)
        return _materialized(build, inputs, ways, wanted)[0]


@dataclass(frozen=True, slots=True)
class _Ways:
    """How materialize makes a model: where, with which arguments, and what is called on it."""

    device: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    init: Callable[[nn.Module], object] | None = None
    shard: Callable[[nn.Module], object] | None = None

    def sharded(self, model: nn.Module) -> nn.Module:
        """The model, sharded if that is asked for; what the user's function returns, if a model."""
        from torch import nn

        found = self.shard(model) if self.shard is not None else model
        return found if isinstance(found, nn.Module) else model


def apply_target(
    target: str, options: Options, *, out: str | None = None, **keywords: Any
) -> Report:
    """`apply_here` in a separate process, because the target's code may end the process.

    The file `out` is replaced as a whole after everything else has succeeded, or stays as it was.
    """
    from initlint.fill.save import replacing
    from initlint.pipeline.apart import filled_apart

    if out is None:
        return filled_apart(apply_here, target, options, **keywords)
    with replacing(out) as new:
        return filled_apart(apply_here, target, options, out=new, **keywords)


def apply_here(
    target: str,
    options: Options,
    *,
    device: str = "cpu",
    seed: int | None = None,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    policy: str = "following",
    scope: str = "findings",
    force: bool = False,
    out: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build `target` on `device`, initialise it as `apply_` does, and save its state to `out`.

    `seed` decides everything that is drawn, in the constructor, too. Raises InitlintError if the
    constructor loaded weights that would be overwritten, unless `force`. `out` is a new file in the
    safetensors format.
    """
    need_torch("building a model")
    from initlint.fill.given import device_of
    from initlint.tracing.foreign import foreign

    device, wanted = device_of(device), _wanted(seed, only, skip, policy, scope)
    with _one_line(target), foreign():
        model, report = _applied_target(target, options, device, wanted, force, progress)
        if out is not None:
            from initlint.fill.save import save_weights

            save_weights(model, out)
    named = tuple(replace(layer, model=target) for layer in report.layers)
    return replace(report, layers=named)


def _applied_target(
    target: str,
    options: Options,
    device: str,
    wanted: _Wanted,
    force: bool,
    progress: Progress | None,
) -> tuple[nn.Module, Report]:
    from initlint.fill.apply import is_wanted
    from initlint.tracing import build

    built = build.build(target, options.arguments)
    loaded = built.recorder.loaded(built.model) if built.recorder and not force else ()
    loaded = tuple(name for name in loaded if is_wanted([name], wanted.only, wanted.skip))
    if loaded:
        raise InitlintError(
            f"{target}: {len(loaded)} parameters were loaded from a file ({loaded[0]}, …) and "
            "would be overwritten; keep them with --skip, or give --force"
        )
    if built.factory is None:
        model = built.model.to(device)
        return model, _begun(model, options.inputs, wanted, progress)
    return _materialized(built.factory, options.inputs, _Ways(device), wanted, progress)


@contextlib.contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Turn exceptions of the user's code, and of torch because of it, into InitlintError."""
    from initlint.tracing.build import described, where

    try:
        yield
    except InitlintError:
        raise
    except Exception as error:
        reason = f"{where(error, name)}: cannot be initialised: {described(error)}"
        raise InitlintError(reason) from error


def _begun(
    model: nn.Module, inputs: Sequence[Any], wanted: _Wanted, progress: Progress | None = None
) -> Report:
    """`apply_` with a given seed: looks at the values, fills what is to be filled."""
    from initlint.fill.present import present_in
    from initlint.tracing.foreign import kind_of

    with _one_line(kind_of(model)):
        present = present_in(model)
    return _applied(model, inputs, wanted, present, progress)


# The lock is taken only here: ranks that are threads must first agree together on a seed, and on
# what their shards hold.
@alone
def _applied(
    model: nn.Module,
    inputs: Sequence[Any],
    wanted: _Wanted,
    present: Mapping[str, Present],
    progress: Progress | None = None,
) -> Report:
    """Fills all chosen weights, or changes nothing."""
    from initlint.fill.undo import all_or_nothing, same_random_state
    from initlint.tracing.foreign import contained, foreign, kind_of

    with _one_line(kind_of(model)), foreign(), same_random_state(model):
        layers, known = _layers(model, inputs, wanted, present)
        choice = _chosen(model, layers, wanted, known)
        _refuse_unwritten(model, choice, wanted, known.scope)
        with all_or_nothing() as copies, contained():
            return _filled(model, inputs, layers, choice, wanted, copies, known.scope, progress)


def _chosen(model: nn.Module, layers: Sequence[Layer], wanted: _Wanted, known: Known) -> Choice:
    """What is to be filled, and with what."""
    from initlint.fill.apply import choose, refuse_idle
    from initlint.fill.overrides import overridden

    named = [pattern for pattern, _ in wanted.overrides]
    refuse_idle(model, {"overrides": named}, [layer.parameter for layer in layers])
    choice = choose(model, layers, wanted.seed, wanted.only, wanted.skip, known)
    return overridden(model, choice, wanted.overrides, wanted.seed, known.scope)


def _refuse_unwritten(model: nn.Module, choice: Choice, wanted: _Wanted, scope: Scope) -> None:
    """Raise for parameters and buffers with memory that nothing wrote, and that nothing fills."""
    from initlint.fill.apply import is_wanted, names_of
    from initlint.fill.shards import parts_of

    names, parts = names_of(model), parts_of(model)
    asked = (
        name
        for name, part in parts.items()
        if not part.local.is_meta and is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
    )
    scope.refuse_unwritten(choice.sources, asked)


def _filled(
    model: nn.Module,
    inputs: Sequence[Any],
    layers: Sequence[Layer],
    choice: Choice,
    wanted: _Wanted,
    copies: Copies,
    scope: Scope,
    progress: Progress | None = None,
) -> Report:
    """Fill the chosen parameters by the policy, and report."""
    from initlint.fill.apply import fill_
    from initlint.fill.outcomes import report_on

    if wanted.policy == "calibrated":
        from initlint.fill.calibrate import calibrate_

        calibrate_(model, choice, inputs, wanted.seed, copies)
    else:
        fill_(model, choice, copies, progress)
    return report_on(model, layers, choice, scope.present)


@alone
def _materialized(
    build: Any,
    inputs: Sequence[Any],
    ways: _Ways,
    wanted: _Wanted,
    progress: Progress | None = None,
) -> tuple[nn.Module, Report]:
    """The model that `materialize` returns, and the report on how its weights were filled."""
    from initlint.tracing.foreign import foreign

    with _one_line(_name_of(build)), foreign():
        return _made(build, inputs, ways, wanted, progress)


def _made(
    build: Any,
    inputs: Sequence[Any],
    ways: _Ways,
    wanted: _Wanted,
    progress: Progress | None,
) -> tuple[nn.Module, Report]:
    import torch

    from initlint.fill.materialize import fill_rest, on_meta_again
    from initlint.fill.present import present_in
    from initlint.fill.shards import parts_of
    from initlint.fill.undo import Copies

    seed, live = wanted.seed, isinstance(build, torch.nn.Module)
    rebuild = None if live else functools.partial(_built, build, ways.arguments, "cpu", seed)
    skeleton = _skeleton(build, ways)
    if skeleton is None:
        model = _built(build, ways.arguments, ways.device, seed)
        if ways.init is not None:
            with torch.no_grad():
                ways.init(model)
        model = ways.sharded(model)
        return model, _applied(model, inputs, wanted, present_in(model), progress)
    present = present_in(skeleton.model, skeleton.journal)
    layers, known = _layers(skeleton.model, inputs, wanted, present, rebuild, skeleton.journal)
    choice = _chosen(skeleton.model, layers, wanted, known)
    model = skeleton.original
    if live:
        empty = {name for name, part in parts_of(model).items() if part.local.is_meta}
        choice = choice.among(empty)
    _refuse_unwritten(skeleton.model, choice, wanted, known.scope)
    with on_meta_again(model):
        fill_rest(model, skeleton, choice, seed, torch.device(ways.device))
        # Tensors without memory have no values to copy back.
        copies = Copies(needed=False)
        scope = known.scope
        return model, _filled(model, inputs, layers, choice, wanted, copies, scope, progress)


def _skeleton(build: Any, ways: _Ways) -> Skeleton | None:
    """The model on the meta device, with the record of what initialises it; None if it cannot."""
    from torch import nn

    from initlint.fill.materialize import (
        Skeleton,
        constructed,
        follow_convention,
        reset,
        sharded,
    )
    from initlint.fill.twins import traceable

    live = isinstance(build, nn.Module)
    if live and not any(part.is_meta for part in (*build.parameters(), *build.buffers())):
        raise InitlintError("no parameter is on the meta device: use apply_, which overwrites")
    skeleton = (
        Skeleton(traceable(build), built=build) if live else constructed(build, ways.arguments)
    )
    if skeleton is None:
        return None
    if live:
        reset(skeleton)
    if live or ways.init is not None:
        follow_convention(skeleton, ways.init)
    return skeleton if ways.shard is None else sharded(skeleton, ways.shard)


def _layers(
    model: nn.Module,
    inputs: Sequence[Any],
    wanted: _Wanted,
    present: Mapping[str, Present],
    rebuild: Callable[[], nn.Module] | None = None,
    journal: Journal | None = None,
) -> tuple[tuple[Layer, ...], Known]:
    """The layers of a live model, each with the policy's recommendation, and facts for `choose`."""
    from initlint.fill.apply import Known
    from initlint.fill.held import Held
    from initlint.fill.products import Products, products_of
    from initlint.fill.recipes import with_recipes
    from initlint.fill.scope import Scope, with_present
    from initlint.fill.twins import traceable
    from initlint.tracing.build import Built
    from initlint.tracing.foreign import kind_of
    from initlint.tracing.layers import graphs_of, layers_of_graphs
    from initlint.tracing.unchanged import unchanged

    if not _is_open(model, wanted, present):
        known = Known(
            Products(frozenset(), {}, {}), Held(model, journal), Scope(wanted.scope, present, ())
        )
        return (), known
    whole = traceable(model)
    built = Built(kind_of(model), whole, None, rebuild)
    # Reading the weight of a parametrised module computes it, and may write to its buffers.
    with unchanged(whole):
        graphs = graphs_of(built, inputs)
        layers = layers_of_graphs(built, graphs)
        products = products_of(whole, graphs)
    layers = with_present(layers, present)
    known = Known(products, Held(model, journal), Scope(wanted.scope, present, layers))
    alive = tuple(known.alive(layer) for layer in layers)
    return _recommended(with_recipes(with_recommendations(alive), graphs), wanted.policy), known


def _is_open(model: nn.Module, wanted: _Wanted, present: Mapping[str, Present]) -> bool:
    """Whether the graph has anything to decide: some weight is asked for and may be filled."""
    from initlint.fill.apply import is_wanted, matches, names_of

    named = [pattern for pattern, _ in wanted.overrides]
    names = names_of(model)

    def is_open(name: str, value: torch.Tensor) -> bool:
        every = names.get(name, [name])
        if not value.requires_grad or any(matches(one, named) for one in every):
            return False
        meant = wanted.scope != "all" and name in present and present[name].is_meant
        return not meant and is_wanted(every, wanted.only, wanted.skip)

    return any(is_open(name, value) for name, value in model.named_parameters())


def _recommended(layers: tuple[Layer, ...], policy: str) -> tuple[Layer, ...]:
    """The layers, each with its recommendation as the policy has it."""
    from initlint.fill.orthogonal import matrices_of

    if policy == "following":
        return layers
    if policy == "calibrated":
        layers = tuple(map(_before_calibration, layers))
    orthogonal = Preferences(distribution="orthogonal")
    return tuple(preferred([x], orthogonal)[0] if matrices_of(x) else x for x in layers)


def _before_calibration(layer: Layer) -> Layer:
    """The layer with the initialiser that calibration starts from.

    It differs from the recommended one in two cases. The last layer of a residual branch without
    normalisation gets 1/branches of the variance, instead of zero: then all branches together at
    most double the variance of the stream (Hanin and Rolnick 2018, arXiv 1803.01719). A layer whose
    result is normalised keeps the scale of PyTorch's default: a larger one would only divide the
    learning rate.
    """
    if not layer.recommended or not layer.fan_in:
        return layer
    if layer.branch == "last":
        std = 1 / math.sqrt(layer.fan_in * max(1, layer.branches))
        reason = "variance 1/branches: all branches add at most the stream's variance"
    elif "norm" in layer.following.via:
        std = 1 / math.sqrt(3 * layer.fan_in)
        reason = "a normalisation cancels the scale: PyTorch's default"
    else:
        return layer
    found = Initializer("normal_", {"std": std}, std, reason=reason)
    return replace(layer, recommended=found)


def _built(build: Any, arguments: Mapping[str, Any], device: str, seed: int) -> nn.Module:
    """A model built on `device` with values; `seed` decides its random numbers."""
    import torch

    from initlint.tracing.build import construct

    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        # Torch's seeds have 64 bits.
        torch.manual_seed(seed % 2**64)
        return construct(build, _name_of(build), arguments, device).model


def _name_of(build: Any) -> str:
    """The name of a class, a function or a model in messages."""
    from initlint.tracing.foreign import asked, kind_of

    name = asked(lambda: build.__qualname__, None)
    return name if isinstance(name, str) else kind_of(build)
