"""Biases, norms' gains and learned scalars that are drawn as if they were weights."""

from initlint.judge import Draw, Model, Parameter, Problem, Problems, is_whole, line_of

_SCHEMES = ("xavier", "kaiming", "orthogonal")
_AROUND_A_MEAN = ("normal", "trunc_normal")
_CALLED = {"bias": "a bias", "norm": "the gain of a normalisation", "bare": "a learned factor"}


def bias_as_weight(parameter: Parameter, model: Model) -> Problems:
    """A parameter with one dimension that a scheme for weights, or a draw around zero, fills."""
    if not parameter.history or parameter.kind not in _CALLED or parameter.tied_to is not None:
        return
    last = parameter.history[-1]
    if not last.certain or last.by != "user" or not _is_line(parameter):
        return
    said = f"{parameter.name} is {_CALLED[parameter.kind]}, but {last.spelled}{line_of(last)}"
    if _is_scheme(last) and (parameter.kind != "bare" or len(parameter.shape or ()) < 2):
        message = f"{said} draws it by its fans, which it does not have"
        yield Problem(parameter, message, at=last.site)
    elif _is_around_zero(last) and _is_factor(parameter) and _fills_a_matrix(last, model):
        message = f"{said} draws it like a weight, around 0 instead of {_made(parameter):g}"
        yield Problem(parameter, message, at=last.site)


def _is_line(parameter: Parameter) -> bool:
    """Whether at most one dimension has more than one element."""
    shape = parameter.shape
    if parameter.kind != "bare":
        return True
    return shape is not None and None not in shape and sum(size != 1 for size in shape) < 2


def _is_scheme(draw: Draw) -> bool:
    """Whether a scheme for weights was called on a view that has two dimensions.

    Called on the parameter itself it raises, which is another fault.
    """
    return draw.spelled.startswith(_SCHEMES) and (draw.part or draw.std is not None)


def _is_around_zero(draw: Draw) -> bool:
    """Whether values are drawn around zero; their std may be a name, such as a config's."""
    if draw.std is None or draw.mean is None:
        return draw.spelled.strip("_") in _AROUND_A_MEAN and draw.args.get("mean") == 0
    return abs(draw.mean) < draw.std


def _is_factor(parameter: Parameter) -> bool:
    """Whether the parameter was made as a factor: as a constant other than zero."""
    return parameter.kind != "bias" and bool(_made(parameter))


def _made(parameter: Parameter) -> float:
    """The constant that a parameter was made with; 0 if it was made otherwise."""
    first = parameter.history[0]
    return (first.mean or 0.0) if is_whole(first) and first.std == 0 else 0.0


def _fills_a_matrix(draw: Draw, model: Model) -> bool:
    """Whether the same line draws a weight, too."""
    return any(
        other.kind == "weight" or (other.kind == "bare" and len(other.shape or ()) > 1)
        for other in model.parameters
        if any(write.site == draw.site for write in other.history)
    )
