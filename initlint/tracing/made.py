"""Where modules, parameters and buffers are made: their lines in the user's code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import nn

from initlint.records import Site
from initlint.tracing.loads import key_of, replaced
from initlint.tracing.places import TORCH, Sites, caller, user_frame

_TABLES = (nn.Embedding, nn.EmbeddingBag)
# Called with a new parameter or buffer, the frame of the user's that made it, and its line.
_Noting = Callable[[Any, FrameType | None, Site | None], None]


class Made:
    """What was constructed, copied or registered, each with its line; held, so that ids stay."""

    def __init__(self, sites: Sites, note_parameter: _Noting, note_buffer: _Noting) -> None:
        self._sites = sites
        self._note_parameter, self._note_buffer = note_parameter, note_buffer
        self._modules: dict[int, tuple[nn.Module, Site | None]] = {}
        self._parameters: dict[int, tuple[nn.Parameter, Site | None]] = {}
        # Where buffers were registered, by their modules and names.
        self._buffers: dict[tuple[int, str], Site | None] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts, everything that is made is noted."""
        with contextlib.ExitStack() as patches:
            patches.enter_context(replaced(nn.Module, "__init__", self._noting_module))
            patches.enter_context(replaced(nn.Module, "__setstate__", self._noting_copy))
            patches.enter_context(replaced(nn.Parameter, "__new__", self._noting_parameter))
            patches.enter_context(replaced(nn.Module, "register_buffer", self._noting_buffer))
            yield

    def module_site(self, module: nn.Module) -> Site | None:
        """The constructor call that made `module`, if it was made while recording."""
        return self._modules.get(id(module), (module, None))[1]

    def parameter_site(self, parameter: torch.Tensor) -> Site | None:
        """The call that made a bare `parameter`, if it was made while recording."""
        return self._parameters.get(id(parameter), (parameter, None))[1]

    def buffer_site(self, module: nn.Module, name: str) -> Site | None:
        """The call that registered a buffer of the user's; what makes the layer for torch's own."""
        return self._buffers.get((id(module), name)) or self.module_site(module)

    def knows(self, module: nn.Module) -> bool:
        """Whether `module` was made while recording."""
        return id(module) in self._modules

    def is_of_embedding(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has the memory of an embedding's table."""
        tables = [m for m, _ in self._modules.values() if isinstance(m, _TABLES)]
        weights = [m._parameters.get("weight") for m in tables]
        return any(w is not None and key_of(w) == key_of(tensor) for w in weights)

    def _noting_module(self, original: Callable[..., None]) -> Callable[..., None]:
        def construct(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if id(module) not in self._modules:
                frame = user_frame(caller(1), building=module)
                self._modules[id(module)] = (module, self._sites.of(frame))
            original(module, *args, **kwargs)

        return construct

    def _noting_copy(self, original: Callable[..., None]) -> Callable[..., None]:
        def restore(module: nn.Module, state: Any) -> None:
            """Copies and unpickled modules get their state without being constructed."""
            original(module, state)
            self._modules[id(module)] = (module, self._sites.of(user_frame(caller(1))))

        return restore

    def _noting_parameter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def make(cls: type, *args: Any, **kwargs: Any) -> Any:
            parameter = original(cls, *args, **kwargs)
            frame = user_frame(caller(1))
            site = self._sites.of(frame)
            self._parameters[id(parameter)] = (parameter, site)
            self._note_parameter(parameter, frame, site)
            return parameter

        return make

    def _noting_buffer(self, original: Callable[..., None]) -> Callable[..., None]:
        def register(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
            original(module, name, *args, **kwargs)
            frame = caller(1)
            if not frame.f_code.co_filename.startswith(TORCH):
                user = user_frame(frame)
                site = self._sites.of(user)
                self._buffers[id(module), name] = site
                self._note_buffer(module._buffers.get(name), user, site)

        return register
