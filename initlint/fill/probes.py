"""The inputs for calibration: given ones, or Gaussian noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from initlint.fill.blocks import Source, block_seed
from initlint.fill.twins import traceable
from initlint.records import InitlintError
from initlint.tracing.capture import CaptureError, fitting_inputs
from initlint.tracing.foreign import kind_of
from initlint.tracing.given import tensors_of
from initlint.tracing.guesses import BATCH
from initlint.tracing.islands import has_forward, is_unimplemented

# Examples in a run, and elements of an input that are not worth more of them.
_MOST, _ELEMENTS = 256, 2**20


@dataclass(frozen=True, slots=True)
class Probes:
    """The arguments for a model's forward, and the seed for other random numbers."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    seed: int

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """The floating-point tensors in the model's result."""
        leaves = pytree.tree_leaves(result)
        return [v for v in leaves if isinstance(v, torch.Tensor) and v.is_floating_point()]

    def signs(self, like: torch.Tensor) -> torch.Tensor:
        """Random 1 and -1 in the shape of a tensor."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randint(2, like.shape, generator=generator, dtype=torch.float32)
        return (2 * drawn - 1).to(like.device)


def probes_for(model: nn.Module, inputs: Sequence[Any], seed: int) -> Probes:
    """What `model` is to be run on: `inputs` if any, else noise in the shapes that it takes.

    Floating-point inputs are standard normal, integers any row of the model's smallest embedding.
    Raises CaptureError where nothing is found that the model can be run on.
    """
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    plain = traceable(model)
    try:
        args, kwargs = fitting_inputs(plain, kind_of(model), inputs, str(weight.device))
    except CaptureError as error:
        if has_forward(plain) and not is_unimplemented(error.__cause__):
            raise
        raise InitlintError(
            f"the policy calibrated runs the model, and {kind_of(model)} has no forward of its "
            "own: calibrate its parts one by one, or take another policy"
        ) from error
    number = block_seed(Source(seed, "probes", "", 0.0), 0)
    if any(True for _ in tensors_of(inputs)):
        return Probes(args, kwargs, number)
    args, kwargs = _noise((args, kwargs), model, weight.dtype, number)
    return Probes(args, kwargs, number)


def _noise(arguments: Any, model: nn.Module, dtype: torch.dtype, seed: int) -> Any:
    """The same arguments with noise in place of what they hold, and with more examples."""
    generator = torch.Generator().manual_seed(seed)
    rows = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
    tensors = [t for t in pytree.tree_leaves(arguments) if _is_batched(t)]
    lengths = {len(t) for t in tensors}
    batch = lengths.pop() if len(lengths) == 1 else BATCH
    count = _examples([t for t in tensors if len(t) == batch])

    def drawn(value: Any) -> Any:
        if not _is_batched(value):
            return value
        shape = (count if len(value) == batch else len(value), *value.shape[1:])
        if value.is_floating_point():
            return torch.randn(shape, generator=generator).to(value.device, dtype)
        if value.any() or not rows:
            return value[:1].expand(shape) if len(value) == batch else value
        return torch.randint(min(rows), shape, generator=generator).to(value.device)

    return pytree.tree_map(drawn, arguments)


def _is_batched(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) > 0


def _examples(tensors: Sequence[torch.Tensor]) -> int:
    largest = max((t[0].numel() for t in tensors), default=1)
    return max(BATCH, min(_MOST, _ELEMENTS // max(1, largest)))
