"""Reset methods that draw some children again, and forget others."""

from initlint.judge import Problems, Test


def reset_forgets_child(test: Test) -> Problems:
    """A child with weights that the reset method of its module names nowhere."""
    if test.kind == "reset":
        others = ", ".join(test.wanted[:3])
        yield test, f"{test.within} of {test.model} draws {others} again, but not {test.text}"
