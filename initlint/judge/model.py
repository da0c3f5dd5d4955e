"""The arguments of a rule: a model's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from initlint.records import Call, Layer, Parameter, Site, Test


class Problem(NamedTuple):
    """A record that a rule reports, and why; `code` is the rule's, known once its function is.

    `record` is what the function was given: a layer, a parameter, a call or a test. `instead` is
    the name of the initialiser that is to be called in place of a call's present one. `at` is the
    line at fault of a parameter, where that is not the one that makes it. `help` says what to
    write, where no initialiser is recommended. `parts` is the number of equal matrices of a layer
    that its present call is to fill one by one.
    """

    record: Record
    message: str
    code: str = ""
    instead: str = ""
    at: Site | None = None
    help: str = ""
    parts: int = 0

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

    @cached_property
    def written(self) -> Mapping[Site | None, Counter[str]]:
        """By line, the parameters that it writes to, and how often it does."""
        found: dict[Site | None, Counter[str]] = {}
        for parameter in self.filled:
            for draw in parameter.history:
                found.setdefault(draw.site, Counter())[parameter.name] += 1
        return found

    def parameter(self, name: str) -> Parameter | None:
        """The parameter or buffer of this name."""
        if not self._named:
            self._named.update({parameter.name: parameter for parameter in self.parameters})
        return self._named.get(name)

    def layer(self, parameter: str | None) -> Layer | None:
        """The layer whose weight has this name."""
        return self._by_parameter.get(parameter) if parameter is not None else None
