"""A model's state, saved in the safetensors format."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from torch import nn

from initlint.records import InitlintError

_SUFFIX = ".safetensors"


def refuse_name(out: str) -> None:
    """Raise for a file of another kind: whoever reads it by its name would not make sense of it,
    and what is there under it, a checkpoint or the model's own source, would be lost."""
    if Path(out).suffix != _SUFFIX:
        name = Path(out).stem or "weights"
        problem = "the file is written in the safetensors format"
        raise InitlintError(f"--out {out}: {problem}; name it {name}{_SUFFIX}")


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
        temporary = _beside(target)
        try:
            rights = (target if target.exists() else temporary).stat().st_mode
            save_model(model, str(temporary))
            # Safetensors puts a file of its own there, which is readable for nobody else.
            temporary.chmod(stat.S_IMODE(rights))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InitlintError(f"{out}: cannot be written: {error.strerror or error}") from None


def _beside(target: Path) -> Path:
    """A new file beside `target`, with the rights that the umask leaves."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path
