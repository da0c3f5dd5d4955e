"""Stds that are written as numbers where the configuration has one."""

from initlint.judge import Problems, Test


def config_std_ignored(test: Test) -> Problems:
    """An initialiser with a std of its own, in a model whose configuration says another."""
    if test.kind == "config":
        name = test.wanted[0]
        yield (
            test,
            f"{test.within} draws with {test.text}; the configuration's {name} is never read",
        )
