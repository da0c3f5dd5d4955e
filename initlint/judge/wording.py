"""How a finding is put into words: what fills the layer, what it needs, what the signal does."""

from __future__ import annotations

import math
import re
from pathlib import PurePath

from initlint.recommend import TOLERANCE, family, has_mean, magnitude, ratio, times
from initlint.records import Initializer, Layer, Parameter, Whole
from initlint.safe.shown import access, is_attribute

# Longer messages are made shorter by leaving out what other parts of a report show.
LONGEST = 160
_LONGEST_NAME = 48
# From here on the signal shows what is wrong, and the gradient is not needed.
_CLEAR = math.log(2)
# A gradient so much further off says more: biases keep up a signal that tells nothing apart.
_MUCH = math.log(10)
# A share of the signal at the other end that shows what is wrong.
_SEEN = 0.7


def consequence(layer: Layer, code: str) -> str:
    """One sentence on an unsuited std, and where to read on."""
    current, value = layer.current, ratio(layer)
    if current is None or current.std is None or value is None or layer.recommended is None:
        return ""
    name = called(layer)
    what = f"{name} {_filled(current, layer)} before {_following(layer)}: "
    what += _against_needed(current, layer.recommended, value)
    parts = [predicted(layer), hint(code)]
    for kept in (parts, parts[:1], []):
        message = "".join((what, *kept))
        if len(message) <= LONGEST:
            break
    return message


def hint(code: str) -> str:
    """Where to read on, for the end of a message."""
    return f" (`initlint rule {code}`)"


_NUMBERS = re.compile(r"( before \w+)\([^)]*\):")
_OTHERS = re.compile(r"( more (?:of this line|like it)): [^)]*\)$")
# What `predicted` gives, up to the number of further layers in brackets.
_PREDICTED = re.compile(r"; predicted (?:signal|gradient) at [^;]*?: [^;(]*?(?=$| \()")


def brief(message: str) -> str:
    """A message without the predicted signal, numbers of the activation, names of more layers."""
    return _OTHERS.sub(r"\1)", _NUMBERS.sub(r"\1:", _PREDICTED.sub("", message)))


def unhinted(message: str, code: str) -> str:
    """A message without the hint at its end."""
    return message.removesuffix(hint(code))


def _against_needed(current: Initializer, recommended: Initializer, value: float) -> str:
    """The present std against the recommended one, as the table of layers has it.

    A scheme may count another fan than the recommended one: where the two stds happen to be close,
    what is off is the gain, by the fan that the present scheme counts.
    """
    std = magnitude(current) / recommended.std if recommended.std else 1.0
    is_off = not 1 / TOLERANCE <= std <= TOLERANCE
    if is_off and (std < 1) == (value < 1):
        return f"{times(std)} the std it needs"
    return f"{times(value)} the gain it needs"


def course(layer: Layer, whole: Whole, code: str) -> str:
    """One sentence on a run of layers that loses the signal or the gradient, or blows it up."""
    count = len(whole.layers) - 1
    more = f" and {count} more layers" if count > 1 else " and one more layer" if count else ""
    ahead, back = abs(math.log(whole.forward)), abs(math.log(whole.backward))
    met, factor = ("signal", whole.forward) if ahead >= back else ("gradient", whole.backward)
    what = f"{called(layer)}{more} without activation "
    what += f"{'multiply' if count else 'multiplies'} the {met} by {_plain(factor)}"
    return _told(what, "nn.init.xavier_normal_ keeps it", code)


def growth(layer: Layer, whole: Whole, code: str) -> str:
    """One sentence on residual branches that multiply their stream."""
    name = called(layer)
    what = f"{name} ends the first of {whole.blocks} residual branches without normalisation, "
    what += f"which multiply the stream by {_plain(whole.forward)}"
    return _told(what, "begin with zeros_", code)


def loudness(layer: Layer, whole: Whole, code: str) -> str:
    """One sentence on a layer inside such branches that makes them louder still."""
    present, wanted = layer.current, layer.recommended
    factor = magnitude(present) / wanted.std if present and wanted and wanted.std else 1.0
    what = f"{called(layer)} is inside the residual branches that multiply their stream by "
    return _told(f"{what}{_plain(whole.forward)}", f"{times(factor)} the std it needs", code)


def faintness(layer: Layer, whole: Whole, code: str) -> str:
    """One sentence on residual branches that add nothing to their stream, or learn slowly."""
    if layer.nominal:
        what = f"{called(layer)} and {len(whole.layers) - 1} more layers are so small that their "
        what += "branches add hardly anything to the stream"
        return _told(what, f"std {0.02 * math.sqrt(768):.2g}/√width adds more", code)
    std = layer.current.std if layer.current is not None and layer.current.std is not None else 0.0
    width = layer.shape[0] or 1
    what = f"{called(layer)} and {len(whole.layers) - 1} more layers have std {std:.2g}"
    # As 0.02 at a width of 768, for which it was chosen.
    advice = f"std {0.02 * math.sqrt(768 / width):.2g}"
    if whole.kind == "narrow":
        return _told(f"{what}, too small for a width of {width}", f"{advice} learns faster", code)
    what += f": their branches add {100 * whole.share:.1g} % to the stream"
    return _told(what, f"{advice} adds more", code)


