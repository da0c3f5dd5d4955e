"""initlint: are my weights initialised right? The public names, each imported when first used."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from initlint.api import Fixed, Report, check, fix
    from initlint.fill.filling import apply_, materialize
    from initlint.profile.profiling import profile
    from initlint.profile.result import Profile
    from initlint.records import Finding, Following, Initializer, InitlintError, Layer, Site

try:
    from initlint._version import __version__ as __version__
except ImportError:
    # A checkout from which nothing was built.
    __version__ = "0.1.0.dev0"

__all__ = [
    "Finding",
    "Fixed",
    "Following",
    "Initializer",
    "InitlintError",
    "Layer",
    "Profile",
    "Report",
    "Site",
    "apply_",
    "check",
    "fix",
    "materialize",
    "profile",
]

_HOMES = {
    **dict.fromkeys(("Fixed", "Report", "check", "fix"), "initlint.api"),
    **dict.fromkeys(("apply_", "materialize"), "initlint.fill.filling"),
    "profile": "initlint.profile.profiling",
    "Profile": "initlint.profile.result",
}


# Type checkers would take any name for one that is there.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'initlint' has no attribute {name!r}")
        home = importlib.import_module(_HOMES.get(name, "initlint.records"))
        return getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _Package(ModuleType):
    """Importing the room `initlint.fix` would otherwise hide the function `initlint.fix`."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
