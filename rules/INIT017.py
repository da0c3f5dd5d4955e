"""Parameters that a callback of apply draws once for every module around them."""

from collections import Counter

from initlint.judge import Parameter, Problem, Problems


def redrawn_by_nesting(parameter: Parameter) -> Problems:
    """A parameter that one line fills for several of the modules that hold it."""
    nested = [draw for draw in parameter.history if draw.nested and draw.by == "user"]
    counts = Counter(draw.site for draw in nested)
    for draw in dict.fromkeys(draw.site for draw in nested):
        if counts[draw] > 1:
            message = (
                f"{parameter.name} is filled {counts[draw]} times by this line: apply visits every "
                "module, and for each one the loop goes through all parameters below it; "
                "write recurse=False"
            )
            yield Problem(parameter, message, at=draw)
