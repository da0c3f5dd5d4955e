"""check, fix and apply_: each a few lines that put the rooms together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from initlint import records
from initlint.checks import findings
from initlint.records import Finding, InitlintError, Unanalysed
from initlint.recommend import with_recommendations

if TYPE_CHECKING:
    from torch import nn

    from initlint.trace.build import Built


class Report(records.Report):
    """What was learnt of the targets; `str()` is the text that the command line prints."""

    def __str__(self) -> str:
        from initlint.output.text import render

        return render(self)


@dataclass(frozen=True, slots=True)
class Options:
    """How targets are built and which rules speak; `codes` None means all that are on by default."""

    trace: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    codes: frozenset[str] | None = None


def check(
    target: str | nn.Module | Callable[..., nn.Module],
    *inputs: Any,
    trace: bool = False,
    args: Mapping[str, Any] | None = None,
    select: Collection[str] | None = None,
) -> Report:
    """Judge the initialisation of every weighted layer of a model.

    Target is a class or a function that returns a model (built on the meta device with `args`),
    a live model (whose present stds are measured), `package.module:attr`, `path/file.py:attr`, or
    with `trace` a path of which every module class is built. `select` limits the rules by code.
    Raises InitlintError where the target cannot be built; what can be built but not analysed is
    listed in `report.unanalysed`.
    """
    codes = None if select is None else frozenset(select)
    options = Options(trace, args or {}, inputs, codes)
    return _report(_built(target, options), options)


def check_all(targets: Sequence[str], options: Options) -> Report:
    """One report on several targets."""
    built: list[Built | Unanalysed] = []
    for target in targets:
        try:
            built.extend(_built(target, options))
        except InitlintError as error:
            built.append(Unanalysed(target, str(error)))
    return _report(built, options)


def apply_(
    model: nn.Module,
    *inputs: Any,
    seed: int | None = None,
    only: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
) -> Report:
    """Initialise `model` in place as recommended, on each parameter's own device and dtype.

    Weights get the initialiser that suits what follows them, biases zeros; normalisations,
    embeddings and layers of which nothing is known are left alone and listed in
    `report.unanalysed`. Whatever the weights held is overwritten. With the same `seed` come the
    same weights. `only` and `skip` are shell patterns on parameter or module names. Raises
    InitlintError where the model cannot be captured, and then nothing was changed.
    """
    from initlint.fill.apply import fill_
    from initlint.trace.build import Built
    from initlint.trace.layers import layers_of

    layers = with_recommendations(layers_of(Built(type(model).__name__, model, None)))
    filled = fill_(model, layers, seed, only, skip)
    done = set(filled.weights)
    now = tuple(replace(x, current=x.recommended) if x.parameter in done else x for x in layers)
    return Report(now, (), filled.skipped)


def _built(target: Any, options: Options) -> list[Built | Unanalysed]:
    """The models that a target stands for."""
    from torch import nn

    from initlint.trace import build

    if isinstance(target, nn.Module):
        return [build.Built(type(target).__name__, target, None)]
    if not isinstance(target, str):
        name = getattr(target, "__qualname__", type(target).__name__)
        return [build.construct(target, name, options.arguments)]
    if ":" in target.rpartition("/")[2]:
        return [build.build(target, options.arguments)]
    if not options.trace:
        raise InitlintError(
            f"{target}: reading a path without running it does not exist yet; "
            f"give --trace to import and build it, or name a model as {target}:ClassName"
        )
    return build.build_all(target, options.arguments)


def _report(built: Sequence[Built | Unanalysed], options: Options) -> Report:
    from initlint.trace.capture import CaptureError
    from initlint.trace.layers import layers_of

    layers: list[records.Layer] = []
    gaps: list[Unanalysed] = []
    for model in built:
        if isinstance(model, Unanalysed):
            gaps.append(model)
            continue
        try:
            layers.extend(layers_of(model))
        except CaptureError as error:
            gaps.append(Unanalysed(model.name, str(error)))
    judged = with_recommendations(layers)
    return Report(judged, findings(judged, options.codes), tuple(gaps))
