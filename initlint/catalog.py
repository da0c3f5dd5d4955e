"""Reads `rules/`: the tables of activations and operations, and the cards of the rules."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any, TypeVar

from initlint.records import InitlintError, Rule

HEADINGS = ("What", "Why", "Bad", "Good", "Leave alone", "Fix", "References")
_CHOICES = {
    "family": ("rectifier", "saturating", "smooth", "unscaled"),
    "initializer": ("kaiming_normal_", "xavier_normal_", "normal_"),
    "role": (
        *("shape", "dropout", "scale", "norm", "pool", "merge_add", "merge_cat", "product"),
        *("matmul", "weighted", "attention", "output", "query"),
    ),
    "severity": ("error", "warning"),
    "confidence": ("high", "medium", "low"),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "tuple[str, ...]": (list,),
    "Mapping[str, Any]": (dict,),
}
_FUNCTIONS = {name: value for name, value in vars(math).items() if name[0] != "_"}
_NAMES: dict[str, Any] = {"__builtins__": {}, "abs": abs, "max": max, "min": min, **_FUNCTIONS}
_Row = TypeVar("_Row", "Activation", "Operation")


@dataclass(frozen=True, slots=True)
class Activation:
    """A row of `rules/activations.toml`, whose head says what the fields are."""

    name: str
    modules: tuple[str, ...]
    functions: tuple[str, ...]
    family: str
    initializer: str
    recommended: str
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    formula: str = ""
    keeps: float = 1.0
    nonlinearity: str = ""
    accepts: tuple[str, ...] = ()
    first: str = ""

    def gain(self, args: Mapping[str, Any] = MappingProxyType({})) -> float:
        """The gain that keeps the second moment; arguments that are not given are PyTorch's."""
        values = self._values(args)
        if not self.formula or values == self.arguments:
            return self.keeps
        try:
            return keeping_gain(self.formula, tuple(values.items()))
        except ArithmeticError:
            return self.keeps

    def recommended_gain(
        self, args: Mapping[str, Any] = MappingProxyType({}), first: bool = False
    ) -> float:
        """The gain to initialise with; `first` for the model's first layer."""
        return self._evaluate(self.first if first and self.first else self.recommended, args)

    def accepted(
        self, args: Mapping[str, Any] = MappingProxyType({}), first: bool = False
    ) -> tuple[float, float]:
        """The lowest and the highest gain of which nothing is reported."""
        gains = [self._evaluate(text, args) for text in self.accepts or (self.recommended,)]
        gains.append(self.recommended_gain(args, first))
        return min(gains), max(gains)

    def value(self, x: float, args: Mapping[str, Any] = MappingProxyType({})) -> float:
        """f(x); raises ArithmeticError where it cannot be had, ValueError where no formula is."""
        if not self.formula:
            raise ValueError(self.name)
        return float(_function(self.formula, tuple(self._values(args).items()))(x))

    def _values(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments: those given, where they are known values, else the defaults."""
        return {
            name: args[name] if _is_alike(args.get(name), default) else default
            for name, default in self.arguments.items()
        }

    def _evaluate(self, text: str, args: Mapping[str, Any]) -> float:
        values = {**self._values(args), "gain": self.gain(args)}
        try:
            return float(eval(_compiled(text), _NAMES, values))
        except ArithmeticError:
            return float(eval(_compiled(text), _NAMES, {**self.arguments, "gain": self.keeps}))


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of `rules/operations.toml`, whose head says what the fields are."""

    name: str
    role: str
    modules: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    weight: str = ""
    position: int = -1
    transposed: bool = False


@cache
def _compiled(text: str) -> CodeType:
    return compile(text, "rules/activations.toml", "eval")


def _is_alike(value: object, default: object) -> bool:
    if isinstance(default, str):
        return isinstance(value, str)
    return isinstance(value, int | float) and math.isfinite(value)


@cache
def _function(formula: str, arguments: tuple[tuple[str, Any], ...]) -> Callable[[float], float]:
    found: Callable[[float], float] = eval(f"lambda x: {formula}", {**_NAMES, **dict(arguments)})
    return found


@cache
def keeping_gain(formula: str, arguments: tuple[tuple[str, Any], ...] = ()) -> float:
    """1/sqrt(E[f(z)^2]) with z ~ N(0,1), by the midpoint rule; what lies beyond 8 counts nothing.

    Kinks and jumps at multiples of 1/500 are ends of steps and cost no accuracy; for a jump of
    f(z)^2 by 1 anywhere else, E is off by less than 0.0005.
    """
    f = _function(formula, arguments)
    steps = 500
    points = [(i + 0.5) / steps for i in range(-8 * steps, 8 * steps)]
    moment = math.fsum(f(x) ** 2 * math.exp(-x * x / 2) for x in points)
    return 1 / math.sqrt(moment / steps / math.sqrt(2 * math.pi))


@cache
def activations(folder: Path | None = None) -> Mapping[str, Activation]:
    """All activations by name, with output, linear, gate and attention among them."""
    return _read_table((folder or _rules_folder()) / "activations.toml", Activation)


@cache
def operations(folder: Path | None = None) -> Mapping[str, Operation]:
    """All operations that are not activations, by name."""
    return _read_table((folder or _rules_folder()) / "operations.toml", Operation)


def tables() -> tuple[bytes, bytes]:
    """The text of both tables: whatever is worked out with them holds as long as they do."""
    folder = _rules_folder()
    files = (folder / "activations.toml", folder / "operations.toml")
    return files[0].read_bytes(), files[1].read_bytes()


def activation_of_module(class_name: str) -> Activation | None:
    """The activation that a class of torch.nn computes."""
    return _by_module(activations).get(class_name)


def activation_of_function(name: str) -> Activation | None:
    """The activation behind the bare name of a function, method or in-place form."""
    return _by_function(activations).get(name)


def operation_of_module(class_name: str) -> Operation | None:
    """The operation that a class of torch.nn carries out."""
    return _by_module(operations).get(class_name)


def operation_of_function(name: str) -> Operation | None:
    """The operation behind the bare name of a function, method, attribute or operator."""
    return _by_function(operations).get(name)


@cache
def _by_module(table: Any) -> Mapping[str, Any]:
    return {name: row for row in table().values() for name in row.modules}


@cache
def _by_function(table: Any) -> Mapping[str, Any]:
    return {name: row for row in table().values() for name in row.functions}


def _rules_folder() -> Path:
    """`rules/` inside the installed package, or beside the package in a checkout."""
    package = Path(__file__).parent
    inside = package / "rules"
    return inside if inside.is_dir() else package.parent / "rules"


def _read_table(path: Path, kind: type[_Row]) -> Mapping[str, _Row]:
    text = _read(path)
    rows = {
        name: _row(kind, name, values, partial(_place, path, text, name))
        for name, values in _parse(text, str(path)).items()
    }
    _reject_shared(rows.values(), path, text)
    return MappingProxyType(rows)


def _row(kind: type[_Row], name: str, values: Any, where: Callable[[], str]) -> _Row:
    if not isinstance(values, dict):
        raise InitlintError(f"{where()}: '{name}' is not a table")
    keys = [f for f in fields(kind) if f.name != "name"]
    required = [f.name for f in keys if f.default is f.default_factory is MISSING]
    _reject_incomplete(values, {f.name: str(f.type) for f in keys}, required, where)
    given: dict[str, Any] = {k: tuple(v) if type(v) is list else v for k, v in values.items()}
    return kind(name=name, **given)


def _reject_incomplete(
    values: Mapping[str, Any],
    known: Mapping[str, str],
    required: Iterable[str],
    where: Callable[[], str],
) -> None:
    """Raise unless all keys are known, all required ones are there, and their values make sense."""
    for key in required:
        if key not in values:
            raise InitlintError(f"{where()}: '{key}' is missing")
    for key, value in values.items():
        if key not in known:
            raise InitlintError(f"{where()}: '{key}' is none of {', '.join(known)}")
        if type(value) not in _TYPES[known[key]]:
            raise InitlintError(f"{where()}: '{key}' is not of type {known[key]}")
        if key in _CHOICES and value not in _CHOICES[key]:
            choices = ", ".join(_CHOICES[key])
            raise InitlintError(f"{where()}: {key} '{value}' is none of {choices}")


def _reject_shared(rows: Iterable[Activation | Operation], path: Path, text: str) -> None:
    """Raise where two rows, or one row twice, claim the same module or function."""
    owners: dict[tuple[str, str], str] = {}
    for row in rows:
        names = [("module", n) for n in row.modules] + [("function", n) for n in row.functions]
        for sort, name in names:
            if (sort, name) in owners:
                where = _place(path, text, row.name)
                other = owners[sort, name]
                raise InitlintError(f"{where}: {sort} '{name}' is already in [{other}]")
            owners[sort, name] = row.name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InitlintError(f"{path}: cannot be read: {error}") from error


def _parse(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise InitlintError(f"{path}:{line[1] if line else 1}: {error}") from error


def _place(path: Path, text: str, table: str) -> str:
    return f"{path}:{_line_of(text, f'[{table}]')}"


def _line_of(text: str, start: str) -> int:
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if line.startswith(start)), 1)


