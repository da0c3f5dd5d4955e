"""Norms that were given another argument in the place of eps."""

from initlint.judge import Model, Parameter, Problems

# The momentum comes after eps; a norm over samples has no such argument.
_WITH_MOMENTUM = ("BatchNorm", "InstanceNorm")
_MOST = 0.1
# Among those with a momentum also 0.01 is one: a usual momentum, and no usual eps.
_MOST_BEFORE_MOMENTUM = 0.01


def norm_argument_mistaken(model: Model) -> Problems:
    """A norm whose eps, given by its place, is a momentum, a size or a switch."""
    for parameter in model.parameters:
        if parameter.eps is not None:
            yield from _judged(parameter)


def _judged(parameter: Parameter) -> Problems:
    eps, kind = parameter.eps, parameter.holder
    has_momentum = any(word in kind for word in _WITH_MOMENTUM)
    least = _MOST_BEFORE_MOMENTUM if has_momentum else _MOST
    if isinstance(eps, float | int) and not isinstance(eps, bool) and abs(eps) < least:
        return
    meant = "momentum comes after it; " if has_momentum else ""
    message = (
        f"{kind} is given {eps} in the place of eps, which is added to the variance; "
        f"{meant}write the argument's name"
    )
    yield parameter, message
