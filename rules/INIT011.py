"""Options about initialisation that nothing reads, or that do another thing than their name."""

import re

from initlint.judge import Problems, Test

# The words by which a scheme, and its distribution, are called.
_SCHEMES = {
    **dict.fromkeys(("xavier", "glorot"), "xavier"),
    **dict.fromkeys(("kaiming", "he", "msra"), "kaiming"),
    **dict.fromkeys(("orthogonal", "ortho", "orth"), "orthogonal"),
}
_DISTRIBUTIONS = {"normal": "normal", "gaussian": "normal", "uniform": "uniform"}


def init_option_ignored(test: Test) -> Problems:
    """An argument about weights that is never read, or a branch that calls another scheme."""
    if test.kind == "argument":
        yield test, f"the argument {test.text} of {test.model} is never read: it changes nothing"
    elif test.kind == "option" and (meant := _contradicted(test.wanted[0], test.calls)):
        called = " and ".join(call for call in test.calls if _is_random(call))
        yield test, f"{test.text} stands for {meant}, but the code calls {called}"


def _contradicted(text: str, calls: tuple[str, ...]) -> str:
    """The scheme that a text names, if the code calls others and never this one; else empty."""
    words = re.findall(r"[a-z]+", text.lower())
    scheme = next((_SCHEMES[word] for word in words if word in _SCHEMES), "")
    distribution = next((_DISTRIBUTIONS[word] for word in words if word in _DISTRIBUTIONS), "")
    random = [call for call in calls if _is_random(call)]
    if scheme:
        own = [call for call in random if call.startswith(scheme)]
        # Written by hand, a scheme is a normal or uniform distribution of some std.
        if not own:
            others = [call for call in random if call.startswith(tuple(_SCHEMES.values()))]
            return scheme if len(others) == len(random) else ""
        if distribution and not any(distribution in call for call in own):
            return f"{scheme}_{distribution}_"
        return ""
    if distribution and random and not any(distribution in call for call in random):
        return distribution
    return ""


def _is_random(call: str) -> bool:
    """Whether an initialiser draws random numbers."""
    return call.startswith((*_SCHEMES.values(), "normal", "uniform", "trunc_normal", "sparse"))
