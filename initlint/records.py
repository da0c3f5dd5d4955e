"""The records that every room speaks: frozen dataclasses, no logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class InitlintError(Exception):
    """The request could not be carried out: one line that says where, why and what to do."""


@dataclass(frozen=True, slots=True)
class Site:
    """A stretch of source: lines and columns (in characters) count from 1, the end is open."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Following:
    """What a layer's result meets first.

    `activation` is the lower-case torch.nn.functional name, or one of linear, output, gate,
    attention, mixed, unknown. `via` names what was looked through on the way: norm, pool,
    residual, shape, dropout; prenorm says that the layer's input is itself normalised.
    """

    activation: str
    args: Mapping[str, Any] = field(default_factory=dict)
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fan:
    """A scale that is counted from the weight: gain / sqrt(fan_in) where `of` is in.

    `of` is in or out, as torch.nn.init counts them from the shape, or both: then the scale is
    gain * sqrt(2 / (fan_in + fan_out)). `value` is the number that this gives for the layer.
    """

    gain: float
    of: str
    value: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain that `torch.nn.init.calculate_gain(nonlinearity)` gives, and its `value`."""

    nonlinearity: str
    value: float


@dataclass(frozen=True, slots=True)
class Initializer:
    """How a parameter gets its values: a torch.nn.init name, its arguments, the std that results.

    Arguments that are recommended may be a `Fan` or a `Gain`; `initlint.recommend.calls` prints
    them. `std` is None where it is not known, and `mean` then says nothing. `default` marks
    PyTorch's own choice. `site` is the line of the user's that caused it; `reason`, the source of a
    recommendation.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    std: float | None = None
    default: bool = False
    site: Site | None = None
    reason: str = ""
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One weight of one model, with all that a check needs to judge it, whoever found it.

    `before` and `after` name the parameters of the weighted layers next to it on its path, the
    longest run along the data with no normalisation between; None where the path begins or ends.
    `origin` says what the path begins at: input (the model's own), norm, or unknown; `closed`
    holds where it ends in a normalisation, whichever way one goes.
    `harmless` says why the scale of this weight cannot matter, and is empty where it may.
    `branch` is inside or last for a layer of a residual branch without normalisation; `branches`
    is the number of such branches in the model. `head` marks a weight whose result reaches the
    model's output with no other weighted layer after it. `nominal` says that shape, fans and stds
    are true only in proportion to one another: their sizes are names in the source, not numbers.
    `spread` is by how much the stride of a transposed convolution has divided fan_in. `recurrent`
    is state for a weight that is multiplied with its own earlier result, input for one whose result
    is added to that of such a weight.
    """

    model: str
    layer: str
    parameter: str
    type: str
    shape: tuple[int, ...]
    fan_in: float | None
    fan_out: float | None
    following: Following
    current: Initializer | None
    recommended: Initializer | None = None
    site: Site | None = None
    before: str | None = None
    after: str | None = None
    origin: str = "unknown"
    closed: bool = False
    harmless: str = ""
    branch: str = ""
    branches: int = 0
    head: bool = False
    nominal: bool = False
    spread: float = 1
    recurrent: str = ""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How recommended initialisers are drawn and written, where several ways are right.

    `style` is init, method or apply; `distribution` normal, uniform, orthogonal or trunc_normal;
    `mode` fan_in or fan_out; `bias` keep or zeros.
    """

    style: str = "init"
    distribution: str = "normal"
    mode: str = "fan_in"
    bias: str = "keep"


CHOICES: Mapping[str, tuple[str, ...]] = {
    "style": ("init", "method", "apply"),
    "distribution": ("normal", "uniform", "orthogonal", "trunc_normal"),
    "mode": ("fan_in", "fan_out"),
    "bias": ("keep", "zeros"),
}

# Ways of filling a live model: docs/apply.md.
POLICIES = ("following", "orthogonal", "calibrated")


@dataclass(frozen=True, slots=True)
class Fix:
    """What would repair a finding.

    `kind` is insert (a new call for the layer constructed at `site`) or correct (the existing
    call at `site` is replaced). `initializer` is what to write there. `applicability` is safe,
    unsafe or display. `of_type` names the class all of whose layers may get the call, none of
    which was initialised on purpose; it is empty where that cannot be said. `spared` are
    parameters that the same line makes and that must keep what they have. `cases` are given where
    the activation decides: its module classes, and the initialiser that suits it.
    """

    kind: str
    site: Site
    initializer: Initializer
    applicability: str
    of_type: str = ""
    spared: tuple[str, ...] = ()
    cases: tuple[tuple[tuple[str, ...], Initializer], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that speaks of a layer, or of all layers made by one source line (`parameters`)."""

    code: str
    name: str
    severity: str
    message: str
    site: Site | None
    model: str
    layer: str
    parameter: str
    following: Following
    current: Initializer | None
    recommended: Initializer | None
    fix: Fix | None = None
    confidence: str = "high"
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unanalysed:
    """A target of which nothing can be said, and why, in one sentence."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was learnt of the targets: layers in the order of the data, findings, gaps.

    `silenced` are the findings that a comment in their file silences. `texts` are the files that
    it speaks of, as they were read for it; they are no part of what reports are compared by.
    """

    layers: tuple[Layer, ...] = ()
    findings: tuple[Finding, ...] = ()
    unanalysed: tuple[Unanalysed, ...] = ()
    silenced: tuple[Finding, ...] = ()
    texts: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's card: the file `CODE.md` at `path`, its front matter and its sections by heading.

    `fix` is the applicability of the rule's fixes: safe, unsafe, display, or empty where there are
    none. `default` says whether the rule is on where nothing is selected.
    """

    code: str
    name: str
    group: str
    severity: str
    confidence: str
    fix: str
    since: str
    default: bool
    summary: str
    sections: Mapping[str, str]
    text: str
    path: str
