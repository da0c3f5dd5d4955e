"""The arguments of a rule: a model's records, and the path of each layer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from initlint.recommend import has_mean, ratio
from initlint.records import Call, Layer, Parameter, Site, Test


@dataclass(frozen=True, slots=True)
class Path:
    """The longest run of weighted layers around a layer with no normalisation between.

    `log_product` is the sum of the logarithms of the layers' ratios: of the factor by which they
    scale the signal. `end` is the last layer of the run. `enclosed` is True if the run is between
    two normalisations; then the sum leaves out the last layer, whose factor is cancelled.
    """

    count: int
    log_product: float
    end: str
    from_input: bool
    enclosed: bool = False

    @property
    def matters(self) -> bool:
        """Whether a wrong scale on this path matters (docs/verdict.md, "Where it matters").

        The effect of a run between two normalisations ends with it, however deep the model is. So
        for such a run only the product of its factors counts, not its length.
        """
        return self.from_input or self.is_far or (self.count >= 3 and not self.enclosed)

    @property
    def is_far(self) -> bool:
        """Whether the whole path scales the signal by more than a factor 10, either way."""
        return abs(self.log_product) > math.log(10)


class Problem(NamedTuple):
    """A record that a rule reports, and why; `code` is the rule's, known once its function is.

    `record` is what the function was given: a layer, a parameter, a call or a test. `instead` is
    the name of the initialiser that is to be called in place of a call's present one. `at` is the
    line at fault of a parameter, where that is not the one that makes it.
    """

    record: Record
    message: str
    code: str = ""
    instead: str = ""
    at: Site | None = None

    @property
    def site(self) -> Site | None:
        """The line that is reported."""
        return self.at or self.record.site


# The subjects of a rule.
Record = Layer | Parameter | Call | Test
# The results of a rule's function.
Problems = Iterator[Problem | tuple[Record, str]]


class Model:
    """One model: its layers in the order of the data, its parameters, calls and tests."""

    def __init__(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Parameter] = (),
        calls: Sequence[Call] = (),
        tests: Sequence[Test] = (),
    ) -> None:
        self.layers = tuple(layers)
        self.parameters = tuple(parameters)
        self.calls = tuple(calls)
        self.tests = tuple(tests)
        # Those that others than torch have filled, at least in part.
        self.filled = tuple(p for p in self.parameters if any(d.by != "torch" for d in p.history))
        self._named: dict[str, Parameter] = {}
        self._by_parameter = {layer.parameter: layer for layer in layers}
        self._logs = {layer.parameter: _log_ratio(layer) for layer in layers}
        self._up = self._runs({layer.parameter: layer.before for layer in layers})
        self._down = self._runs({layer.parameter: layer.after for layer in layers})

    def parameter(self, name: str) -> Parameter | None:
        """The parameter or buffer of this name."""
        if not self._named:
            self._named.update({parameter.name: parameter for parameter in self.parameters})
        return self._named.get(name)

    def layer(self, parameter: str | None) -> Layer | None:
        """The layer whose weight has this name."""
        return self._by_parameter.get(parameter) if parameter is not None else None

    def path(self, layer: Layer) -> Path:
        """The path of `layer`."""
        above, up, _ = self._up[layer.parameter]
        below, down, end = self._down[layer.parameter]
        product = up + down - self._logs[layer.parameter]
        last = self._by_parameter[end].layer or end
        enclosed = layer.origin == "norm" and layer.closed
        if enclosed:
            product -= self._logs[end]
        return Path(above + below - 1, product, last, layer.origin == "input", enclosed)

    def _runs(self, pointers: dict[str, str | None]) -> dict[str, tuple[int, float, str]]:
        """Length, sum of log ratios and end of the run that starts at each layer.

        Every pointer leads to a layer used earlier (or later) than the one before, so that runs
        end; they are followed with a stack because a run may be 10,000 layers long.
        """
        runs: dict[str, tuple[int, float, str]] = {}
        for start in pointers:
            chain = [start]
            while (follower := pointers[chain[-1]]) in pointers and follower not in runs:
                chain.append(str(follower))
            for parameter in reversed(chain):
                count, total, end = runs.get(str(pointers[parameter]), (0, 0.0, parameter))
                runs[parameter] = (count + 1, total + self._logs[parameter], end)
        return runs


def scheme(layer: Layer) -> str:
    """default, kaiming, xavier, or explicit for a hand-written scale; empty if unknown.

    A weight whose mean is not zero is explicit: all schemes have the mean zero.
    """
    current = layer.current
    if current is None or current.std is None:
        return ""
    if has_mean(current):
        return "explicit"
    if current.default:
        return "default"
    head = current.name.partition("_")[0]
    return head if head in ("kaiming", "xavier") else "explicit"


def is_small_head(layer: Layer) -> bool:
    """Whether someone made the weights of the model's last layer small, which does no harm."""
    return layer.head and scheme(layer) == "explicit" and (ratio(layer) or 1.0) < 1


def _log_ratio(layer: Layer) -> float:
    value = ratio(layer)
    return math.log(value) if value and not is_small_head(layer) else 0.0


def is_lazy(layer: Layer) -> bool:
    """Whether torch makes the weight only when the first input comes."""
    return layer.nominal and bool(_LAZY.fullmatch(layer.type))


_LAZY = re.compile(r"Lazy(Linear|Conv(Transpose)?[123]d)")
