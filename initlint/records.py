"""The records that all parts of initlint exchange: frozen dataclasses, no logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class InitlintError(Exception):
    """A request that failed; the message is one line that says where, why and what to do."""


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
    """The first activation (or other deciding operation) that a layer's result reaches.

    `activation` is the lower-case torch.nn.functional name, or one of linear, output, gate,
    attention, mixed, unknown. `via` names the operations on the way that do not decide: norm, pool,
    residual, shape, dropout; prenorm means that the layer's input is normalised. `by` names the
    function whose result is not known, if that makes the activation unknown.
    """

    activation: str
    args: Mapping[str, Any] = field(default_factory=dict)
    via: tuple[str, ...] = ()
    by: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Fan:
    """A std computed from the weight's fans: gain / sqrt(fan_in) if `of` is in.

    If `of` is out it is gain / sqrt(fan_out); if both, gain * sqrt(2 / (fan_in + fan_out)). The
    fans are those that torch.nn.init computes from the shape. `value` is the resulting number.
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
    """How a parameter gets its values: a torch.nn.init name, its arguments, the resulting std.

    In a recommendation, arguments may be a `Fan` or a `Gain`; `initlint.recommend.calls` prints
    them. `std` is None if it is not known; `mean` then has no meaning. `default` is true for
    PyTorch's default. `site` is the line of the user's code that caused it. `reason` is the source
    of a recommendation; of an unknown one, the function that is not read and may have caused it.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    std: float | None = None
    default: bool = False
    site: Site | None = None
    reason: str = ""
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """The predicted signal in the run of a layer whose scale is off: between two normalisations.

    - `forward`: the factor between the signal that arrives at the layer `end` and the one that
      would with recommended initialisers; `end` is where it is furthest from 1, "" for the result.
    - `arriving`: the rms of that signal, that at the start of the run being 1.
    - `backward`, `start`, `returning`: the same of the gradient that arrives at the layer `start`,
      against that at the end of the run.
    - `result`: the rms of the model's result, if the layer gives it and it may be large; else 0.
    """

    end: str = ""
    forward: float = 1.0
    arriving: float = 1.0
    start: str = ""
    backward: float = 1.0
    returning: float = 1.0
    result: float = 0.0


@dataclass(frozen=True, slots=True)
class Whole:
    """What several layers do to the signal together, as predicted; the first one has the record.

    - `kind`: run (layers between the data or a normalisation and the result), stream (the
      residual branches of one stream, which enlarge it), faint (branches that add nothing to
      theirs), narrow (branches whose std is that of a wider model) or tokens (what attention sees).
    - `layers`: the parameters of the layers that do it.
    - `forward`: of a run, the factor by which its layers multiply what differs between two
      examples, or the signal if they enlarge it; of a stream, the signal behind the last branch
      against that before the first one.
    - `backward`: the factor by which they multiply the gradient, from the last layer to the first.
    - `blocks`: the number of residual branches.
    - `share`: the part of E[x²] that faint branches have added to it, or that all tokens have in
      common.
    - `inner`: the other layers in the branches of a stream that make them louder than they need
      be: those that no activation follows, as queries, keys and values.
    """

    kind: str
    layers: tuple[str, ...]
    forward: float = 1.0
    backward: float = 1.0
    blocks: int = 0
    share: float = 0.0
    inner: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One use of a weight by a weighted operation; both engines make the same record.

    - `before`, `after`: the parameters of the neighbouring weighted layers on its path, the longest
      sequence of layers with no normalisation between; None at the ends of the path.
    - `origin`: the start of the path: input (the model's input), norm, or unknown.
    - `closed`: True if every forward path from here ends in a normalisation.
    - `harmless`: why the scale of this weight cannot matter; empty if it may.
    - `branch`: inside or last, for a layer of a residual branch without normalisation.
    - `branches`: the number of such branches in the model.
    - `head`: True if the result reaches the model's output through no other weighted layer.
    - `shown`: True if the result is one of the model's through no other weighted layer, whether or
      not it feeds others as well.
    - `nominal`: True if sizes are symbols (`width`): only ratios of stds mean anything.
    - `uneven`: True if fan_in and fan_out depend on different symbols, so that nobody knows their
      ratio: what counts both, as Xavier, then has no known std.
    - `spread`: the factor by which the stride of a transposed convolution divides fan_in.
    - `dropped`: the share of its input that a dropout leaves out in training, at least.
    - `recurrent`: state, if the weight is multiplied with its own earlier result; input, if its
      result is added to that of such a weight.
    - `late`: True if code outside the model's constructor has filled this weight last.
    - `parts`: the number of equal matrices that lie in the weight one below another, as the gates
      of an LSTM, or q, k and v; 1 if it is one matrix.
    - `stacked`: True if a matrix product takes a tensor of more than two dimensions, of which
      torch.nn.init counts other fans.
    - `counted`: in, out or both, the fan from which a scale was computed by hand; known only where
      sizes are symbols.
    - `times`: the other factor, if a weight is computed as a product of two, as `B @ A`.
    - `signal`: the predicted signal of its run, if its scale is off or its result may be loud.
    - `wholes`: what this layer and others do to the signal together, if it is much.
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
    shown: bool = False
    nominal: bool = False
    uneven: bool = False
    spread: float = 1
    dropped: float = 0.0
    recurrent: str = ""
    late: bool = False
    parts: int = 1
    stacked: bool = False
    counted: str = ""
    times: str | None = None
    signal: Signal | None = None
    wholes: tuple[Whole, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """One write to a parameter or buffer: an entry of its history.

    `spelled` is the bare name of the function that was called (`xavier_uniform`, `fill_`,
    `randn`), `name` the torch.nn.init initialiser that this comes to, unknown where it comes to
    none. `mean` and `std` are None where they are not known. `part` marks a write to some of the
    elements only. `by` says whose write it is: torch's own constructor or reset method, the
    user's, what was loaded from a file, a copy of another parameter, or unclear. `certain` is
    False under a condition that cannot be decided. `through` is the function of the user's in
    which it happens. `visited` is the number of modules that a loop or `apply` goes through to
    reach the parameter's module, or the parameter; 0 for a write that names it. `nested` is True
    for one of a loop over the parameters of a visited module which does not hold it itself.
    """

    spelled: str
    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    mean: float | None = None
    std: float | None = None
    part: bool = False
    by: str = "unclear"
    site: Site | None = None
    certain: bool = True
    through: str = ""
    visited: int = 0
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter or buffer of one model, whatever uses it.

    `holder` is the class of the module that holds it. `kind` is weight, bias or norm for those of
    torch's layers, table for an embedding's, bare for any other parameter, and buffer. Sizes that
    are only names are None in `shape`, which is None where not even the number of dimensions is
    known. `history` holds all writes, the first one first; it is empty for memory that nothing
    wrote, and where it is long, writes in the middle are left out. `trainable` and `used` (the
    graph of the model's forward takes it in) are None where that is not known. `tied_to` is the
    first name of a tensor that has several, `clone_of` that of the first one that holds the same
    values because both came of one deep copy and nothing has written to either since. `padded` is
    True for an embedding's table with a row of zeros for `padding_idx`. `eps` is a norm's, if it
    was given by its place and not by name; the text of a size that is only a name. `hook` is
    covered or missed where a framework's hook (`_init_weights`) initialises the model. `multiplied`
    says how the forward of a norm of the user's multiplies with a parameter: itself, or one more;
    empty for all others. `unwritten` is the number of elements that no write to a part of it has
    reached, where nothing filled it as a whole.
    """

    model: str
    name: str
    holder: str
    kind: str
    shape: tuple[int | None, ...] | None
    site: Site | None = None
    trainable: bool | None = True
    history: tuple[Draw, ...] = ()
    used: bool | None = None
    tied_to: str | None = None
    clone_of: str | None = None
    padded: bool = False
    eps: float | str | None = None
    hook: str = ""
    multiplied: str = ""
    unwritten: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of torch.nn.init's functions while a model is made.

    `spelled` is the function's bare name as it is called, `resolved` the initialiser that it is
    (`xavier_uniform_` for the old name `xavier_uniform`). `within` is the function of the user's
    in which the call stands, `targets` are the names of the parameters that it writes to. `effect`
    is wrote, discarded (it fills a tensor that is no parameter), or nothing (it is not known what
    it fills); `reason` says why.

    Where it is certain that it fills nothing, `effect` is raises (it raises an error when it runs),
    recomputed (forward computes the parameter anew, as after weight_norm) or lost (its result, or
    the copy that it fills, is kept by nobody). Such a call may be one of any function: an in-place
    method, or one that gives a new tensor; `resolved` is then as `spelled`.

    A method or function that would initialise and that nothing calls has the effect uncalled;
    `site` is where it is defined, `within` its class, or "" for a function beside a model. `apply`
    that draws all weights again that a model of another package has loaded has the effect reloaded.
    """

    model: str
    spelled: str
    resolved: str
    site: Site | None
    within: str = ""
    targets: tuple[str, ...] = ()
    effect: str = "wrote"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Test:
    """A question that initialising code asks, one after another, of modules or parameters.

    For example `isinstance(m, nn.Conv2d)` in the callback of `apply`, or `name == "out.weight"` in
    a loop over `named_parameters()`. `text` is the question as it is written.

    - `kind`: class (isinstance, type), class_name (a text against the name of the class), name (a
      text against the name of a parameter or module), attribute (hasattr), shape, always (it is
      true whatever it is asked of, since `wanted` is a text or a class and no condition), first
      (of `A or B`, for which it asks, only A counts), or both (it asks whether one module is of two
      classes, of which none derives from the other).
    - `subject`: what the question is asked of: module, parameter; name and pair for loops that
      yield names, or pairs of a name and a module, where the code expects a module; class for a
      class that is compared with a text, instance for a module that is compared with a class.
    - `wanted`: the classes, texts or attributes that it asks for, as the code names them.
    - `exact`: True if a text must be equal, or the class itself and no subclass will do.
    - `within`: the function in which it stands.
    - `over`: of how many it was asked while the model was made; `held`: how many satisfied it;
      `unsure`: of how many that is not known.
    - `asked`: classes of the modules (class, class_name, attribute) or names of the parameters and
      modules (name, shape) of which it was asked, each once.
    - `missed`: classes of the modules within those asked that satisfy it, but of which it is never
      asked, and whose weights nobody has filled.
    - `loose`: classes of modules that satisfy it and that lie in plain lists of those asked, where
      no walk goes, and whose weights nobody has filled.
    - `late`: classes of modules that satisfy it and that the constructor which asks makes only
      afterwards, and whose weights nobody has filled.
    - `taken`: the earlier conditions of an `elif` that are true for all that would satisfy it.
    - `fills`: True if the code that runs where it is satisfied fills tensors.
    - `partial`: True if the model may hold modules of which it is asked only when the code runs.
    - `elsewhere`: True if anything satisfies it, or may, in any model read or outside of a loop.

    Of more kinds nothing is asked one after another: option, a text against an option, where
    `wanted` is the text, or the name of a function, and `calls` the initialisers that it stands
    for in the code; config, a std written as a number where the configuration has `wanted`;
    argument, an argument of a constructor about weights that nothing reads; and
    reset, the children that the reset method of a module forgets, where `wanted` are the others.
    """

    # Not a test class of pytest's.
    __test__ = False

    model: str
    text: str
    kind: str
    subject: str
    site: Site | None
    wanted: tuple[str, ...] = ()
    exact: bool = False
    within: str = ""
    over: int = 0
    held: int = 0
    unsure: int = 0
    asked: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    fills: bool = True
    elsewhere: bool = False
    calls: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Preferences:
    """The user's choices where several initialisers are right.

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

