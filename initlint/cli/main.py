"""The command line: reads the options of each command and turns every failure into one line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from initlint.cli import terminal
from initlint.cli.options import (
    choice,
    file,
    flag,
    formats,
    many,
    of_each_model,
    of_model,
    of_processes,
    of_reading,
    of_rules,
    of_settings,
    timeout,
)
from initlint.extras import missing
from initlint.output import FORMATS
from initlint.output.card import FORMATS as CARDS
from initlint.records import POLICIES, SCOPES, InitlintError


def run(argv: list[str] | None = None) -> NoReturn:
    """Run the command line `argv` (default: that of the process) and exit with its code."""
    # Trees and graphs are many objects and little garbage.
    gc.disable()
    _clear_up_when_ended()
    terminal.open_streams()
    code = main(sys.argv[1:] if argv is None else argv)
    # The interpreter collects once more before it ends; all of this goes with the process anyway.
    gc.freeze()
    sys.exit(code)


def _clear_up_when_ended() -> None:
    """Let signals that end the process raise SystemExit, so that half a file does not stay."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # One that is ignored, as by nohup, stays so.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(argv: list[str] | None = None) -> int:
    """Run one command line and return its exit code; a failure is one line on stderr."""
    try:
        Path.cwd()
    except OSError as error:
        return terminal.failed(f"the working directory cannot be used: {error.strerror}")
    try:
        code = group.main(argv, prog_name="initlint", standalone_mode=False)
        return int(code or terminal.CLEAN)
    except (click.Abort, KeyboardInterrupt):
        return terminal.INTERRUPTED
    except click.UsageError as error:
        more = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return terminal.failed(f"{error.format_message()}{more}")
    except (click.ClickException, InitlintError) as error:
        return terminal.failed(str(error))
    except Exception as error:
        return _internal(error)


def _internal(error: Exception) -> int:
    if os.environ.get("INITLINT_DEBUG"):
        import traceback

        for lines in traceback.format_exception(error):
            for line in lines.splitlines():
                terminal.err(line)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    how = "(please report; INITLINT_DEBUG=1 shows the traceback)"
    terminal.err(f"initlint: internal error: {what} {how}")
    return terminal.FAILED


class _Unambiguous(click.Command):
    """A command that refuses an option that is also the name of a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments; raises UsageError for such an option, unless `--` ends the options."""
        for given in args if "--" not in args else ():
            if given.startswith("-") and given != "-" and os.path.lexists(given):
                meant = f"write ./{given} for the file, or -- between the options and the targets"
                raise click.UsageError(f"{given} is an option and a file: {meant}", ctx)
        ends = args.index("--") if "--" in args else len(args)
        if "--add-noqa=" in args[:ends]:
            meant = "write --add-noqa=REASON, or --add-noqa for comments without a reason"
            raise click.UsageError(f"--add-noqa= has no reason: {meant}", ctx)
        # Its value is optional, and so must follow `=`: the next word is a target.
        options = [f"{a}=" if a == "--add-noqa" else a for a in args[:ends]]
        return super().parse_args(ctx, [*options, *args[ends:]])


def _is_target(name: str) -> bool:
    return name.endswith((".py", ".ipynb")) or ":" in name or os.path.lexists(name)


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from initlint import __version__

        terminal.out(f"initlint {__version__}\n")
        context.exit()


