"""From a model to its graph: symbolic tracing, which needs no input, else a recorded run."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import fx, nn
from torch.fx.experimental import _config as fx_config

from initlint.records import InitlintError
from initlint.tracing import given
from initlint.tracing.build import described, where
from initlint.tracing.foreign import contained, text_of
from initlint.tracing.guarded import guarded
from initlint.tracing.hooks import forward_replaced, is_hooked
from initlint.tracing.inplace import written_back
from initlint.tracing.inputs import Guesser
from initlint.tracing.loads import key_of
from initlint.tracing.recorded import RunError, is_leaf, meta_twin, record
from initlint.tracing.steps import is_known_call
from initlint.tracing.unchanged import LAZY, unchanged

# The most guesses of a model's inputs; each costs part of a run on meta tensors.
_TRIES = 30
# The most bytes of weights for a run with memory; a larger model is run on meta tensors only.
_MOST_BYTES = 4 << 30


class CaptureError(InitlintError):
    """A model's graph could not be had: one sentence that says why."""


class InputsError(CaptureError):
    """The inputs that were given are not ones of the model."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A graph, the model whose modules and parameters its nodes name, and how it was had.

    `model` is a twin where the run had to give lazy parameters their shapes. `way` is symbolic or
    recorded.
    """

    graph: fx.Graph
    model: nn.Module
    way: str


class _Tracer(fx.Tracer):
    """A tracer for which only torch modules of the catalogue are leaf modules."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_leaf(m)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Trace a leaf module as one node, and the user's hooks before and after it."""
        node = functools.partial(super().call_module, m, forward)
        if not is_leaf(m) or not is_hooked(m):
            return node(args, kwargs)
        with forward_replaced(m, lambda *given, **named: node(given, named)):
            return forward(*args, **kwargs)


def capture(
    model: nn.Module,
    name: str,
    inputs: Sequence[Any] = (),
    rebuild: Callable[[], nn.Module] | None = None,
) -> Captured:
    """The graph of `model`'s forward; nodes name its modules and parameters.

    Symbolic tracing is tried first: it needs no input. If forward needs values or shapes, or calls
    a function that symbolic tracing cannot follow, forward is run once, on the meta device or else
    with real memory, on `inputs` or else on guessed ones. `rebuild` makes the model again, with
    memory. The model is not changed. Raises CaptureError with the line at which forward raises, and
    InputsError for `inputs` that do not fit, whether or not they were needed.
    """
    inner, prefix = unwrapped(model)
    _refuse_unknown(inner, name, inputs)
    with guarded(inner):
        try:
            captured = _captured(inner, name, inputs, rebuild)
        except CaptureError:
            _refuse_unfit(inner, name, inputs)
            raise
        if captured.way == "symbolic":
            _refuse_unfit(inner, name, inputs)
    if not prefix:
        return captured
    return Captured(prefixed(captured.graph, prefix), model, captured.way)


