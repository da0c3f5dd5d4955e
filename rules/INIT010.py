"""Stacks and twins of deep copies, which begin with the same weights."""

import re

from initlint.judge import Model, Parameter, Problem, Problems

_HELP = "make each layer by a call of its own, or call reset_parameters() of the copies"
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
# The number in the name of one of two twins: q1 and q2, critic and critic_2.
_MARK = re.compile(r"_?\d+(?=\.|$)")


def identical_clones(model: Model) -> Problems:
    """Layers of one stack that are copies of one layer, and that nothing draws again."""
    stacks: dict[tuple[object, ...], list[Parameter]] = {}
    for parameter in model.parameters:
        if _is_random(parameter):
            for place in _NUMBER.finditer(parameter.name):
                before, after = parameter.name[: place.start()], parameter.name[place.end() :]
                first = parameter.clone_of or parameter.name
                stacks.setdefault((first, before, after), []).append(parameter)
    for (_, start, end), copies in stacks.items():
        copied = [parameter for parameter in copies if parameter.clone_of]
        # One name may stand twice: for the layers of two branches of a constructor.
        if len({parameter.name for parameter in copies}) < 2 or not copied:
            continue
        every = f"{start}*{end}"
        message = f"{every} begin with the same values: deep copies of one layer, not drawn again"
        for parameter in copied:
            yield Problem(parameter, message, help=_HELP)
    yield from _twins(model)


def _twins(model: Model) -> Problems:
    """Copies beside what they are copies of, if both are used and called alike but for a number.

    A target network is called otherwise, or is no part of forward.
    """
    known = {parameter.name: parameter for parameter in model.parameters}
    for parameter in filter(_is_random, model.parameters):
        first = known.get(parameter.clone_of or "")
        if first is None or not (first.used and parameter.used):
            continue
        names = zip(first.name.split("."), parameter.name.split("."), strict=False)
        unlike = [(one, other) for one, other in names if one != other]
        if len(unlike) != 1 or first.name.count(".") != parameter.name.count("."):
            continue
        ((one, other),) = unlike
        # What is called by a number alone is one of a stack.
        if _MARK.sub("", one) == _MARK.sub("", other) != "":
            message = (
                f"{other} is a deep copy of {one}, not drawn again: {parameter.name} begins with "
                f"the values of {first.name}"
            )
            yield Problem(parameter, message, help=_HELP)


def _is_random(parameter: Parameter) -> bool:
    """Whether a parameter surely holds random numbers, which differ as a rule."""
    if parameter.trainable is not True or parameter.kind not in ("weight", "table", "bare"):
        return False
    if not parameter.history:
        return False
    last = parameter.history[-1]
    # A default by fans has no std where the widths are only names.
    is_random = bool(last.std) or last.name.startswith(("kaiming", "xavier", "uniform"))
    return is_random and last.certain and last.by in ("torch", "user")