class _Commands(click.Group):
    """The commands; a target in the place of one is told that `check` comes first."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command. Raises UsageError if there is none of that name."""
        name = args[0]
        if name == "fix":
            meant = f"did you mean `initlint check --fix {' '.join(args[1:]) or '[TARGET]'}`?"
            raise click.UsageError(f"there is no command fix; {meant}", ctx)
        if name not in self.commands and _is_target(name):
            meant = f"did you mean `initlint check {name}`?"
            raise click.UsageError(f"there is no command {name}; {meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
@click.pass_context
def group(context: click.Context) -> int:
    """Are my weights initialised right? A linter, fixer and initialiser for PyTorch models.

    \b
    Examples:
      initlint check src/                      read files, run nothing
      initlint check net.py:Net                build the model Net() and judge it
      initlint check net.py:Net --show-layers  with a table of every layer
      initlint check --trace net.py --diff     show what --fix would change
      initlint check --trace net.py --fix      write the safe fixes
      initlint apply net.py:Net --out net.safetensors
      initlint profile net.py:Net --out page.html
      initlint rule INIT101                    explain what a rule reports

    \b
    Exit codes:
      0  no findings, or all of them fixed
      1  findings remain
      2  initlint could not do what you asked; stderr says why
    """
    if context.invoked_subcommand is None:
        terminal.out(f"{context.get_help()}\n")
    return terminal.CLEAN


@group.command(cls=_Unambiguous, short_help="Judge how each weight is initialised.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@flag("--trace", help="Import the files, and judge every model class in them.")
@flag("--fix", help="Write the safe fixes into the files.")
@flag("--diff", help="Show what --fix would change; write nothing.")
@flag("--unsafe-fixes", help="Also apply fixes that override deliberate choices.")
@choice("--style", help="Where --fix writes: in __init__, reset_parameters, or a callback.")
@choice("--distribution", help="What weights are drawn from.")
@choice("--mode", help="The fan that a std is computed from.")
@choice("--bias", help="Whether --fix zeroes the biases of the layers it initialises.")
@many("--select", metavar="CODES", help="Only these rules: codes, prefixes (INIT1), names, ALL.")
@many("--ignore", metavar="CODES", help="Leave out these rules.")
@many("--extend-select", metavar="CODES", help="Also these rules.")
@many("--exclude", metavar="PATTERNS", help="Also leave out files and folders of these names.")
@flag("--ignore-noqa", help="Also report findings that a comment silences.")
@click.option(
    "--output-format",
    "formats",
    callback=formats,
    shell_complete=lambda ctx, param, begun: [form for form in FORMATS if form.startswith(begun)],
    multiple=True,
    metavar="FORMAT[=FILE]",
    help=f"How findings are printed: {', '.join(FORMATS)}. With =FILE, also write that file. "
    "Repeatable.  [default: full]",
)
@file("--output-file", help="Write findings to this file.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Whether to use colours.  [default: auto]",
)
@of_rules
@flag("--show-layers", help="First print a table of all layers; JSON always has them.")
@flag("--statistics", help="Count the findings of each rule instead of listing them.")
@of_processes
@flag("--no-cache", help="Read all files anew; keep nothing for the next run.")
@click.option(
    "--add-noqa",
    metavar="[=REASON]",
    help="Add a comment to the line of each finding that silences it.",
)
@file("--baseline", help="Be silent about the findings in this file.")
@flag("--ignore-baseline", help="Also report findings that a baseline knows.")
@file("--write-baseline", help="Write all findings to this file.")
@flag("--prune-baseline", help="Remove findings from the baseline that are not there any more.")
@flag("--locked", help="Also fail where a parameter starts differently than in init.lock.")
@flag("--watch", help="Check again whenever a file changes, until Ctrl-C.")
@flag("--exit-zero", help="Exit with 0 even if there are findings.")
@flag("--exit-non-zero-on-fix", help="Exit with 1 if --fix changed a file.")
@flag("--show-files", help="List the files and models that would be checked.")
@flag("--show-settings", help="List the settings, and which rules they leave on.")
@of_model
@of_each_model
@file("--stdin-filename", metavar="PATH", help="The name of standard input (TARGET -).")
@of_settings
@flag("-q", "--quiet", help="Print findings and errors only.")
def check(**options: Any) -> int:
    """Judge how each weight is initialised by the activation that follows it.

    initlint reads a TARGET that is a file, a folder or - (standard input). It imports and builds
    package.module:attr or path/net.py:attr, where attr is a model class, a function that returns
    a model, or a model. Without a TARGET, it checks the paths and models of [tool.initlint] in the
    nearest pyproject.toml, or else the working directory.
    """
    from initlint.cli import commands
    from initlint.cli.request import Check, split_formats

    form, reports = split_formats(options.pop("formats"))
    request = Check(**options, output_format=form, reports=reports)
    return commands.check(request)


@group.command(cls=_Unambiguous, short_help="Initialise a model's weights and write them.")
@click.argument("target")
@click.option("--device", default="cpu", show_default=True, help="Where the model is built.")
@click.option("--seed", type=int, help="The same seed gives the same weights.")
@many("--only", metavar="PATTERN", help="Only parameters or modules of this name (* and ?).")
@many("--skip", metavar="PATTERN", help="Leave out parameters or modules of this name.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default=POLICIES[0],
    show_default=True,
    help="Draw as recommended; orthogonal matrices; or those, with scales set by a run.",
)
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default=SCOPES[0],
    show_default=True,
    help="Fill what is uninitialised or has a finding; also PyTorch's defaults; or every layer.",
)
@click.option(
    "--forget-bias",
    type=float,
    metavar="NUMBER",
    help="Biases of LSTMs begin with this for the forget gates, and zero for the others.",
)
@flag("--force", help="Also overwrite weights that the constructor loaded from a file.")
@file("--out", metavar="FILE.safetensors", help="Write the state dict to this file.")
@of_model
@timeout("How long building and filling the model may take.  [default: any time]", default=0)
def apply(**options: Any) -> int:
    """Build a model, initialise its weights as recommended, and write the state dict.

    TARGET is package.module:attr or path/net.py:attr. Layers without a finding, normalisations and
    embeddings get what the constructor gives them; --scope fills more. The biases of filled layers
    become zero.
    """
    from initlint.cli import commands
    from initlint.cli.request import Apply

    return commands.apply(Apply(**options))


@group.command(cls=_Unambiguous, short_help="Compare how parameters start in two versions.")
@click.argument("old")
@click.argument("new")
@click.option(
    "--output-format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
)
@of_reading
def diff(old: str, new: str, form: str, **options: Any) -> int:
    """Print which parameters start with another shape or from another distribution.

    OLD and NEW are each a file or folder, an installed package, a model to build
    (path/net.py:attr), or git:REVISION[:PATH]. Exits with 1 if something differs.

    \b
    Examples:
      initlint diff git:HEAD src/          what the uncommitted changes do
      initlint diff git:v1.0:src git:v2.0:src
      initlint diff old/net.py new/net.py
    """
    from initlint.cli import compare

    return compare.diff(old, new, form, compare.Reading(**options))


@group.command(cls=_Unambiguous, short_help="Write init.lock: how every parameter starts.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@file("--file", help="The file to write.  [default: init.lock]")
@of_reading
def lock(targets: tuple[str, ...], file: str | None, **options: Any) -> int:
    """Write how every parameter starts into init.lock, to be committed beside the code.

    `initlint check --locked` then fails where one starts differently. The file lies beside the
    nearest pyproject.toml with [tool.initlint], or else in the working directory.
    """
    from initlint.cli import compare

    return compare.locked(targets, file, compare.Reading(**options))


@group.command(cls=_Unambiguous, short_help="Predict and measure the signal through a model.")
@click.argument("target")
@file("--out", help="Also write a page (.html), a picture (.png, .svg) or .json.")
@of_model
@timeout("How long building and running the model may take.  [default: any time]", default=0)
def profile(**options: Any) -> int:
    """Show the signal and its gradient at every layer: predicted, and measured in a run.

    TARGET is package.module:attr or path/net.py:attr, which is built and run; or a file or a
    folder, whose models are read, so that nothing is run or measured. Each is shown as it is, with
    the findings mended as --fix does (recommended), and with PyTorch's default.
    """
    from initlint.cli import profiled

    return profiled.profile(profiled.Profiled(**options))


@group.command(cls=_Unambiguous, short_help="Explain a rule.")
@click.argument("rule", required=False, metavar="[CODE|NAME]")
@flag("--all", "every", help="Print all cards.")
@flag("--list", "in_short", help="List all rules, one a line.")
@click.option("--output-format", type=click.Choice(CARDS), default="text", show_default=True)
@of_rules
def rule(
    rule: str | None, every: bool, in_short: bool, output_format: str, rules: tuple[str, ...]
) -> int:
    """Print a rule's card: what it reports and why, examples, and when it is silent."""
    if (rule is not None) + every + in_short != 1:
        raise click.UsageError("name one rule by code or name, or give --all or --list")
    if in_short and output_format != "text":
        raise click.UsageError(f"--list has no effect here: --all has the format {output_format}")
    from initlint.cli import commands

    return commands.rule(rule, output_format, rules, in_short)


@group.command(short_help="Serve an editor: findings, fixes and hovers while you type.")
@flag("--stdio", help="Use standard input and output, as without it: clients may add it.")
def server(stdio: bool) -> int:
    """Run the language server on standard input and output, for an editor to start.

    It reads the open files, and runs nothing of them. Needs pygls: pip install pygls.
    """
    try:
        from initlint.server.main import run as serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise missing("server", "pygls") from None
    serve()
    return terminal.CLEAN