@cache
def rules(folder: Path | None = None) -> Mapping[str, Rule]:
    """All rules by code, each from its card `rules/CODE.md`.

    A card is TOML between two lines `+++` (code, name, group, severity, and confidence where it
    is not high), then one paragraph that sums the rule up, then a section for each of `HEADINGS`
    in that order, under `## Heading`. A rule is fixable if an example under Good is what the fix
    makes of the bad one: a fence opened with ```` ```python ````. Where a person has to write the
    good form, its fence opens with ```` ```python by-hand ````.
    """
    found: dict[str, Rule] = {}
    for path in sorted((folder or _rules_folder()).glob("INIT*.md")):
        card = _card(path)
        twin = next((other for other in found.values() if other.name == card.name), None)
        if twin is not None:
            where = f"{path}:{_line_of(_read(path), 'name')}"
            raise InitlintError(f"{where}: name '{card.name}' is already that of {twin.code}")
        found[card.code] = card
    return MappingProxyType(found)


def rule(code_or_name: str, folder: Path | None = None) -> Rule:
    """The rule of this code or name."""
    cards = rules(folder)
    named = {key: card for card in cards.values() for key in (card.code, card.name)}
    found = named.get(code_or_name.upper(), named.get(code_or_name.lower()))
    if found is not None:
        return found
    from difflib import get_close_matches

    near = get_close_matches(code_or_name, named, n=1, cutoff=0.0)
    hint = f"; the nearest is {near[0]}" if near else ""
    raise InitlintError(f"there is no rule '{code_or_name}'{hint}")


