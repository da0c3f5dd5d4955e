"""Embeddings whose row for padding is no longer zero."""

from initlint.judge import Model, Problem, Problems, constant, is_whole, named, shown


def padding_row_redrawn(model: Model) -> Problems:
    """An embedding with padding_idx that is filled as a whole, the row for padding with it."""
    for parameter in model.filled:
        last = parameter.history[-1]
        # A table of ones is a table of factors: its row for padding changes nothing.
        is_drawn = last.by == "user" and is_whole(last) and constant(last) not in (0, 1)
        if parameter.padded and is_drawn:
            message = (
                f"{named(parameter)} is filled by {shown(last)}, and so is the row of padding_idx, "
                "which was zero and is never trained; set it to zero again"
            )
            yield Problem(parameter, message, at=last.site)
