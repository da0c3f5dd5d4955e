"""Embeddings whose row for padding is no longer zero."""

from initlint.judge import Parameter, Problem, Problems, constant, is_whole, shown


def padding_row_redrawn(parameter: Parameter) -> Problems:
    """An embedding with padding_idx that is filled as a whole, the row for padding with it."""
    if not parameter.padded:
        return
    last = parameter.history[-1] if parameter.history else None
    if last is None or last.by != "user" or not is_whole(last) or constant(last) == 0:
        return
    message = (
        f"{parameter.name} is filled by {shown(last)}, and so is the row of padding_idx, which was "
        "zero and is never trained; set it to zero again"
    )
    yield Problem(parameter, message, at=last.site)
