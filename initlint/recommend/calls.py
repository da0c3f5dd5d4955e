"""An initialiser printed: the one call that help, reports, patches and fixed files show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from initlint.records import Fan, Gain, Initializer
from initlint.safe.shown import literal

# Arguments that are written without their names.
_POSITIONAL = {"constant_": ("val",), "uniform_": ("a", "b")}
# black and ruff write no blanks around a power of names with dots between them.
_NAMES = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def in_torch(name: str) -> str:
    """The usual spelling of a function of torch.nn.init."""
    return f"nn.init.{name}"


def call(
    found: Initializer,
    tensor: str,
    fans: Mapping[str, str] | None = None,
    spelled: Callable[[str], str] = in_torch,
    quote: str = '"',
) -> str:
    """`nn.init.kaiming_normal_(tensor, mode="fan_in", nonlinearity="relu")`.

    `fans` are expressions for the tensor's fans (`counted`, `features`); `spelled` gives the
    name of a function of torch.nn.init.
    """
    listed = arguments(found, fans or counted(tensor), spelled, quote)
    written = [f"{name}={value}" if name else value for name, value in listed]
    return f"{spelled(found.name)}({', '.join([tensor, *written])})"


def arguments(
    found: Initializer,
    fans: Mapping[str, str],
    spelled: Callable[[str], str] = in_torch,
    quote: str = '"',
) -> list[tuple[str, str]]:
    """The arguments after the tensor: name ("" if it is not written) and expression."""
    bare = _POSITIONAL.get(found.name, ())
    return [
        ("" if name in bare else name, _expression(value, fans, spelled, quote))
        for name, value in found.args.items()
    ]


def counted(tensor: str) -> dict[str, str]:
    """The fans of a tensor, counted from its shape."""
    return {"in": f"{tensor}[0].numel()", "out": f"{tensor}[:, 0].numel()"}


def features(linear: str) -> dict[str, str]:
    """The fans of an nn.Linear by the names that it has for them."""
    return {"in": f"{linear}.in_features", "out": f"{linear}.out_features"}


def functions(found: Initializer) -> set[str]:
    """The functions of torch.nn.init that the call uses."""
    gains = any(isinstance(value, Gain) for value in found.args.values())
    return {found.name, *(["calculate_gain"] if gains else [])}


def counts_fans(found: Initializer) -> bool:
    """Whether the call takes a fan from the tensor, and so names it more than once."""
    return any(isinstance(value, Fan) for value in found.args.values())


def quoted(text: str, quote: str = '"') -> str:
    """A string as a literal, in the wanted quotes unless that would need escapes."""
    double = literal(text)
    return double if quote == '"' or set(text) & {"'", '"', "\\"} else f"'{double[1:-1]}'"


def _expression(
    value: object, fans: Mapping[str, str], spelled: Callable[[str], str], quote: str
) -> str:
    match value:
        case Fan():
            return _scaled(value, fans)
        case Gain(nonlinearity):
            return f"{spelled('calculate_gain')}({quoted(nonlinearity, quote)})"
        case str():
            return quoted(value, quote)
        case float():
            return f"{value:.4g}"
    return f"{value}"


def _scaled(scale: Fan, fans: Mapping[str, str]) -> str:
    """`1.5 / self.fc.in_features**0.5`, `self.conv.weight[0].numel() ** -0.5` and the like."""
    gain = f"{scale.gain:.4g}"
    sign = gain.removesuffix("1") if gain in ("1", "-1") else None
    if scale.of == "both":
        root = f"(2 / ({fans['in']} + {fans['out']})) ** 0.5"
        return f"{gain} * {root}" if sign is None else sign + root
    fan = fans[scale.of]
    power = "**" if _NAMES.fullmatch(fan) else " ** "
    return f"{gain} / {fan}{power}0.5" if sign is None else f"{sign}{fan}{power}-0.5"
