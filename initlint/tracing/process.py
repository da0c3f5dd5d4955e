"""Saves process-wide state that the user's code may change, and restores it."""

from __future__ import annotations

import builtins
import contextlib
import copy
import gc
import inspect
import locale
import logging
import math
import os
import random
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.overrides import _pop_mode, _push_mode
from torch.utils import _device

_MISSING = object()
# Attributes that are rebound, by holder.
_ATTRIBUTES: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (sys, ("stdin", "stdout", "stderr", "excepthook", "unraisablehook", "displayhook")),
    (sys, ("argv", "path", "meta_path", "path_hooks", "dont_write_bytecode")),
    (threading, ("excepthook",)),
    (logging.root, ("level", "handlers", "filters", "disabled")),
    (logging.root.manager, ("disable",)),
)
# Lists whose contents are changed in place.
_LISTS: tuple[Callable[[], list[Any]], ...] = (
    lambda: sys.argv,
    lambda: sys.path,
    lambda: sys.meta_path,
    lambda: sys.path_hooks,
    lambda: logging.root.handlers,
    lambda: logging.root.filters,
)
# Modules and classes whose functions may be replaced by others.
_PATCHABLE: tuple[Any, ...] = (
    *(builtins, copy, inspect, math, os, os.path, random),
    *(torch, torch.Tensor, torch.autograd.Function, torch.random, torch.serialization),
    *(nn, nn.functional, nn.init, nn.Parameter, nn.modules.module, nn.utils),
    *(kind for kind in vars(nn).values() if isinstance(kind, type)),
)


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Restore afterwards what the user's code changed in the process, also if it raises.

    That is: working directory, environment, locale, standard streams, hooks and paths of `sys`,
    handlers of signals, timers, logging; random states of Python, numpy and torch; torch's default
    dtype and device, modes, threads and flags; global hooks of modules; functions of builtins and
    torch that were replaced. Imported modules stay, and so do changes that a library makes in torch
    when it is imported here for the first time.
    """
    modules = dict(sys.modules)
    settings = [(read, write, read()) for read, write in _settings()]
    attributes = [(h, name, getattr(h, name)) for h, names in _ATTRIBUTES for name in names]
    lists = [(values, list(values)) for values in (get() for get in _LISTS)]
    hooks = [(table, dict(table)) for table in _global_hooks()]
    patchable = [(owner, dict(vars(owner))) for owner in _PATCHABLE]
    try:
        yield
    finally:
        for owner, entries in patchable:
            _unpatch(owner, entries, modules)
        for holder, name, value in attributes:
            if getattr(holder, name, _MISSING) is not value:
                setattr(holder, name, value)
        for values, contents in lists:
            values[:] = contents
        for table, contents_of in hooks:
            table.clear()
            table.update(contents_of)
        for name, module in modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        for read, write, value in settings:
            # A folder that was removed, a thread that may not set handlers: the rest is put back.
            with contextlib.suppress(Exception):
                if not _same(read(), value):
                    write(value)


_Setting = tuple[Callable[[], Any], Callable[[Any], object]]


def _settings() -> list[_Setting]:
    """How each setting is read and written; those that cannot be read here are left out."""
    every = [*_OF_PYTHON, *_OF_TORCH]
    if "numpy" in sys.modules:
        every += _of_numpy(sys.modules["numpy"])
    if "multiprocessing" in sys.modules:
        every.append(_start_method(sys.modules["multiprocessing"]))
    if threading.current_thread() is threading.main_thread():
        every.append((_handlers, _set_handlers))
    return [setting for setting in every if _is_readable(setting[0])]


def _is_readable(read: Callable[[], Any]) -> bool:
    try:
        read()
    except Exception:
        return False
    return True


def _same(now: Any, before: Any) -> bool:
    if isinstance(now, torch.Tensor) and isinstance(before, torch.Tensor):
        return torch.equal(now, before)
    return type(now) is type(before) and bool(now == before)


def _set_environment(before: Mapping[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _set_timer(before: tuple[float, float]) -> None:
    # One that was running before goes on by itself; one that the code set ends.
    if not before[0]:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _set_handlers(before: Mapping[int, Any]) -> None:
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


_OF_PYTHON: tuple[_Setting, ...] = (
    (os.getcwd, os.chdir),
    (lambda: dict(os.environ), _set_environment),
    (lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (gc.isenabled, lambda old: gc.enable() if old else gc.disable()),
    (gc.get_threshold, lambda old: gc.set_threshold(*old)),
    (random.getstate, random.setstate),
    (lambda: signal.getitimer(signal.ITIMER_REAL), _set_timer),
)


def _of_numpy(numpy: Any) -> list[_Setting]:
    def read() -> tuple[Any, ...]:
        name, keys, *rest = numpy.random.get_state()
        return (name, tuple(keys.tolist()), *rest)

    return [
        (read, numpy.random.set_state),
        (numpy.geterr, lambda old: numpy.seterr(**old)),
        (numpy.get_printoptions, lambda old: numpy.set_printoptions(**old)),
    ]


def _start_method(multiprocessing: Any) -> _Setting:
    return (
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda old: multiprocessing.set_start_method(old, force=True),
    )


def _modes() -> tuple[Any, ...]:
    """The stack of torch's function modes, of which the default device is one."""
    count = torch._C._len_torch_function_stack()
    stack = tuple(torch._C._get_function_stack_at(place) for place in range(count))
    held = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return stack, held, _device.CURRENT_DEVICE


