"""A model's state, saved in the safetensors format: a whole new file, or the old one untouched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from initlint.extras import missing
from initlint.records import InitlintError
from initlint.safe import written

if TYPE_CHECKING:
    from torch import nn

_SUFFIX = ".safetensors"


@contextlib.contextmanager
def replacing(out: str) -> Iterator[str]:
    """Give the path of a file to write, which takes the place of `out` at the end.

    If anything is raised meanwhile, `out` stays as it was, or absent. Raises InitlintError, before
    a model is built for it, where `out` has another suffix or cannot be written.
    """
    _refuse_name(Path(out))
    with written.replacing(out, "--out") as new:
        yield new


def save_weights(model: nn.Module, path: str) -> None:
    """Write `model`'s state dict to a new file.

    Tensors that share memory are saved once. Raises InitlintError where that cannot be done or
    safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_model
    except ImportError:
        raise missing("--out", "safetensors") from None
    try:
        save_model(model, path)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        from initlint.tracing.foreign import text_of

        name = Path(path).name
        raise InitlintError(f"--out {name}: cannot be written: {text_of(error)}") from error


def _refuse_name(target: Path) -> None:
    """Raise for a file of another kind: whoever reads it by its name would not make sense of it,
    and what is there under it, a checkpoint or the model's own source, would be lost."""
    if target.suffix != _SUFFIX:
        name = target.stem or "weights"
        problem = "the file is written in the safetensors format"
        raise InitlintError(f"--out {target}: {problem}; name it {name}{_SUFFIX}")
