"""Truncated normal distributions whose bounds are too wide to cut anything."""

from initlint.judge import Draw, Model, Problem, Problems, named

# A normal variable is this many stds from its mean once in 10^15 times.
_FAR = 8


def truncation_never_fires(model: Model) -> Problems:
    """A trunc_normal_ whose bounds lie many stds away from the mean."""
    for parameter, draw in ((p, draw) for p in model.filled for draw in p.history):
        stds = _distance(draw)
        if stds is not None and stds > _FAR:
            low, high, std = (draw.args[name] for name in ("a", "b", "std"))
            message = (
                f"{named(parameter)} is drawn by trunc_normal_(std={std:.4g}), whose bounds "
                f"{low:g} and {high:g} are {stds:.3g} stds away: it cuts nothing; "
                f"for two stds write a={-2 * std:.4g}, b={2 * std:.4g}"
            )
            yield Problem(parameter, message, at=draw.site)


def _distance(draw: Draw) -> float | None:
    """How many stds the nearer bound of a user's trunc_normal_ is away from the mean."""
    if draw.name != "trunc_normal_" or draw.by != "user":
        return None
    given = [draw.args.get(name) for name in ("mean", "std", "a", "b")]
    numbers = [value for value in given if isinstance(value, (int, float))]
    if len(numbers) < len(given) or not numbers[1]:
        return None
    mean, std, low, high = numbers
    return min(abs(low - mean), abs(high - mean)) / abs(std)