def fitting_inputs(
    model: nn.Module, name: str, inputs: Sequence[Any], device: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments on `device` with which `model` can be run: `inputs`, or guesses.

    Raises CaptureError if every guess leads to an error.
    """
    _refuse_unknown(model, name, inputs)
    guesser = Guesser(model, inputs)
    try:
        _recorded(_twin(model), guesser, "meta")
    except RunError:
        guesser = Guesser(model, inputs)
        try:
            _recorded(_real_copy(model, None), guesser, "cpu")
        except RunError as error:
            raise CaptureError(_explained(error.cause, name, guesser)) from error
    return guesser.inputs(device)


def prefixed(graph: fx.Graph, prefix: str) -> fx.Graph:
    """The same graph, whose modules and parameters go by the names that a larger model has."""
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr"):
            node.target = prefix + str(node.target)
    return graph


def traced(model: nn.Module) -> fx.Graph:
    """The graph by symbolic tracing; optional arguments of forward keep their defaults."""
    before = set(vars(model))
    with unchanged(model):
        versions = _versions(model)
        graph = _Tracer().trace(model, concrete_args=_defaults(model))
        written = {name for name, version in _versions(model).items() if versions[name] != version}
        # The tracer keeps the constants of forward as attributes of the model.
        for node in graph.nodes:
            # What is done to a buffer alone is done, and not in the graph.
            node.meta["written"] = node.op == "get_attr" and node.target in written
            if (
                node.op == "get_attr"
                and str(node.target).startswith("_")
                and (node.target not in before)
            ):
                constant = getattr(model, str(node.target), None)
                node.meta["constant"] = constant
                node.meta["viewed"] = _viewed(model, constant) - written
    return written_back(graph, model)


def _viewed(model: nn.Module, constant: object) -> set[str]:
    """The buffers in whose memory a constant of forward lies: `self.table[None]` is computed."""
    if not isinstance(constant, torch.Tensor):
        return set()
    memory = key_of(constant)
    return {name for name, buffer in model.named_buffers() if key_of(buffer) == memory}


def _versions(model: nn.Module) -> defaultdict[str, int]:
    """How often the content of each buffer was changed."""
    buffers = ((n, b) for n, b in model.named_buffers() if not b.is_inference())
    return defaultdict(int, {name: buffer._version for name, buffer in buffers})


_Rebuild = Callable[[], nn.Module] | None


def _captured(model: nn.Module, name: str, inputs: Sequence[Any], rebuild: _Rebuild) -> Captured:
    failure: Exception | None = None
    graph: fx.Graph | None = None
    try:
        with contained():
            graph = traced(model)
    except Exception as error:
        failure = error
    if graph is not None and _is_complete(graph, model):
        return Captured(graph, model, "symbolic")
    try:
        return _ran(model, name, inputs, rebuild)
    except CaptureError:
        if graph is not None:
            return Captured(graph, model, "symbolic")
        if failure is not None and _is_wrong(failure):
            line = f"{where(failure, name)}: forward raises {described(failure)}"
            raise CaptureError(line) from failure
        raise


def unwrapped(model: nn.Module) -> tuple[nn.Module, str]:
    """The model inside torch's wrappers (compiled, data parallel, sharded) or Fabric's, and its
    prefix."""
    prefix = ""
    while type(model).__module__.startswith(_WRAPPERS):
        names = [n for n in _INSIDE if isinstance(getattr(model, n, None), nn.Module)]
        if not names:
            break
        model, prefix = getattr(model, names[0]), f"{prefix}{names[0]}."
    return model, prefix


# The names under which wrappers hold the model.
_INSIDE = ("_orig_mod", "_forward_module", "module")
_WRAPPERS = (
    *("torch._dynamo", "torch.nn.parallel", "torch.distributed", "torch.optim.swa_utils"),
    *("torch.ao.quantization", "lightning.fabric.wrappers", "lightning_fabric.wrappers"),
    # The stand-in for torch.compile's wrapper in a sharded model.
    "initlint.fill.twins",
)


def _is_complete(graph: fx.Graph, model: nn.Module) -> bool:
    """Whether a symbolic graph leaves nothing that a run would know more about."""
    if any(isinstance(parameter, LAZY) for parameter in model.parameters()):
        return False
    return all(is_known_call(node) for node in graph.nodes)


def _defaults(model: nn.Module) -> dict[str, Any]:
    parameters = inspect.signature(model.forward).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and not isinstance(p.default, torch.Tensor)
    }


def _is_wrong(error: Exception) -> bool:
    """Whether forward itself is wrong: it uses a name that the model or a package lacks."""
    if isinstance(error, AttributeError):
        return isinstance(error.obj, (nn.Module, ModuleType))
    return isinstance(error, NameError)


def _ran(model: nn.Module, name: str, inputs: Sequence[Any], rebuild: _Rebuild) -> Captured:
    """The graph by a recorded run on a twin without memory, else on a copy with memory."""
    guesser = Guesser(model, inputs)
    try:
        return _recorded(_twin(model), guesser, "meta")
    except RunError as error:
        furthest = error
    limited = _is_limit_of_meta(furthest.cause)
    if _bytes(model) <= _MOST_BYTES:
        try:
            again = guesser if limited else Guesser(model, inputs)
            return _recorded(_real_copy(model, rebuild), again, "cpu")
        except RunError as error:
            furthest = error if limited else max(furthest, error, key=lambda e: e.progress)
    if limited:
        with contextlib.suppress(RunError), _all_is_something():
            return _recorded(_twin(model), Guesser(model, inputs), "meta", supposing=True)
    raise CaptureError(_explained(furthest.cause, name, guesser)) from furthest


def _refuse_unknown(model: nn.Module, name: str, inputs: Sequence[Any]) -> None:
    """Raise InputsError for inputs that forward's signature has no place for."""
    why = given.unfit(inputs, model.forward)
    if why:
        raise InputsError(f"{name}: {why}")


def _refuse_unfit(model: nn.Module, name: str, inputs: Sequence[Any]) -> None:
    """Raise InputsError if a run on `inputs` fails where one on guessed inputs succeeds.

    If some of the inputs had to be guessed, the failure may be due to the guess.
    """
    if not inputs or (guesser := Guesser(model, inputs)).guesses:
        return
    try:
        _recorded(_twin(model), guesser, "meta")
    except RunError as error:
        if _is_limit_of_meta(error.cause):
            return
        fitting = Guesser(model)
        with contextlib.suppress(RunError):
            _recorded(_twin(model), fitting, "meta")
            why = _explained(error.cause, name, guesser).rstrip(".")
            raise InputsError(f"{why}; inputs that fit: {fitting.guesses}") from error


@contextlib.contextmanager
def _all_is_something() -> Iterator[None]:
    """A context in which `nonzero` of a meta tensor assumes that no element is zero."""
    before = fx_config.meta_nonzero_assume_all_nonzero
    fx_config.meta_nonzero_assume_all_nonzero = True
    try:
        yield
    finally:
        fx_config.meta_nonzero_assume_all_nonzero = before


def _is_limit_of_meta(cause: Exception) -> bool:
    """Whether a run ended because meta tensors have no values, not because of the input."""
    return isinstance(cause, NotImplementedError) or "meta" in text_of(cause).lower()


def _bytes(model: nn.Module) -> int:
    parameters = [p for p in model.parameters() if not isinstance(p, LAZY)]
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


def _twin(model: nn.Module) -> nn.Module:
    try:
        with contained():
            return meta_twin(model)
    except Exception as error:
        raise RunError(error) from error


def _real_copy(model: nn.Module, rebuild: _Rebuild) -> nn.Module:
    try:
        with contained():
            if rebuild is not None:
                return rebuild()
            if any(parameter.is_meta for parameter in model.parameters()):
                return _filled(copy.deepcopy(model).to_empty(device="cpu"))
            return copy.deepcopy(model)
    except Exception as error:
        raise RunError(error) from error


def _filled(model: nn.Module) -> nn.Module:
    """The model with values in place of memory that was never written: any that harm nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not isinstance(parameter, LAZY):
                parameter.fill_(0.01)
        for buffer in model.buffers():
            if not isinstance(buffer, LAZY):
                buffer.zero_()
    return model


def _recorded(model: nn.Module, guesser: Guesser, device: str, supposing: bool = False) -> Captured:
    """The run that the guesser's inputs lead to; the error of the run that got furthest if none."""
    if not isinstance(model, nn.Module):
        # A model that answers every name answers __deepcopy__, too.
        raise RunError(TypeError("a copy of the model is no module"))
    furthest: RunError | None = None
    for _ in range(_TRIES):
        args, kwargs = guesser.inputs(device)
        try:
            return Captured(record(model, args, kwargs, supposing), model, "recorded")
        except RunError as error:
            if furthest is None or error.progress > furthest.progress:
                furthest = error
            if device == "meta" and not supposing and _is_limit_of_meta(error.cause):
                raise
            if not guesser.learn(error):
                break
    assert furthest is not None
    raise furthest


def _explained(cause: Exception, name: str, guesser: Guesser) -> str:
    return f"{where(cause, name)}: the run of forward ends in {described(cause)}{guesser.hint()}"