# How findings are printed: docs/usage.md.
FORMATS = ("full", "concise", "json", "github", "gitlab", "sarif", "junit", "rdjson")

# Ways of filling a live model, and which of its layers: docs/apply.md.
POLICIES = ("following", "orthogonal", "calibrated")
SCOPES = ("findings", "recommended", "all")


@dataclass(frozen=True, slots=True)
class Fix:
    """The change of the source that fixes a finding.

    - `kind`: insert (a new call for the layer constructed at `site`) or correct (replace the call
      at `site`).
    - `initializer`: the call to write.
    - `applicability`: safe, unsafe or display.
    - `of_type`: a class, if all its layers may get this call and none was initialised on purpose;
      else empty.
    - `spared`: parameters that the same line makes and that must keep their values.
    - `cases`: if the activation decides, pairs of its module classes and their initialiser.
    - `uncorrected`: why a new call is inserted although someone has written one that is wrong.
    - `otherwise`: the new call to insert if the one at `site` cannot be replaced.
    - `parts`: the number of equal matrices that are to be filled one by one; 0 for one matrix.
    """

    kind: str
    site: Site
    initializer: Initializer
    applicability: str
    of_type: str = ""
    spared: tuple[str, ...] = ()
    cases: tuple[tuple[tuple[str, ...], Initializer], ...] = ()
    uncorrected: str = ""
    otherwise: Fix | None = None
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's report on a layer, or on all layers made by one source line (`parameters`).

    `help` says what to write where no initialiser is recommended, `unfixed` why there is no fix
    where the rule has one.

    Its repr is short: the code, the message and where it is.
    """

    code: str
    name: str = field(repr=False)
    severity: str = field(repr=False)
    message: str
    site: Site | None
    model: str
    layer: str = field(repr=False)
    parameter: str
    following: Following = field(repr=False)
    current: Initializer | None = field(repr=False)
    recommended: Initializer | None = field(repr=False)
    fix: Fix | None = field(default=None, repr=False)
    confidence: str = field(default="high", repr=False)
    parameters: tuple[str, ...] = field(default=(), repr=False)
    help: str = field(default="", repr=False)
    unfixed: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unanalysed:
    """A target, or part of one, that was not analysed, and the reason in one sentence.

    `failed` is true if the user's own code raised an error or ended the process when it was built.
    `unseen` is true if code that is not read makes what is in it, so that nobody asked for it: this
    fails no request.
    """

    target: str
    reason: str
    failed: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What filling a model did with one parameter or buffer.

    `status` is filled, kept, or unknown for what was not understood; `reason` says why, and for a
    filled one by which scheme. `before` says in words what it held, `after` what it holds; of what
    was not filled, `after` is empty.
    """

    parameter: str
    status: str
    reason: str
    before: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The result for all targets: layers in the order of the data, findings, gaps.

    `off` has the findings of rules that ran and are off in the finding's file.
    `silenced` has the findings that a comment in their file silences, `known` those that the
    baseline has. `texts` has the text of the files named in the report, as it was when they were
    read; comparing reports ignores it. `scope` and `policy` are those of `apply_` or `materialize`.
    """

    layers: tuple[Layer, ...] = ()
    findings: tuple[Finding, ...] = ()
    unanalysed: tuple[Unanalysed, ...] = ()
    silenced: tuple[Finding, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    calls: tuple[Call, ...] = ()
    tests: tuple[Test, ...] = ()
    known: tuple[Finding, ...] = ()
    texts: Any = field(default=None, compare=False, repr=False)
    outcomes: tuple[Outcome, ...] = ()
    off: tuple[Finding, ...] = ()
    scope: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's card: the file `CODE.md` at `path`, its front matter and its sections by heading.

    `fix` is the applicability of the rule's fixes: safe, unsafe, display, or empty without fixes.
    `default` is true if the rule runs when nothing is selected.
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
