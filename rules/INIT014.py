"""Parameters that a framework's hook leaves out."""

from initlint.judge import Parameter, Problem, Problems, named


def hook_misses(parameter: Parameter) -> Problems:
    """A parameter that no branch of `_init_weights` fills."""
    if parameter.hook == "missed" and parameter.kind != "buffer" and parameter.tied_to is None:
        message = (
            f"no branch of _init_weights fills {named(parameter)} ({parameter.holder}): "
            "where weights are loaded and it is not among them, it is memory that nothing wrote"
        )
        yield Problem(parameter, message)
