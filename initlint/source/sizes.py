"""Arithmetic on sizes that are numbers, or products of names, or not known at all."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from initlint.source.values import PLAIN, UNKNOWN, Named, Plain, Sym, Value

# What every named size is taken to be where a number has to be shown.
NOMINAL = 256
_OPERATORS: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


def computed(kind: type[ast.operator], left: Value, right: Value) -> Value:
    """The result of an operator of Python's on two values that are no tensors."""
    if isinstance(left, _LITERAL) and isinstance(right, _LITERAL):
        return _literal(kind, left, right)
    one, other = symbol(left), symbol(right)
    if one is not None and other is not None:
        return _symbolic(kind, one, other)
    if isinstance(left, Plain) or isinstance(right, Plain) or _is_number(left, right):
        return PLAIN
    return UNKNOWN


def _is_number(left: Value, right: Value) -> bool:
    return isinstance(left, (int, float, Sym)) and isinstance(right, (int, float, Sym))


_LITERAL = (int, float, str, bytes, tuple)
_LONGEST = 10_000
# In a text that is filled in: a width that is written with many digits, or given.
_WIDTH = re.compile(r"\d{4}|\*")


def _literal(kind: type[ast.operator], left: Value, right: Value) -> Value:
    function = _OPERATORS.get(kind)
    if function is None or _is_large(kind, left, right):
        return UNKNOWN
    try:
        return function(left, right)
    except (ArithmeticError, TypeError, ValueError, IndexError, KeyError):
        return UNKNOWN


def _is_large(kind: type[ast.operator], left: Value, right: Value) -> bool:
    """Whether the result might be so large that working it out takes time or memory."""
    if kind in (ast.Pow, ast.LShift) and abs(_size(right)) > 64:
        return True
    if any(isinstance(value, int) and value.bit_length() > _LONGEST for value in (left, right)):
        return True
    if kind is ast.Mod and isinstance(left, (str, bytes)):
        width = _WIDTH.search(left if isinstance(left, str) else left.decode("latin-1"))
        return width is not None
    return kind is ast.Mult and (_is_long(left, right) or _is_long(right, left))


def _is_long(sequence: Value, count: Value) -> bool:
    if not isinstance(sequence, (str, bytes, tuple)) or not isinstance(count, int):
        return False
    return len(sequence) * count > _LONGEST


def _size(value: Value) -> float:
    return value if isinstance(value, (int, float)) else 1


def symbol(value: Value) -> Sym | None:
    """A value as a product of powers of names, if it is one."""
    if isinstance(value, Sym):
        return value
    if isinstance(value, Named):
        return Sym(Fraction(1), ((value.name, Fraction(1)),))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return _pure(value)


@lru_cache(maxsize=4096, typed=True)
def _pure(value: float) -> Sym:
    """A number as a product of no names; few numbers are met, each many times."""
    exact = isinstance(value, int) and abs(value) < 1 << 60
    return Sym(Fraction(value) if exact else float(value), ())


def _symbolic(kind: type[ast.operator], one: Sym, other: Sym) -> Value:
    if kind is ast.Mult:
        return _made(one.factor * other.factor, _joined(one, other, 1))
    if kind in (ast.Div, ast.FloorDiv) and other.factor:
        return _made(one.factor / other.factor, _joined(one, other, -1))
    if kind is ast.Pow and not other.powers:
        return power(one, other.factor)
    if kind in (ast.Add, ast.Sub) and one.powers == other.powers:
        sign = 1 if kind is ast.Add else -1
        return _made(one.factor + sign * other.factor, one.powers)
    if kind in (ast.Add, ast.Sub) and 0 in (one.factor, other.factor):
        return one if other.factor == 0 else PLAIN
    if kind is ast.Mod:
        return PLAIN
    return Named(f"({shown(one)} {kind.__name__} {shown(other)})")


def power(value: Sym, exponent: Fraction | float) -> Value:
    """A symbolic number raised to a power."""
    exponent = Fraction(exponent).limit_denominator(16)
    if value.factor <= 0:
        return PLAIN
    factor = value.factor**exponent
    exact = Fraction(factor) if isinstance(factor, int) else factor
    return _made(exact, tuple((name, p * exponent) for name, p in value.powers))


def square_root(value: Value) -> Value:
    """The root of a number, or of a symbolic one."""
    if isinstance(value, (int, float)):
        return math.sqrt(value) if value >= 0 else UNKNOWN
    found = symbol(value)
    return UNKNOWN if found is None else power(found, Fraction(1, 2))


def _joined(one: Sym, other: Sym, sign: int) -> tuple[tuple[str, Fraction], ...]:
    powers = dict(one.powers)
    for name, exponent in other.powers:
        powers[name] = powers.get(name, Fraction(0)) + sign * exponent
    return tuple(sorted((name, value) for name, value in powers.items() if value))


def _made(factor: Fraction | float, powers: tuple[tuple[str, Fraction], ...]) -> Value:
    if powers:
        return Sym(factor, powers)
    if isinstance(factor, Fraction) and factor.denominator == 1:
        return factor.numerator
    return float(factor)


def shown(value: Sym) -> str:
    """A name for a symbolic number, the same for equal ones."""
    factors = [f"{name}^{p}" for name, p in value.powers]
    return "*".join([str(value.factor), *factors])


def product(values: tuple[Value, ...]) -> Value:
    """The product of sizes; unknown if one of them is."""
    result: Value = 1
    for value in values:
        result = computed(ast.Mult, result, value)
    return result


def is_size(value: Value) -> bool:
    """Whether a value is a number or a symbolic one."""
    return type(value) is int or symbol(value) is not None


def nominal(value: Value) -> float:
    """The number that a size is if every name in it is `NOMINAL`."""
    if type(value) is int:
        return float(value)
    found = symbol(value)
    if found is None:
        raise ValueError(value)
    exponent = float(sum((p for _, p in found.powers), Fraction(0)))
    return float(found.factor) * math.pow(NOMINAL, exponent)
