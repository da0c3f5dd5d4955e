"""Biases, norms' gains and learned scalars that are drawn as if they were weights."""

from initlint.judge import Draw, Model, Parameter, Problem, Problems, is_whole, line_of, named
from initlint.records import Site

_SCHEMES = ("xavier", "kaiming", "orthogonal")
_AROUND_A_MEAN = ("normal", "trunc_normal")
_CALLED = {"bias": "a bias", "norm": "the gain of a normalisation", "bare": "a learned factor"}


def bias_as_weight(model: Model) -> Problems:
    """A parameter with one dimension that a scheme for weights, or a draw around zero, fills."""
    factors = []
    for parameter in model.parameters:
        last = _draw_of(parameter)
        if last is None or model.layer(parameter.name) is not None:
            # With one input or one output, a weight has one dimension, too.
            continue
        if _is_scheme(parameter, last):
            yield _problem(parameter, last, "by its fans, which it does not have")
        elif _is_factor(parameter) and _is_around_zero(last):
            factors.append((parameter, last))
    drawing = _lines_for_matrices(model) if factors else frozenset()
    for parameter, last in factors:
        # A gain is never drawn around zero on purpose; another factor may be.
        if parameter.kind == "norm" or last.site in drawing:
            how = f"like a weight, around 0 instead of {_made(parameter):g}"
            yield _problem(parameter, last, how)


def _problem(parameter: Parameter, draw: Draw, how: str) -> Problem:
    said = f"{named(parameter)} is {_CALLED[parameter.kind]}, but {draw.spelled}{line_of(draw)}"
    return Problem(parameter, f"{said} draws it {how}", at=draw.site)


def _draw_of(parameter: Parameter) -> Draw | None:
    """The user's draw of a bias, a gain or a bare parameter of one dimension that counts last."""
    if not parameter.history or parameter.kind not in _CALLED or parameter.tied_to is not None:
        return None
    last = parameter.history[-1]
    return last if last.certain and last.by == "user" and _is_line(parameter) else None


def _is_line(parameter: Parameter) -> bool:
    """Whether at most one dimension has more than one element."""
    shape = parameter.shape
    if parameter.kind != "bare":
        return True
    return shape is not None and sum(size != 1 for size in shape) < 2


def _is_scheme(parameter: Parameter, draw: Draw) -> bool:
    """Whether a scheme for weights was called on a view that has two dimensions.

    Called on the parameter itself it raises, which is another fault.
    """
    if parameter.kind == "bare" and len(parameter.shape or ()) > 1:
        return False
    return draw.spelled.startswith(_SCHEMES) and (draw.part or draw.std is not None)


def _is_around_zero(draw: Draw) -> bool:
    """Whether values are drawn around zero; their std may be a name, such as a config's."""
    if draw.std is None or draw.mean is None:
        is_normal = draw.spelled.strip("_") in _AROUND_A_MEAN and draw.args.get("mean") == 0
        return is_normal or draw.spelled.startswith(_SCHEMES)
    return abs(draw.mean) < draw.std


def _is_factor(parameter: Parameter) -> bool:
    """Whether the parameter was made as a factor: as a constant other than zero."""
    return parameter.kind != "bias" and bool(_made(parameter))


def _made(parameter: Parameter) -> float:
    """The constant that a parameter was made with; 0 if it was made otherwise."""
    first = parameter.history[0]
    return (first.mean or 0.0) if is_whole(first) and first.std == 0 else 0.0


def _lines_for_matrices(model: Model) -> frozenset[Site | None]:
    """The lines that draw a weight."""
    matrices = (
        other
        for other in model.parameters
        if other.kind == "weight" or (other.kind == "bare" and len(other.shape or ()) > 1)
    )
    return frozenset(draw.site for matrix in matrices for draw in matrix.history)