def _set_modes(before: tuple[Any, ...]) -> None:
    stack, held, device = before
    for _ in range(torch._C._len_torch_function_stack()):
        _pop_mode()  # type: ignore[no-untyped-call]
    for mode in stack:
        _push_mode(mode)  # type: ignore[no-untyped-call]
    torch._GLOBAL_DEVICE_CONTEXT.device_context = held
    _device.CURRENT_DEVICE = device


def _autocast() -> dict[str, tuple[bool, Any]]:
    kinds = ("cpu", "cuda")
    return {k: (torch.is_autocast_enabled(k), torch.get_autocast_dtype(k)) for k in kinds}


def _set_autocast(before: Mapping[str, tuple[bool, Any]]) -> None:
    for kind, (enabled, dtype) in before.items():
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)


def _cuda_states() -> list[list[int]]:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return []
    return [state.tolist() for state in torch.cuda.get_rng_state_all()]


def _set_cuda_states(before: list[list[int]]) -> None:
    states = [torch.tensor(state, dtype=torch.uint8, device="cpu") for state in before]
    torch.cuda.set_rng_state_all(states)


def _flag(holder: Any, name: str) -> _Setting:
    return (lambda: getattr(holder, name)), (lambda old: setattr(holder, name, old))


_cudnn = torch.backends.cudnn
_OF_TORCH: tuple[_Setting, ...] = (
    (_modes, _set_modes),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.is_grad_enabled, torch._C._set_grad_enabled),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    (_autocast, _set_autocast),
    (torch.get_num_threads, torch.set_num_threads),
    (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda old: torch.use_deterministic_algorithms(old[0], warn_only=old[1]),
    ),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch._C._get_cudnn_deterministic, torch._C._set_cudnn_deterministic),
    (torch._C._get_cudnn_benchmark, torch._C._set_cudnn_benchmark),
    (torch._C._get_cudnn_enabled, torch._C._set_cudnn_enabled),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled),
    (lambda: dict(vars(torch._tensor_str.PRINT_OPTS)), vars(torch._tensor_str.PRINT_OPTS).update),
    (torch.get_rng_state, torch.set_rng_state),
    (_cuda_states, _set_cuda_states),
)


def _global_hooks() -> list[dict[Any, Any]]:
    """The tables of hooks that all modules share."""
    entries = vars(nn.modules.module).items()
    return [v for name, v in entries if name.startswith("_global_") and isinstance(v, dict)]


def _unpatch(owner: Any, before: Mapping[str, Any], modules: Mapping[str, ModuleType]) -> None:
    """Give a module or class the entries that it had before."""
    now = dict(vars(owner))
    for name, value in before.items():
        found = now.get(name, _MISSING)
        if found is not value and not _stays(found, modules):
            with contextlib.suppress(AttributeError, TypeError):
                setattr(owner, name, value)
    for name in now.keys() - before.keys():
        value = now[name]
        if not (name.startswith("__") or isinstance(value, ModuleType) or _stays(value, modules)):
            with contextlib.suppress(AttributeError, TypeError):
                delattr(owner, name)


def _stays(value: Any, modules: Mapping[str, ModuleType]) -> bool:
    """Whether a library put `value` there that is installed and was not imported before.

    Python does not import it a second time, so that its patches would be lost for good.
    """
    home = getattr(value, "__module__", None)
    if not isinstance(home, str) or home in modules or home not in sys.modules:
        return False
    path = getattr(sys.modules[home], "__file__", None) or ""
    return path.startswith(tuple(sysconfig.get_paths().values()))
