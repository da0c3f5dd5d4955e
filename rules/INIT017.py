"""Parameters that a callback of apply draws once for every module around them."""

from collections import Counter

from initlint.judge import Model, Problem, Problems, named


def redrawn_by_nesting(model: Model) -> Problems:
    """A parameter that one line fills for several of the modules that hold it."""
    for parameter in model.filled:
        nested = [draw for draw in parameter.history if draw.nested and draw.by == "user"]
        for site, count in Counter(draw.site for draw in nested).items():
            if count > 1:
                message = (
                    f"{named(parameter)} is filled {count} times by this line: apply visits every "
                    "module, and for each one the loop goes through all parameters below it; "
                    "write recurse=False"
                )
                yield Problem(parameter, message, at=site)