def _card(path: Path) -> Rule:
    front, body, offset = _split(path)
    values = _parse("\n" + front, str(path))
    keys = ("code", "name", "group", "severity")
    known = dict.fromkeys((*keys, "confidence"), "str")
    _reject_incomplete(values, known, keys, lambda: f"{path}:1")
    if values["code"] != path.stem:
        where = f"{path}:{_line_of('+++' + chr(10) + front, 'code')}"
        raise InitlintError(f"{where}: code '{values['code']}' is not the file's name")
    summary, sections = _sections(path, body, offset)
    return Rule(
        confidence=values.pop("confidence", "high"),
        fixable=any(line.strip() == "```python" for line in sections["Good"].splitlines()),
        summary=" ".join(summary.split()),
        sections=MappingProxyType(sections),
        text=body.strip() + "\n",
        **values,
    )


def _split(path: Path) -> tuple[str, str, int]:
    """A card's front matter, what comes after it, and the line at which that begins."""
    lines = _read(path).splitlines()
    marks = [number for number, line in enumerate(lines) if line.rstrip() == "+++"][:2]
    if len(marks) < 2 or marks[0] != 0:
        raise InitlintError(f"{path}:1: the card does not begin with TOML between two lines '+++'")
    end = marks[1] + 1
    return "\n".join(lines[1 : marks[1]]), "\n".join(lines[end:]), end + 1


def _sections(path: Path, body: str, offset: int) -> tuple[str, dict[str, str]]:
    lines = body.splitlines()
    places = [*_headings(lines), (len(lines), "")]
    summary = "\n".join(lines[: places[0][0]])
    if not summary.strip():
        raise InitlintError(f"{path}:{offset}: no paragraph sums the rule up")
    for wanted, (start, heading) in zip((*HEADINGS, ""), places, strict=False):
        if heading != wanted:
            wish = f"'## {wanted}'" if wanted else "nothing more"
            raise InitlintError(f"{path}:{offset + start}: {wish} should stand here")
    return summary, {
        heading: "\n".join(lines[start + 1 : end]).strip()
        for (start, heading), (end, _) in pairwise(places)
    }


def _headings(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Where the sections begin; what stands inside a code fence is no heading."""
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("## ") and not fenced:
            yield number, line.removeprefix("## ").strip()
