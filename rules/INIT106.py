"""A std, bound, gain or mean written by hand, far from what the following activation needs."""

from initlint.judge import (
    Layer,
    Problems,
    family,
    is_biased_head,
    scheme,
    unsuited,
    unsuited_state,
)


def explicit_scale_off(layer: Layer) -> Problems:
    """A scale that someone chose, far from every accepted one."""
    yield from unsuited_state(layer, "INIT106")
    has_scale = family(layer) in ("rectifier", "saturating", "smooth") or is_biased_head(layer)
    if scheme(layer) == "explicit" and has_scale:
        yield from unsuited(layer, "INIT106")
