"""Parameters and buffers whose memory nothing has written."""

from initlint.judge import Parameter, Problems


def uninitialised_parameter(parameter: Parameter) -> Problems:
    """Memory from torch.empty or a size constructor that holds whatever was there before."""
    if parameter.history or parameter.tied_to or parameter.used is False:
        return
    if parameter.kind == "buffer" and not parameter.used:
        return
    if parameter.shape is not None and 0 in parameter.shape:
        return
    size = "×".join("?" if size is None else str(size) for size in parameter.shape or ())
    what = "buffer" if parameter.kind == "buffer" else "parameter"
    yield (
        parameter,
        f"{parameter.name} ({what} of {parameter.holder}{', ' * bool(size)}{size}) is memory that "
        "nothing writes: it starts with whatever was there; fill it by an initialiser of nn.init",
    )
