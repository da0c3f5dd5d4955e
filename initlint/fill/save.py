"""A model's state, saved in the safetensors format."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from torch import nn

from initlint.records import InitlintError


def save_weights(model: nn.Module, out: str) -> None:
    """Write `model`'s state dict to the file `out`, which is either replaced as a whole or kept.

    Tensors that share memory are saved once. Raises InitlintError where the file cannot be written
    or safetensors is not installed.
    """
    try:
        from safetensors.torch import save_model
    except ImportError:
        raise InitlintError("--out needs safetensors; pip install 'initlint[torch]'") from None
    target = Path(out)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(descriptor)
        try:
            save_model(model, temporary)
            Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise InitlintError(f"{out}: cannot be written: {error.strerror or error}") from None
