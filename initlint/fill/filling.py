"""apply_ and materialize: fill a live model, or build one and fill it, as recommended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from initlint.pipeline.asked import Options, Report
from initlint.project.arguments import by_name
from initlint.project.targets import of_model
from initlint.records import InitlintError
from initlint.tracing.needs import need_torch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from initlint.fill.apply import Progress
    from initlint.fill.given import Wanted
    from initlint.fill.together import Together
    from initlint.tracing.build import Built

_Model = TypeVar("_Model", bound="nn.Module")


def apply_(
    model: nn.Module,
    *inputs: Any,
    seed: int | None = None,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    policy: str = "following",
    scope: str = "findings",
    overrides: Mapping[str, Any] | None = None,
    forget_bias: float | None = None,
    whole: nn.Module | Callable[[], nn.Module] | None = None,
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

    `forget_bias`: LSTMs' biases of PyTorch's default become this number for the forget gates, and
    zero for the others.

    `whole`: the model that `model` is a pipeline stage of, or a class or function without arguments
    that makes it. Then what follows a layer is looked up in the whole model (`inputs` are its
    inputs), and the stage gets the same weights that the whole model would. Its parameters must
    have the names that they have there.

    `policy`: following draws as recommended. orthogonal makes the matrices orthogonal, with the
    same std. calibrated then also runs the model once, on `inputs` or else on Gaussian noise, and
    sets the scale and the bias of each layer from the data that reaches it (docs/apply.md).

    The report's layers have the expected std in `recommended.std`, the measured one in
    `current.std`. Raises InitlintError if the model cannot be captured, filled or calibrated;
    the model is then unchanged, as it is after an interrupt.
    """
    need_torch("filling a model")
    from initlint.fill.given import model_of, wanted_of
    from initlint.fill.making import begun
    from initlint.fill.together import together
    from initlint.fill.undo import drawing_undone

    with drawing_undone(seed), together(model_of(model)) as ranks:
        wanted = wanted_of(ranks, seed, only, skip, policy, scope, overrides, whole, forget_bias)
        return begun(model, inputs, wanted, ranks)


def materialize(
    build: _Model | Callable[..., _Model],
    *inputs: Any,
    device: str | torch.device = "cpu",
    seed: int | None = None,
    only: str | Iterable[str] | None = None,
    skip: str | Iterable[str] | None = None,
    policy: str = "following",
    scope: str = "findings",
    overrides: Mapping[str, Any] | None = None,
    forget_bias: float | None = None,
    args: Mapping[str, Any] | None = None,
    init: Callable[[nn.Module], object] | None = None,
    shard: Callable[[nn.Module], object] | None = None,
) -> _Model:
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
    from initlint.fill.given import (
        Ways,
        builder_of,
        device_of,
        function_of,
        values_wanted,
        wanted_of,
    )
    from initlint.fill.making import materialized, name_of
    from initlint.fill.together import together
    from initlint.fill.undo import drawing_undone

    with drawing_undone(seed), together(builder_of(build), name_of(build)) as ranks:
        wanted = wanted_of(
            ranks, seed, only, skip, policy, scope, overrides, forget_bias=forget_bias
        )
        init, shard = function_of("init", init), function_of("shard", shard)
        ways = Ways(device_of(device), by_name(args), init, shard)
        with values_wanted(ways.device):
            return cast("_Model", materialized(build, inputs, ways, wanted, ranks)[0])


def apply_target(
    target: str, options: Options, *, out: str | None = None, **keywords: Any
) -> Report:
    """`apply_here` in a separate process, because the target's code may end the process.

    The file `out` is replaced as a whole after everything else has succeeded, or stays as it was.
    """
    from initlint.fill.save import replacing
    from initlint.pipeline.apart import called_apart

    # An ill-formed target is told so before a process imports torch.
    of_model(target)
    if out is None:
        return called_apart(apply_here, target, options, **keywords)
    with replacing(out) as new:
        return called_apart(apply_here, target, options, out=new, **keywords)


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
    forget_bias: float | None = None,
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
    from initlint.fill.given import device_of, wanted_of
    from initlint.fill.making import one_line
    from initlint.fill.together import Together
    from initlint.tracing.foreign import foreign

    # In a process of its own.
    ranks = Together()
    device = device_of(device)
    wanted = wanted_of(ranks, seed, only, skip, policy, scope, forget_bias=forget_bias)
    with one_line(target), foreign():
        model, report = _applied_target(target, options, device, wanted, ranks, force, progress)
        if out is not None:
            from initlint.fill.save import save_weights

            save_weights(model, out)
    named = tuple(replace(layer, model=target) for layer in report.layers)
    return replace(report, layers=named)


def _applied_target(
    target: str,
    options: Options,
    device: str,
    wanted: Wanted,
    ranks: Together,
    force: bool,
    progress: Progress | None,
) -> tuple[nn.Module, Report]:
    from initlint.fill.apply import is_wanted
    from initlint.fill.given import Ways
    from initlint.fill.making import begun, materialized
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
        return model, begun(model, options.inputs, wanted, ranks, progress)
    ways = Ways(device, unwritten=_unwritten(built))
    return materialized(built.factory, options.inputs, ways, wanted, ranks, progress)


def _unwritten(built: Built) -> frozenset[str]:
    """The parameters and buffers of a built model that nothing has written."""
    from initlint.tracing.unchanged import LAZY

    if built.recorder is None:
        return frozenset()
    recorder, model = built.recorder, built.model
    every = (*model.named_parameters(), *model.named_buffers())
    sized = ((name, tensor) for name, tensor in every if not isinstance(tensor, LAZY))
    return frozenset(n for n, t in sized if t.numel() and not recorder.drawn(t).name)