def memory(layer: Layer, radius: float, code: str) -> str:
    """One sentence on a recurrent weight and what becomes of the state."""
    filled = _filled(layer.current, layer) if layer.current is not None else "is filled"
    what = "the state saturates" if radius > 1 else "the state is forgotten at once"
    found = f"{called(layer, layer.parameter)} {filled}: its spectral radius is about {radius:.2g}"
    return _told(f"{found}, {what}", "orthogonal_ gives 1", code)


def drowned(layer: Layer, whole: Whole, code: str) -> str:
    """One sentence on tokens that attention can hardly tell apart."""
    what = f"{called(layer)} is {whole.forward:.0f} times smaller than "
    what += f"what is added to all tokens: attention sees {100 * whole.share:.4g} % in common"
    return _told(what, "add less", code)


def _told(what: str, advice: str, code: str) -> str:
    message = f"{what}; {advice}{hint(code)}"
    return message if len(message) <= LONGEST else f"{what}; {advice}"


def _plain(factor: float) -> str:
    return _number(factor).removesuffix("×") if factor > 1 else f"{factor:.1g}"


def _filled(current: Initializer, layer: Layer) -> str:
    """What fills a layer: PyTorch's default, or the user's call and its line."""
    if current.default:
        return "keeps PyTorch's default"
    if has_mean(current):
        std = "" if layer.nominal else f" {current.mean:.3g} and std {current.std:.3g}"
        return f"gets the mean{std} from {current.name}{_line(current, layer)}"
    if current.name == "measured":
        return f"has std {current.std:.3g}"
    return f"is filled by {current.name}{_line(current, layer)}"


def origin(current: Initializer) -> str:
    """The source of a weight's values: PyTorch's default, or the user's call and its line."""
    if current.default:
        return f"PyTorch's default {current.name}"
    if current.name == "measured":
        return "measurement"
    if current.site is None:
        return current.name
    # The cell of a notebook is found by its whole path.
    path = current.site.path
    return f"{current.name} at {_file(path)}:{current.site.line}"


def _file(path: str) -> str:
    return path if path.endswith(".ipynb") else PurePath(path).name


def _line(current: Initializer, layer: Layer) -> str:
    """Where the user's call is; its file is named if it is not the layer's, or is a notebook."""
    if current.site is None:
        return ""
    if current.site.path.endswith(".ipynb"):
        # The line counts from the cell, which the notebook's text tells.
        return f" at {current.site.path}:{current.site.line}"
    if layer.site is not None and layer.site.path == current.site.path:
        return f" in line {current.site.line}"
    return f" at {PurePath(current.site.path).name}:{current.site.line}"


def predicted(layer: Layer) -> str:
    """What the predicted signal, or the gradient if that is further off, comes to."""
    signal = layer.signal
    if signal is None:
        return ""
    ahead, back = abs(math.log(signal.forward)), abs(math.log(signal.backward))
    if ahead >= min(back, _CLEAR) and back - ahead < _MUCH:
        place = called(layer, signal.end) if signal.end else "the output"
        if layer.nominal and family(layer) == "saturating":
            return ""
        return f"; predicted signal at {place}: {_share(signal.forward, signal.arriving, 'input')}"
    if layer.nominal:
        # It depends on the ratios of widths that are only names.
        return ""
    place = called(layer, signal.start) if signal.start else "the input"
    share = _share(signal.backward, signal.returning, "output")
    return f"; predicted gradient at {place}: {share}"


def _share(factor: float, absolute: float, end: str) -> str:
    """A strength against that at the other end, if this shows what is wrong."""
    shows = factor < 1 and absolute < 0.7 if factor < 1 else absolute > 1.4
    if not shows:
        return f"{_number(factor)} of what it should be"
    return f"{_number(absolute)} of the {end}'s"


def _number(value: float) -> str:
    if value >= 10:
        return (
            f"{float(f'{value:.2g}'):.0f}×"
            if value < 1e4
            else f"{value:.0e}×".replace("e+0", "e").replace("e+", "e")
        )
    return f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def called(layer: Layer, name: str = "") -> str:
    """A layer as its user writes it: conv1, hidden[0], or actor[2] in a bare Sequential.

    `name` is that of another layer of the model.
    """
    return shortened(
        within(layer.model if layer.site else "", name or layer.layer or layer.parameter)
    )


def named(parameter: Parameter) -> str:
    """A parameter as its user writes it: conv1.weight, hidden[0].bias."""
    return shortened(within(parameter.model if parameter.site else "", parameter.name))


def within(model: str, name: str) -> str:
    """A name in a model; one that begins with a number is that of a member of the model itself."""
    if not name.partition(".")[0].isdigit():
        return access("", name)
    holder = model.rpartition(":")[2].rpartition(".")[2]
    return access(holder if is_attribute(holder) else "model", name)


def shortened(name: str) -> str:
    """A name of a layer, its end if it is long."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def _following(layer: Layer) -> str:
    args = {k: v for k, v in layer.following.args.items() if isinstance(v, (int, float))}
    shown = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    return layer.following.activation + (f"({shown})" if shown else "")


def _short(value: object) -> str:
    if isinstance(value, float):
        return "√5" if math.isclose(value, math.sqrt(5)) else f"{value:.4g}"
    return f"{value}"
