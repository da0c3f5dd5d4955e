"""profile: the signal through a model, of a live one, of what builds one, or of files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from initlint import api
from initlint.profile.result import Profile
from initlint.profile.signals import Signals
from initlint.project.sourcefiles import texts_of
from initlint.project.targets import is_model
from initlint.records import InitlintError
from initlint.tracing.alone import alone
from initlint.tracing.needs import need_torch, refuse_disguised

if TYPE_CHECKING:
    from torch import nn


@alone
def profile(
    target: str | os.PathLike[str] | nn.Module | Callable[..., nn.Module],
    *inputs: Any,
    args: Mapping[str, Any] | None = None,
) -> Profile:
    """The signal through a model, predicted and measured, for three initialisations.

    For every layer the root mean square of its result, before its activation, and of the loss'
    gradient there: with the weights as they are, with the findings mended as by `apply_`, and with
    PyTorch's default. Runs are of copies: the model, its buffers, its training mode and all random
    states stay as they are.

    `target` is a live model, a class or a function that returns one (called with `args`),
    `package.module:attr`, `path/file.py:attr`, or a path, whose models are read: then nothing is
    run, nothing is measured, and torch is not needed.

    `inputs` are those of the model's forward. Without them the prediction assumes unit Gaussian
    data, and the runs are given such data. Raises InitlintError if a model cannot be built or
    followed; an operation that is not known is none of these reasons: what follows it is then
    relative to it.
    """
    refuse_disguised(target)
    found = os.fsdecode(target) if isinstance(target, os.PathLike) else target
    if not isinstance(found, str) and not callable(found):
        kind = type(found).__name__
        raise InitlintError(f"profile takes a model, a class, a function or a path, not {kind}")
    if isinstance(found, str) and not is_model(found):
        if inputs or args:
            what = "inputs" if inputs else "args"
            raise InitlintError(
                f"{what}: {found} is read and not run; name a model, as {found}:Net"
            )
        return _read(found)
    need_torch("profiling a model")
    _refuse_scripted(found)
    report = api.check(found, *inputs, args=args)
    return Profile((_traced(found, inputs, args or {}),), report)


def profile_target(target: str, options: api.Options) -> Profile:
    """What `initlint profile` shows of one target; a model is built in a separate process."""
    if not is_model(target):
        return _read(target)
    from initlint.pipeline.apart import called_apart

    signals = called_apart(signals_here, target, options)
    report = api.check_all([target], replace(options, apart=True))
    return Profile((signals,), report)


def signals_here(target: str, options: api.Options) -> Signals:
    """The signal through a target, built in this process."""
    need_torch("building a model")
    return _traced(target, options.inputs, options.arguments)


def _read(target: str) -> Profile:
    """The models of files, as far as they can be read."""
    from initlint.profile.files import signals_of

    report = api.check(target)
    texts = texts_of(report)
    paths = [api.SOURCE] if "\n" in target else list(api.files_of(target))
    return Profile(signals_of(paths, texts, report.findings), report)


def _traced(target: Any, inputs: Sequence[Any], arguments: Mapping[str, Any]) -> Signals:
    from torch import nn

    from initlint.profile.traced import signals
    from initlint.tracing.foreign import foreign, kind_of

    is_live = isinstance(target, nn.Module)
    name = target if isinstance(target, str) else kind_of(target) if is_live else _name(target)
    with _one_line(name), foreign():
        model = target if is_live else _built(target, name, arguments)
        _refuse_scripted(model)
        return signals(model, name, inputs)


def _refuse_scripted(model: Any) -> None:
    import torch

    if isinstance(model, torch.jit.ScriptModule):
        kind = type(model).__name__
        raise InitlintError(f"{kind}: a scripted model cannot be followed; profile what it was")


def _name(factory: Any) -> str:
    name = getattr(factory, "__qualname__", None)
    return name if isinstance(name, str) else type(factory).__name__


def _built(target: Any, name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """A model with values, drawn by a seed of ours."""
    import torch

    from initlint.tracing import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if isinstance(target, str):
            return build.build(target, arguments, "cpu").model
        return build.construct(target, name, arguments, "cpu").model


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Turn exceptions of the user's code, and of torch because of it, into InitlintError."""
    from initlint.tracing.build import described, where

    try:
        yield
    except InitlintError:
        raise
    except Exception as error:
        reason = f"{where(error, name)}: cannot be profiled: {described(error)}"
        raise InitlintError(reason) from error
