"""Initialisation whose result nobody keeps, or that went to the wrong one of two layers."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from initlint.judge import Call, Model, Parameter, Problem, Problems, named
from initlint.records import Draw, Site

# Recurrent layers whose gates have biases in one parameter, and its name in layer n.
_GATED = ("LSTM", "GRU")
_LAYER = re.compile(r"(.*bias_[ih]h)_l(\d{1,3})(?:_reverse)?")
# Two draws so many lines apart at most belong to one list of lines, of which one was mistaken.
_APART = 3


def init_without_effect(record: Call | Parameter, model: Model) -> Problems:
    """A call that changes nothing, or a layer drawn twice whose twin is never drawn."""
    if isinstance(record, Call):
        if record.effect == "lost":
            yield record, f"{record.spelled} has no effect: {record.reason}"
        return
    walked = _walked_twice(record, model)
    if walked is not None:
        last = record.history[-1]
        own, other = record.name.partition(".")[0], walked.name.partition(".")[0]
        message = (
            f"{last.through} goes through {own} twice, and {other}, which is made of the same "
            "layers, keeps PyTorch's default: one of the two calls was meant for it"
        )
        yield Problem(record, message, at=last.site)
        return
    left = _left_layer(record, model)
    if left is not None:
        part = record.history[-1]
        message = (
            f"a part of {named(record)}, the bias of one gate, is set here, and {named(left)} of "
            "the next layer keeps what it has: the loop or the list of names leaves it out"
        )
        yield Problem(record, message, at=part.site)
    twice = _drawn_twice(record, model)
    twin = _twin(record, model) if twice is not None else None
    if twice is not None and twin is not None:
        again = _calls(model).get(twice.site, record)
        message = (
            f"{named(record)} is drawn a second time{_where(record, twice)}, while {named(twin)} "
            "keeps PyTorch's default: one of the two was meant for it"
        )
        if twice.site != record.history[-2].site:
            yield again, message
        elif record.kind != "bias":
            yield Problem(record, message, at=twice.site)


def _walked_twice(parameter: Parameter, model: Model) -> Parameter | None:
    """The same parameter of a twin that nobody has drawn, if a walk has drawn this part twice."""
    part, _, rest = parameter.name.partition(".")
    weights = _weights_of(model)
    own = weights.get(part, {})
    if not rest or next(iter(own.values()), None) is not parameter:
        return None
    if not all(_is_redrawn(each) for each in own.values()):
        return None
    for other, twins in weights.items():
        are_alike = [(n, p.holder) for n, p in own.items()] == [
            (n, p.holder) for n, p in twins.items()
        ]
        if other != part and are_alike and not any(map(_is_drawn, twins.values())):
            return twins[rest]
    return None


def _is_redrawn(parameter: Parameter) -> bool:
    """Whether one line of the user's has drawn a parameter twice, in two walks of one length."""
    if len(parameter.history) < 2 or parameter.tied_to:
        return False
    first, second = parameter.history[-2:]
    are_walks = first.visited == second.visited > 1 and not (first.nested or second.nested)
    are_same = first.site == second.site and first.through == second.through
    return are_walks and are_same and first.by == second.by == "user" and second.certain


def _is_drawn(parameter: Parameter) -> bool:
    return any(draw.by != "torch" for draw in parameter.history)


@lru_cache(maxsize=1)
def _weights_of(model: Model) -> Mapping[str, Mapping[str, Parameter]]:
    """The weights of layers by the part of the model that they lie in, and their names there."""
    found: dict[str, dict[str, Parameter]] = {}
    for parameter in model.parameters:
        part, _, rest = parameter.name.partition(".")
        if rest and parameter.kind == "weight":
            found.setdefault(part, {})[rest] = parameter
    return found


def _left_layer(parameter: Parameter, model: Model) -> Parameter | None:
    """The bias of another layer of one LSTM, of which no gate is set, if one of this one is."""
    found = _LAYER.fullmatch(parameter.name) if parameter.holder in _GATED else None
    if found is None or not _sets_gate(parameter):
        return None
    layers = _gated(model)[found[1][:-2]]
    return next((b[0] for b in layers.values() if not any(map(_sets_gate, b))), None)


@lru_cache(maxsize=1)
def _gated(model: Model) -> Mapping[str, Mapping[str, list[Parameter]]]:
    """By what the names of a recurrent module's biases begin with, the biases of each layer."""
    found: dict[str, dict[str, list[Parameter]]] = {}
    for parameter in model.parameters:
        place = _LAYER.fullmatch(parameter.name)
        if place is not None:
            layers = found.setdefault(place[1][:-2], {})
            layers.setdefault(place[2], []).append(parameter)
    return found


def _sets_gate(parameter: Parameter) -> bool:
    """Whether the last thing that somebody did to a bias was to set a part of it."""
    last = parameter.history[-1] if parameter.history else None
    return last is not None and last.part and last.by == "user" and last.spelled != "zero_"


def _where(parameter: Parameter, twice: Draw) -> str:
    """Where the second draw is made, for a message: by a helper, or at its own line."""
    if parameter.history[-2].site == twice.site:
        return f" by {twice.through}"
    return f" at line {twice.site.line}" if twice.site is not None else ""


def _drawn_twice(parameter: Parameter, model: Model) -> Draw | None:
    """The second of two draws in neighbouring lines that write to this parameter alone."""
    if len(parameter.history) < 2 or parameter.tied_to:
        return None
    first, second = parameter.history[-2:]
    if first.site is None or second.site is None or first.site.path != second.site.path:
        return None
    is_plain = all(d.by == "user" and d.certain and not d.part for d in (first, second))
    if not is_plain or first.through != second.through or not _are_beside(first, second):
        return None
    written = [model.written[draw.site] for draw in (first, second)]
    if first.site == second.site:
        # A helper fills others as well, but each of them once.
        others = written[0].total() - written[0][parameter.name]
        return second if others == len(written[0]) - 1 else None
    return second if all(len(names) == 1 for names in written) else None


def _are_beside(first: Draw, second: Draw) -> bool:
    """Whether two writes stand in neighbouring lines, or one helper was called twice."""
    assert first.site is not None and second.site is not None
    if first.site == second.site:
        return bool(first.through) and not first.visited and not second.visited
    return 0 < second.site.line - first.site.line <= _APART


def _twin(parameter: Parameter, model: Model) -> Parameter | None:
    """A parameter of the same name and class beside this one that nobody has drawn."""
    holder = parameter.name.rpartition(".")[0]
    if not holder:
        return None
    for other in _undrawn(model).get(_place(parameter), ()):
        if other.name.rpartition(".")[0] != holder:
            return other
    return None


@lru_cache(maxsize=1)
def _undrawn(model: Model) -> Mapping[tuple[str, str, str], Sequence[Parameter]]:
    """By place, the first parameters that nobody has drawn, of two layers at most."""
    found: dict[tuple[str, str, str], list[Parameter]] = {}
    for parameter in model.parameters:
        is_drawn = any(draw.by != "torch" for draw in parameter.history)
        if parameter.history and not is_drawn and not parameter.tied_to:
            beside = found.setdefault(_place(parameter), [])
            if len(beside) < 2:
                beside.append(parameter)
    return found


def _place(parameter: Parameter) -> tuple[str, str, str]:
    """What parameters of the same name have in common whose layers are of one class and module."""
    holder, _, name = parameter.name.rpartition(".")
    return holder.rpartition(".")[0], name, parameter.holder


@lru_cache(maxsize=1)
def _calls(model: Model) -> Mapping[Site | None, Call]:
    """By line, the first call there."""
    return {call.site: call for call in reversed(model.calls)}
