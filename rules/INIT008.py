"""Initialisers that are called by their old names, without underscore."""

from initlint.judge import Call, Problem, Problems


def deprecated_initialiser(call: Call) -> Problems:
    """A call of nn.init.xavier_uniform and its kin, which are now called xavier_uniform_."""
    if call.resolved == f"{call.spelled}_":
        message = f"nn.init.{call.spelled} is deprecated; it is now called {call.resolved}"
        yield Problem(call, message, instead=call.resolved)
