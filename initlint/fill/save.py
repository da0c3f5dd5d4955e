"""A model's state, saved in the safetensors format: a whole new file, or the old one untouched."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from initlint.records import InitlintError

if TYPE_CHECKING:
    from torch import nn

_SUFFIX = ".safetensors"


@contextlib.contextmanager
def replacing(out: str) -> Iterator[str]:
    """Give the path of a file to write, which takes the place of `out` at the end.

    If anything is raised meanwhile, `out` stays as it was, or absent. Raises InitlintError, before
    a model is built for it, where `out` is not a name for a new or a regular file in a folder that
    can be written: symbolic links are refused, lest a link that somebody else committed decides
    what is overwritten.
    """
    target = Path(out)
    _refuse_name(target)
    with _one_line(out):
        _refuse_kind(target)
        folder = target.with_name(f".initlint-{secrets.token_hex(4)}")
        folder.mkdir(mode=0o700)
        try:
            new = folder / target.name
            yield str(new)
            new.chmod(_rights(target, folder))
            new.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def save_weights(model: nn.Module, path: str) -> None:
    """Write `model`'s state dict to a new file.

    Tensors that share memory are saved once. Raises InitlintError where that cannot be done or
    safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_model
    except ImportError:
        raise InitlintError("--out needs safetensors; pip install 'initlint[torch]'") from None
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


def _refuse_kind(target: Path) -> None:
    if "\0" in str(target):
        raise InitlintError("--out: the name has a null character; cannot be written")
    if target.is_symlink():
        aim = os.path.realpath(target)
        raise InitlintError(
            f"--out {target}: is a symbolic link, which is not followed; name {aim}"
        )
    if target.exists() and not target.is_file():
        raise InitlintError(f"--out {target}: is not a regular file; give another name")
    if not target.parent.is_dir():
        raise InitlintError(f"--out {target}: there is no folder {target.parent}; make it first")


def _rights(target: Path, folder: Path) -> int:
    """Those of the file that is replaced; of a new one what the umask leaves."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    probe = folder / "rights"
    probe.touch(0o666)
    return stat.S_IMODE(probe.stat().st_mode)


@contextlib.contextmanager
def _one_line(out: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InitlintError(f"--out {out}: cannot be written: {reason}") from error
