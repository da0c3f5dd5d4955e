"""Arithmetic on sizes that are numbers, or products of names, or not known at all."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Named,
    Plain,
    Sym,
    Value,
    bounded,
    named,
)
from initlint.reading.budget import BITS, CHARACTERS

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


# With two whole numbers below `_SMALL`, these give one that is no larger than a number may be.
_ON_SIZES = {k: _OPERATORS[k] for k in (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)}
_SMALL = 1 << 30


def computed(kind: type[ast.operator], left: Value, right: Value) -> Value:
    """The result of an operator of Python's on two values that are no tensors."""
    if type(left) is int and type(right) is int and kind in _ON_SIZES:
        # Nearly all are two sizes, which are small.
        is_small = -_SMALL < left < _SMALL and -_SMALL < right < _SMALL
        if is_small and (right or kind not in (ast.FloorDiv, ast.Mod)):
            return _ON_SIZES[kind](left, right)
    if isinstance(left, _LITERAL) and isinstance(right, _LITERAL):
        return _literal(kind, left, right)
    one, other = symbol(left), symbol(right)
    if one is not None and other is not None:
        try:
            return _symbolic(kind, one, other)
        except (ArithmeticError, ValueError):
            return PLAIN
    if isinstance(left, Plain) or isinstance(right, Plain) or _is_number(left, right):
        return PLAIN
    return UNKNOWN


def _is_number(left: Value, right: Value) -> bool:
    return isinstance(left, (int, float, Sym)) and isinstance(right, (int, float, Sym))


_LITERAL = (int, float, str, bytes, tuple)
# In a text that is filled in: a width that is written with many digits, or given.
_WIDTH = re.compile(r"\d{3}|\*")


def _literal(kind: type[ast.operator], left: Value, right: Value) -> Value:
    function = _OPERATORS.get(kind)
    if function is None or _is_large(kind, left, right):
        return UNKNOWN
    try:
        return bounded(function(left, right))
    except (ArithmeticError, TypeError, ValueError, IndexError, KeyError):
        return UNKNOWN


def _is_large(kind: type[ast.operator], left: Value, right: Value) -> bool:
    """Whether the result might be so large that working it out takes time or memory."""
    if kind in (ast.Pow, ast.LShift) and abs(_size(right)) > 64:
        return True
    if any(bounded(value) is UNKNOWN for value in (left, right)):
        return True
    if kind is ast.Mod and isinstance(left, (str, bytes)):
        return _is_long_form(left, right)
    return kind is ast.Mult and (_is_long(left, right) or _is_long(right, left))


def _is_long_form(form: str | bytes, given: Value) -> bool:
    """Whether what `form % given` gives may be long: by its widths, or by what is put into it."""
    values = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(value, (int, float, str, bytes)) for value in values):
        return True
    length = sum(len(value) for value in values if isinstance(value, (str, bytes)))
    text = form if isinstance(form, str) else form.decode("latin-1")
    return len(form) + length > CHARACTERS or _WIDTH.search(text) is not None


def _is_long(sequence: Value, count: Value) -> bool:
    if not isinstance(sequence, (str, bytes, tuple)) or not isinstance(count, int):
        return False
    return len(sequence) * count > CHARACTERS


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
    # What is beyond the largest float is no size: infinity stands for it.
    if isinstance(value, int) and value.bit_length() > 1000:
        return Sym(math.inf, ())
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
    return named(Named(f"({shown(one)} {kind.__name__} "), f"{shown(other)})")


def power(value: Sym, exponent: Fraction | float) -> Value:
    """A symbolic number raised to a power."""
    if value.factor <= 0 or not -_LARGEST_POWER <= exponent <= _LARGEST_POWER:
        return PLAIN
    exponent = Fraction(exponent).limit_denominator(16)
    factor = value.factor**exponent
    exact = Fraction(factor) if isinstance(factor, int) else factor
    return _made(exact, tuple((name, p * exponent) for name, p in value.powers))


def square_root(value: Value) -> Value:
    """The root of a number, or of a symbolic one."""
    if isinstance(value, (int, float)):
        return math.sqrt(value) if bounded(value) is value and value >= 0 else UNKNOWN
    return computed(ast.Pow, value, 0.5) if symbol(value) is not None else UNKNOWN


def _joined(one: Sym, other: Sym, sign: int) -> tuple[tuple[str, Fraction], ...]:
    powers = dict(one.powers)
    for name, exponent in other.powers:
        powers[name] = powers.get(name, Fraction(0)) + sign * exponent
    return tuple(sorted((name, value) for name, value in powers.items() if value))


def _made(factor: Fraction | float, powers: tuple[tuple[str, Fraction], ...]) -> Value:
    if isinstance(factor, Fraction) and max(abs(factor.numerator), factor.denominator) >> _EXACT:
        factor = float(factor)
    if powers:
        degree = sum((abs(exponent) for _, exponent in powers), Fraction(0))
        is_large = len(powers) > _MOST_NAMES or degree > _LARGEST_POWER
        return PLAIN if is_large else Sym(factor, powers)
    if isinstance(factor, Fraction) and factor.denominator == 1:
        return bounded(factor.numerator)
    return float(factor)


# Symbolic numbers are small as well: in the bits up to which their factors are exact, in the
# names that they are a product of, and in the sum of those names' powers.
_EXACT, _MOST_NAMES, _LARGEST_POWER = 128, 16, 64


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
    """Whether a value is a number or a symbolic one, and may be the size of a tensor."""
    if type(value) is int:
        return 0 <= value < _BEYOND
    return symbol(value) is not None and 0 <= nominal(value) < _BEYOND


# No size has more bits than this; neither infinity nor NaN is less.
_BEYOND = 1 << BITS


def nominal(value: Value) -> float:
    """The number that a size is if every name in it is `NOMINAL`."""
    if type(value) is int:
        return float(value)
    found = symbol(value)
    if found is None:
        raise ValueError(value)
    exponent = float(sum((p for _, p in found.powers), Fraction(0)))
    return float(found.factor) * math.pow(NOMINAL, exponent)
