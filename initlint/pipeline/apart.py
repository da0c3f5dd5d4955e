"""Targets built in a process of their own, so that their code cannot end or change this one."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

from initlint.records import InitlintError, Unanalysed
from initlint.tracing.needs import need_installed
from initlint.tracing.targets import Traced, together

if TYPE_CHECKING:
    from initlint.pipeline.asked import Options

_Record = TypeVar("_Record")
# As many processes may be ended by the models' code; each costs the time to import torch.
_MOST_ENDED = 8
# Seconds for the functions that the code registered for its process's end.
_PATIENCE = 5.0


class Tracing(NamedTuple):
    """A request to trace targets; `texts` by path replace the files on the disk."""

    targets: tuple[str, ...]
    arguments: Mapping[str, Any]
    inputs: Sequence[Any]
    texts: Mapping[str, bytes]
    spared: frozenset[str] = frozenset()


class Filling(NamedTuple):
    """A request to call a function that builds one target, and gives back records."""

    function: Callable[..., Any]
    target: str
    options: Options
    keywords: Mapping[str, Any]


def traced_apart(
    targets: Sequence[str],
    arguments: Mapping[str, Any],
    inputs: Sequence[Any] = (),
    texts: Mapping[str, bytes] | None = None,
    timeout: int = 0,
) -> Traced:
    """What `tracing.traced` finds, had in another process.

    Where a model's code ends that process (os._exit, a crash), or takes more than `timeout` seconds
    (0: any time), the model is a gap, and a new process goes on with the others.
    """
    try:
        need_installed("building a model")
    except InitlintError as error:
        return Traced(gaps=tuple(Unanalysed(target, str(error)) for target in targets))
    done: dict[str, Traced] = {}
    lost: dict[str, Unanalysed] = {}
    request = Tracing(tuple(dict.fromkeys(targets)), arguments, inputs, texts or {})
    for _ in range(_MOST_ENDED):
        left = tuple(t for t in request.targets if t not in done and t not in lost)
        if not left:
            break
        again = request._replace(targets=left, spared=frozenset(lost))
        begun, ending = _served(again, done, timeout)
        for name in [begun] if begun else left if ending else []:
            lost[name] = Unanalysed(name, ending, failed=True)
    reason = f"not built: the code of {len(lost)} models before it ended the process"
    rest = [t for t in request.targets if t not in done and t not in lost]
    gaps = (*lost.values(), *(Unanalysed(target, reason) for target in rest))
    found = together([done[target] for target in request.targets if target in done])
    return replace(found, gaps=(*found.gaps, *gaps))


def called_apart(
    function: Callable[..., _Record], target: str, options: Options, **keywords: Any
) -> _Record:
    """The record that `function` gives of a target, run in another process.

    Raises InitlintError also if the target's code ends that process.
    """
    need_installed("building a model")
    answer = reason = None
    with _process(Filling(function, target, options, keywords)) as process:
        for kind, *values in _messages(process, options.timeout):
            if kind == "filled":
                answer = values[0]
            elif kind == "failed":
                reason = values[0]
            elif kind == "late":
                reason = f"{target}: {_late(options.timeout)}"
    if answer is None:
        raise InitlintError(reason or f"{target}: {_ending(process)}")
    return answer  # type: ignore[no-any-return]


def _served(request: Tracing, done: dict[str, Traced], timeout: int) -> tuple[str, str]:
    """Add to `done` what one process finds; gives the model that it ended in, and how it ended."""
    begun = ""
    with _process(request) as process:
        for kind, *values in _messages(process, timeout):
            if kind == "begun":
                begun = values[0]
            elif kind == "traced":
                done[values[0]], begun = values[1], ""
            elif kind == "late":
                return begun, _late(timeout)
            elif kind == "end":
                return "", ""
    return begun, _ending(process)


def _late(timeout: int) -> str:
    return f"its code ran for more than {timeout} s; --timeout SECONDS sets another limit"


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    if code >= 0:
        return f"its code ended the process that built it, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    memory = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the process that built it was ended by {name}{memory}"


@contextlib.contextmanager
def _process(request: Tracing | Filling) -> Iterator[subprocess.Popen[bytes]]:
    """The process that carries out a request; when this one goes on, it has ended."""
    # A file in the working directory must not be imported as initlint or torch: no "" in the path.
    start = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "sys.path[:] = sys.argv[1:]; sys.argv[:] = ['initlint']; "
        "from initlint.pipeline.apart import answer; answer()"
    )
    flags = [*subprocess._args_from_interpreter_flags(), "-P"]  # type: ignore[attr-defined]
    command = [sys.executable, *flags, "-c", start, *sys.path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            # Its end is left open: when this process is killed it closes, and the other one ends.
            process.stdin.write(pickle.dumps(request))
            process.stdin.flush()
        yield process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def _messages(process: subprocess.Popen[bytes], timeout: int) -> Iterator[tuple[Any, ...]]:
    """The messages of the process as they come, until it ends, or is killed.

    After `timeout` seconds without a message it is killed, and the last message is `late`. They are
    read in a thread: processes that the models' code starts may keep the pipe open.
    """
    assert process.stdout is not None
    stream, messages = process.stdout, queue.SimpleQueue[tuple[Any, ...]]()

    def read() -> None:
        with contextlib.suppress(Exception):
            while True:
                messages.put(_Reader(stream).load())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    heard = time.monotonic()
    while reader.is_alive() or not messages.empty():
        if process.poll() is not None:
            # Everything was written before the process ended.
            reader.join(1.0)
            while not messages.empty():
                yield messages.get()
            return
        with contextlib.suppress(queue.Empty):
            message = messages.get(timeout=0.05)
            yield message
            if message[0] == "end":
                return
            heard = time.monotonic()
        if timeout and time.monotonic() - heard > timeout:
            process.kill()
            yield ("late",)
            return


class _Reader(pickle.Unpickler):
    """Reads records and plain values: nothing that the models' code defines is imported here."""

    def find_class(self, module: str, name: str) -> Any:
        """A class of the records or a plain one."""
        plain = module == "builtins" and name in ("str", "int", "float", "tuple", "list", "dict")
        if plain or module in (
            "initlint.records",
            "initlint.tracing.targets",
            "initlint.pipeline.asked",
            "initlint.profile.result",
            "initlint.profile.signals",
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is none of the records")


class _Writer(pickle.Pickler):
    """Writes records; values of the user's own classes become plain ones."""

    def reducer_override(self, value: Any) -> Any:
        """How a value is written that is none of Python's own kinds."""
        if isinstance(value, type) or type(value).__module__.startswith("initlint."):
            return NotImplemented
        if isinstance(value, str):
            return str, (str.__str__(value),)
        if isinstance(value, int):
            return int, (int.__int__(value),)
        if isinstance(value, float):
            return float, (float.__float__(value),)
        if isinstance(value, tuple):
            return tuple, (list(tuple.__iter__(value)),)
        if isinstance(value, list):
            return list, (list(list.__iter__(value)),)
        if isinstance(value, dict):
            return dict, (list(dict.items(value)),)
        from initlint.tracing.foreign import text_of

        return str, (text_of(value),)


def answer() -> None:
    """The main function of the other process: carry out the request on standard input."""
    results = os.fdopen(os.dup(1), "wb")
    request = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with, args=(os.dup(0),), daemon=True).start()
    # The models' code may print, read and warn: nothing of that may get into the answer.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for hook in ("excepthook", "unraisablehook"):
        setattr(sys, hook, lambda *_: None)
    threading.excepthook = lambda *_: None
    _speak_of_options()
    if isinstance(request, Filling):
        _fill(request, results)
    else:
        _trace(request, results)
    _send(results, "end")
    _leave()


def _end_with(pipe: int) -> None:
    """End this process when the one that asked has ended, and its end of the pipe is closed."""
    os.read(pipe, 1)
    os._exit(1)


def _speak_of_options() -> None:
    """Name the options of the command line, which alone asks another process."""
    from initlint.project.arguments import GIVEN_BY_OPTIONS

    GIVEN_BY_OPTIONS.set(True)


def _trace(request: Tracing, results: BinaryIO) -> None:
    from initlint.tracing.replaced import replaced
    from initlint.tracing.targets import traced

    def begun(name: str) -> None:
        _send(results, "begun", name)

    with replaced(request.texts):
        for target in request.targets:
            begun(target)
            found = traced(
                [target], request.arguments, request.inputs, begun=begun, spared=request.spared
            )
            _send(results, "traced", target, found)


def _fill(request: Filling, results: BinaryIO) -> None:
    try:
        report = request.function(request.target, request.options, **request.keywords)
        _send(results, "filled", report)
    except InitlintError as error:
        _send(results, "failed", str(error))


def _send(results: BinaryIO, *message: Any) -> None:
    _Writer(results).dump(message)
    results.flush()


def _leave() -> None:
    """End the process after the exit handlers of the models' code."""
    import atexit

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    os._exit(0)
