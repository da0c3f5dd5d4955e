"""Reads the tables of `rules/`: activations and operations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, partial
from pathlib import Path
from types import CodeType, MappingProxyType
from typing import Any, TypeVar

from initlint.records import InitlintError

_CHOICES = {
    "family": ("rectifier", "saturating", "smooth", "unscaled"),
    "initializer": ("kaiming_normal_", "xavier_normal_", "normal_"),
    "role": (
        *("shape", "dropout", "scale", "norm", "pool", "merge_add", "merge_cat", "product"),
        *("matmul", "weighted", "attention", "output", "query"),
    ),
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
    """A row of `rules/activations.toml`; the head of that file explains the fields."""

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
    first_accepts: tuple[str, ...] = ()

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
        self,
        args: Mapping[str, Any] = MappingProxyType({}),
        first: bool = False,
        fan_in: float = 1.0,
    ) -> float:
        """The gain to initialise with; `first` for the model's first layer."""
        text = self.first if first and self.first else self.recommended
        return self._evaluate(text, args, fan_in)

    def accepted(
        self,
        args: Mapping[str, Any] = MappingProxyType({}),
        first: bool = False,
        fan_in: float = 1.0,
    ) -> tuple[float, float]:
        """The lowest and the highest accepted gain."""
        texts = self.first_accepts if first and self.first_accepts else self.accepts
        gains = [self._evaluate(text, args, fan_in) for text in texts or (self.recommended,)]
        gains.append(self.recommended_gain(args, first, fan_in))
        return min(gains), max(gains)

    def value(self, x: float, args: Mapping[str, Any] = MappingProxyType({})) -> float:
        """f(x); raises ArithmeticError where it cannot be had, ValueError where no formula is."""
        if not self.formula:
            raise ValueError(self.name)
        return float(_function(self.formula, tuple(self._values(args).items()))(x))

    def function(self, args: Mapping[str, Any] = MappingProxyType({})) -> Callable[[float], float]:
        """f, beyond |x| = 12 continued as a straight line; raises ValueError without a formula."""
        if not self.formula:
            raise ValueError(self.name)
        return _extended(self.formula, tuple(self._values(args).items()))

    def _values(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments: those given, where they are known values, else the defaults."""
        return {
            name: args[name] if _is_alike(args.get(name), default) else default
            for name, default in self.arguments.items()
        }

    def _evaluate(self, text: str, args: Mapping[str, Any], fan_in: float) -> float:
        values = {**self._values(args), "gain": self.gain(args), "fan_in": fan_in}
        try:
            return float(eval(_compiled(text), _NAMES, values))
        except ArithmeticError:
            values |= {**self.arguments, "gain": self.keeps}
            return float(eval(_compiled(text), _NAMES, values))


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of `rules/operations.toml`; the head of that file explains the fields."""

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
def _extended(formula: str, arguments: tuple[tuple[str, Any], ...]) -> Callable[[float], float]:
    """A formula that is safe for |x| <= 12, continued by its tangents."""
    f, end, step = _function(formula, arguments), 12.0, 1e-3
    high, low = f(end), f(-end)
    rise, fall = (high - f(end - step)) / step, (f(step - end) - low) / step

    def beyond(x: float) -> float:
        return high + rise * (x - end) if x > 0 else low + fall * (x + end)

    # One call for a sample, of which a prediction has thousands.
    text = f"({formula}) if {-end} <= x <= {end} else beyond(x)"
    return _function(text, (*arguments, ("beyond", beyond)))


@cache
def keeping_gain(formula: str, arguments: tuple[tuple[str, Any], ...] = ()) -> float:
    """1/sqrt(E[f(z)^2]) with z ~ N(0,1), by the midpoint rule on [-8, 8].

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
    return _read_table((folder or rules_folder()) / "activations.toml", Activation)


@cache
def operations(folder: Path | None = None) -> Mapping[str, Operation]:
    """All operations that are not activations, by name."""
    return _read_table((folder or rules_folder()) / "operations.toml", Operation)


def tables() -> tuple[bytes, bytes]:
    """The text of both tables: whatever is worked out with them holds as long as they do."""
    folder = rules_folder()
    files = (folder / "activations.toml", folder / "operations.toml")
    return files[0].read_bytes(), files[1].read_bytes()


def activation_of_module(class_name: str) -> Activation | None:
    """The activation that a class of torch.nn computes."""
    return _by_module(activations).get(class_name)


def activation_of_function(name: str) -> Activation | None:
    """The activation with this bare name of a function, method or in-place form."""
    return _by_function(activations).get(name)


def operation_of_module(class_name: str) -> Operation | None:
    """The operation that a class of torch.nn carries out."""
    return _by_module(operations).get(class_name)


def operation_of_function(name: str) -> Operation | None:
    """The operation with this bare name of a function, method, attribute or operator."""
    return _by_function(operations).get(name)


@cache
def _by_module(table: Any) -> Mapping[str, Any]:
    return {name: row for row in table().values() for name in row.modules}


@cache
def _by_function(table: Any) -> Mapping[str, Any]:
    return {name: row for row in table().values() for name in row.functions}


def rules_folder() -> Path:
    """`rules/` inside the installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
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
