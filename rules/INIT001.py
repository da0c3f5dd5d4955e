"""Parameters and buffers whose memory nothing has written."""

from initlint.judge import Parameter, Problem, Problems, named
from initlint.safe.shown import access


def uninitialised_parameter(parameter: Parameter) -> Problems:
    """Memory from torch.empty or a size constructor that holds whatever was there before."""
    if parameter.tied_to or parameter.used is False:
        return
    if parameter.history and (not parameter.unwritten or _is_unsure(parameter)):
        return
    if parameter.kind == "buffer" and not parameter.used:
        return
    if parameter.shape is not None and 0 in parameter.shape:
        return
    size = "×".join("?" if size is None else str(size) for size in parameter.shape or ())
    what = "buffer" if parameter.kind == "buffer" else "parameter"
    described = f"{named(parameter)} ({what} of {parameter.holder}{', ' * bool(size)}{size})"
    if parameter.unwritten:
        count = (
            f"{parameter.unwritten} of its elements" if parameter.unwritten > 1 else "one element"
        )
        yield Problem(
            parameter,
            f"{described} is filled in parts, and nothing writes {count}: there it starts with "
            "whatever was in memory; fill all of it first",
            help=_call(parameter),
        )
        return
    yield Problem(
        parameter,
        f"{described} is memory that "
        "nothing writes: it starts with whatever was there; fill it by an initialiser of nn.init",
        help=_call(parameter),
    )


def _call(parameter: Parameter) -> str:
    """A call that fills it: zeros for a bias or a buffer, ones for a gain, a draw for a matrix."""
    target = access("self", parameter.name)
    sizes = parameter.shape or ()
    if parameter.kind == "buffer" or parameter.name.endswith("bias"):
        return f"nn.init.zeros_({target})"
    if len(sizes) > 1:
        return f"nn.init.xavier_normal_({target}), or what the activation behind it needs"
    return f"nn.init.zeros_({target}) for a bias, nn.init.ones_({target}) for a gain"


def _is_unsure(parameter: Parameter) -> bool:
    """Whether something else than the writes that were followed may have filled it."""
    return any(not draw.part or not draw.certain for draw in parameter.history)
