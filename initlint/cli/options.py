"""How options of the command line are spelled, and those that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from initlint.output import FORMATS
from initlint.records import CHOICES

Command = TypeVar("Command", bound=Callable[..., Any])


def several(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed by --help in the order given."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def flag(*names: str, help: str) -> Callable[[Command], Command]:
    """An option without a value."""
    return click.option(*names, is_flag=True, help=help)


def many(*names: str, metavar: str, help: str) -> Callable[[Command], Command]:
    """An option that may be given several times."""
    return click.option(*names, multiple=True, metavar=metavar, help=f"{help} Repeatable.")


def file(name: str, help: str, metavar: str = "FILE") -> Callable[[Command], Command]:
    """An option whose value is the name of a file; an empty one is an error."""
    return click.option(name, metavar=metavar, help=help, callback=_named)


def _named(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    if given == "":
        raise click.UsageError(f"{param.opts[0]} names no file", ctx)
    return given


def choice(name: str, help: str) -> Callable[[Command], Command]:
    """An option with one of the values that a setting of this name has."""
    return click.option(name, type=click.Choice(CHOICES[name.removeprefix("--")]), help=help)


def formats(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Each `FORMAT` or `FORMAT=FILE` as a pair; "" where there is no file. Raises BadParameter."""
    pairs = []
    for text in given:
        form, equals, file = text.partition("=")
        if equals and not file:
            raise click.BadParameter(f"{text} names no file", ctx, param)
        pairs.append((str(click.Choice(FORMATS).convert(form, param, ctx)), file))
    return tuple(pairs)


def timeout(help: str, default: int | None = None) -> Callable[[Command], Command]:
    """The option --timeout: 0 for any time."""
    return click.option(
        "--timeout", type=click.IntRange(0), default=default, metavar="SECONDS", help=help
    )


of_each_model = timeout("How long the code of one model may run; 0 for any time.  [default: 300]")
of_processes = click.option(
    "-j", "--jobs", type=click.IntRange(1), default=1, help="Processes that read files."
)
of_settings = several(
    file("--config", help="Use the settings of this file alone."),
    flag("--isolated", help="Read no settings file."),
)
of_rules = many("--rules", metavar="FOLDER", help="Also use the rules in this folder.")
of_model = several(
    many("--arg", "args", metavar="NAME=VALUE", help="Constructor argument."),
    many("--input", "inputs", metavar="SPEC", help="Example input: 1,3,32,32 or ids=int64[2,16]."),
)
of_reading = several(of_model, of_each_model, of_processes, of_settings)
