"""`initlint profile`: the signal through a model as a table, and as a page, picture or JSON."""

from __future__ import annotations

import gc
import sys
from typing import NamedTuple

from initlint.cli import request as requests
from initlint.cli import terminal
from initlint.project import arguments
from initlint.project.targets import STDIN, is_model
from initlint.records import InitlintError


class Profiled(NamedTuple):
    """The options of `initlint profile`."""

    target: str
    out: str | None = None
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    timeout: int = 0


def profile(request: Profiled) -> int:
    """Show the signal through a model, or through the models of files."""
    from initlint import api
    from initlint.profile import profiling, table, written

    if request.target == STDIN:
        raise InitlintError("initlint profile takes files, folders and models, not standard input")
    if request.out is not None:
        written.refuse(request.out)
    _refuse_idle(request)
    # A model's garbage is large.
    gc.enable()
    options = api.Options(
        arguments=arguments.parse(request.args),
        inputs=requests.inputs(request.inputs),
        timeout=request.timeout,
    )
    with terminal.working(f"profiling {request.target}"):
        found = profiling.profile_target(request.target, options)
    colour = terminal.wants_colour(sys.stdout)
    text = table.render(found.models, found.report, colour=colour, width=terminal.width())
    terminal.out(text)
    if not found.models:
        return terminal.failed(f"{request.target}: no model was found, so nothing is shown")
    if request.out is not None:
        written.write(found, request.out)
        terminal.err(f"Written to {request.out}.")
    return terminal.CLEAN


def _refuse_idle(request: Profiled) -> None:
    """Raise InitlintError for options of building, if the target is read."""
    if is_model(request.target):
        return
    given = {"--arg": request.args, "--input": request.inputs, "--timeout": request.timeout}
    for option in (name for name, value in given.items() if value):
        never = f"{request.target} is read, and no model is built: name one (net.py:Net)"
        raise InitlintError(f"{option} has no effect here: {never}")
