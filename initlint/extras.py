"""Packages that only some commands need, and how to install them."""

from __future__ import annotations

from initlint.records import InitlintError

# PyTorch's own index has builds without CUDA; those of PyPI bring 5 GB of it on Linux.
_CPU = "--index-url https://download.pytorch.org/whl/cpu"
# What pip installs for a package, where that is more than its name.
_INSTALLED_BY = {"torch": f"torch {_CPU}"}


def missing(what: str, package: str) -> InitlintError:
    """The error that `what` needs a package which is not installed, with the command for it."""
    return InitlintError(f"{what} needs {package}, which is not installed; {advice(package)}")


def advice(package: str) -> str:
    """The command that installs a package: pip install matplotlib."""
    return f"pip install {_INSTALLED_BY.get(package, package)}"
