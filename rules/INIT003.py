"""Tests in initialising code that nothing in the model satisfies."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from initlint.judge import Model, Problems, Test

_TENSORS = ("torch.nn.Parameter", "torch.nn.parameter.Parameter", "torch.Tensor")
_ALIKE = 0.8
# Shorter names have the same letters by chance.
_SHORTEST = 5
# Names of so many letters are not alike by chance but for one.
_LONG = 7


def init_matches_nothing(test: Test, model: Model) -> Problems:
    """A test of an init function or callback of apply that no module or parameter satisfies."""
    if test.kind == "always":
        if test.fills and test.over:
            yield test, f"{test.text} {_why_always(test)}"
        return
    if test.kind == "first":
        if test.fills and test.over:
            yield test, f"{test.text} is {test.wanted[0].rpartition('.')[2]} alone; write a tuple"
        return
    if test.kind == "both":
        if test.fills and test.over:
            yield test, f"{test.text} holds for nothing: no module is of both classes; write or"
        return
    if test.loose and test.fills:
        inside = ", ".join(test.loose[:3])
        yield (
            test,
            f"{test.text} is never asked of {inside} in a plain list, where modules() does not "
            "look, nor does an optimizer; make it a ModuleList",
        )
        return
    if test.taken and test.fills and test.over and not test.elsewhere:
        before = " and ".join(test.taken[:2])
        yield test, f"{test.text} is never reached: {before} above takes all that satisfy it"
        return
    if test.late and test.fills and not test.unsure:
        yield test, f"{test.text} {_comes_early(test)}"
        return
    # Of an attribute with the letters of another one it is certain that it is misspelt.
    if not test.fills or not test.over or (test.unsure and test.kind != "attribute"):
        return
    if test.subject == "class" and any(t.held for t in _beside(test, model)):
        # An option that may be a text or a class.
        return
    reason = _wrong_subject(test) or _misses(test)
    is_elsewhere = test.elsewhere if test.kind != "attribute" else test.held
    if not reason and not is_elsewhere:
        reason = _near(test, model) or _whole(test, model)
    if reason:
        yield test, f"{test.text} {reason}"


def _comes_early(test: Test) -> str:
    """That modules are made after all those that were asked."""
    late = ", ".join(test.late[:3])
    return (
        f"is asked before the same constructor makes other modules: {late} among them is never "
        "asked; go through them last"
    )


def _why_always(test: Test) -> str:
    """Why a test holds for everything that it is asked of."""
    if not test.wanted:
        return "is true where the text is not found, too: find gives -1; compare it with -1"
    part = test.wanted[0].rpartition(".")[2]
    return f"is true for all that it is asked of: {part} alone is no condition"


def _asked_of(test: Test, what: str) -> str:
    """How many were asked, and that none satisfied it."""
    return f"is asked of {test.over} {what if test.over == 1 else what + 's'} and holds for none"


def _wrong_subject(test: Test) -> str:
    """Why a test can never hold, whatever the model: it is asked of the wrong kind of thing."""
    if test.elsewhere or test.held or test.unsure:
        return ""
    if test.kind in ("class", "attribute") and test.subject == "name":
        return f"{_asked_of(test, 'name')}: the loop goes through names, not through modules"
    if test.kind in ("class", "attribute") and test.subject == "pair":
        return f"{_asked_of(test, 'pair')}: named_modules() and its kin yield (name, module)"
    if test.kind == "class_name" and test.subject == "class":
        return "compares a class with a text, which are never equal; compare its __name__"
    if test.subject == "instance":
        return "compares a module with a class, which are never equal; write isinstance"
    if test.kind == "class_name" and any(name.startswith("torch.") for name in test.wanted):
        return "compares the name of a class with a class, which are never equal"
    if test.kind != "class" or not test.wanted:
        return ""
    are_tensors = all(name in _TENSORS for name in test.wanted)
    if test.subject == "module" and are_tensors:
        return f"{_asked_of(test, 'module')}: modules() and apply() never yield parameters"
    are_modules = all(name not in _TENSORS for name in test.wanted)
    if test.subject == "parameter" and are_modules:
        return f"{_asked_of(test, 'parameter')}: a parameter is never a module"
    return ""


def _misses(test: Test) -> str:
    """Why modules that satisfy a test are never asked."""
    # Of a class of which some are asked, others may be left out on purpose.
    missed = [n for n in test.missed if not test.held or test.exact or n not in test.asked]
    if not missed:
        return ""
    inside = ", ".join(missed[:3])
    if test.exact and not test.held:
        return f"{_asked_of(test, 'module')}: {inside} is a subclass, which only isinstance accepts"
    if test.held and test.exact:
        return _misses_heirs(test, inside)
    if test.held:
        return _misses_some(test, inside)
    outer = ", ".join(test.asked[:3])
    return (
        f"{_asked_of(test, 'module')} ({outer}): {inside} inside them is never asked; "
        "go through modules()"
    )


def _misses_heirs(test: Test, inside: str) -> str:
    """Of several classes, one is met only as a subclass, which an exact test passes over."""
    met = set(test.asked)
    if all(name.rpartition(".")[2] in met for name in test.wanted):
        return ""
    return (
        f"holds for {test.held} of the {test.over} modules that it is asked of: {inside} is a "
        "subclass, which only isinstance accepts"
    )


def _misses_some(test: Test, inside: str) -> str:
    return (
        f"holds for {test.held} of the {test.over} modules that it is asked of, and never meets "
        f"{inside} inside the others; go through modules()"
    )


def _near(test: Test, model: Model) -> str:
    """What a text or an attribute that nothing has was probably meant to be."""
    if test.kind == "name":
        return _near_name(test)
    if test.kind == "class_name":
        near = _near_text(test.wanted, test.asked, test.exact)
        return f"{_asked_of(test, 'module')}, although there is {near}" if near else ""
    if test.kind != "attribute":
        return ""
    holders = dict.fromkeys(test.asked)
    known = {p.name.rpartition(".")[2] for p in model.parameters if p.holder in holders}
    text = test.wanted[0]
    near = next((name for name in sorted(known) if _is_attribute(text, name)), "")
    return f"{_asked_of(test, 'module')}: the attribute is called {near}" if near else ""


def _near_name(test: Test) -> str:
    for text in test.wanted:
        for name in test.asked:
            is_end = name.endswith(f".{text}") if test.exact else f".{text}" in f".{name}"
            is_dotted = text != text.strip(".") and text.strip(".") in name.split(".")
            if is_end or is_dotted or name.lower() == text.lower():
                return f"{_asked_of(test, 'name')}: the full name is {name}"
    words = _by_words(test) or _by_number(test)
    if words:
        return f"{_asked_of(test, 'name')}, although there is {words}"
    parts = {part for name in test.asked for part in name.split(".")}
    for text in test.wanted:
        near = next((part for part in sorted(parts) if _is_meant(text, part, test.exact)), "")
        if near:
            return f"{_asked_of(test, 'name')}, although there is {near}"
    return ""


def _by_words(test: Test) -> str:
    """A name whose layer is called like the wanted one but for a word: `c_proj` for `proj`."""
    for text in test.wanted:
        *_, layer, last = ("", *text.strip(".").split("."))
        for name in test.asked:
            *_, own, end = ("", *name.split("."))
            mine, theirs = set(layer.split("_")), set(own.split("_"))
            if layer and own and last == end and (mine < theirs or theirs < mine):
                shared = mine & theirs
                is_mark = all(len(word) == 1 for word in mine ^ theirs)
                if max(map(len, shared), default=0) >= (2 if is_mark else _SHORTEST - 1):
                    return name
    return ""


def _by_number(test: Test) -> str:
    """A name whose layer is the wanted one, and that is no plural: `fc.weight` for `fc.weights`."""
    for text in test.wanted:
        layer, _, end = text.lstrip(".").rpartition(".")
        for name in test.asked:
            own, _, last = name.rpartition(".")
            if layer and f".{own}".endswith(layer) and end in (f"{last}s", f"{last}es"):
                return name
    return ""


def _is_meant(text: str, part: str, exact: bool) -> bool:
    """Whether a text that nothing is called was meant for this part of a name."""
    is_longer = exact and part.startswith((f"{text}_ih_l", f"{text}_hh_l", f"{text}_l"))
    return is_longer or _is_misspelt(text.strip("."), part)


def _is_misspelt(text: str, name: str) -> bool:
    """Whether two names have the same letters in another order or case, or all of them but one."""
    if len(text) < _SHORTEST or text == name:
        return False
    one, other = text.lower(), name.lower()
    return one == other or sorted(one) == sorted(other) or _lacks_letter(one, other)


def _is_attribute(text: str, name: str) -> bool:
    """Whether an attribute that nothing has was meant for this one: also the plural of its name."""
    return _is_misspelt(text, name) or text == f"{name}s" or name == f"{text}s"


def _lacks_letter(one: str, other: str) -> bool:
    """Whether a letter within the longer of two names is all that the other one lacks.

    The first and the last letter may tell names apart: `v_proj`, `heads`.
    """
    short, long = sorted((one, other), key=len)
    places = range(1, len(long) - 1) if len(short) >= _LONG and len(long) == len(short) + 1 else ()
    return any(long[i].isalpha() and long[:i] + long[i + 1 :] == short for i in places)


def _near_text(wanted: Iterable[str], classes: Iterable[str], exact: bool) -> str:
    """A class whose name is nearly what is asked for."""
    for text in wanted:
        for name in classes:
            is_part = text.lower() in name.lower()
            if text and (is_part or (exact and get_close_matches(text, [name], 1, _ALIKE))):
                return name
    return ""


def _whole(test: Test, model: Model) -> str:
    """Why a function fills nothing of a model: none of its tests holds for any of its modules."""
    is_by_class = test.kind in ("class", "class_name") and test.subject == "module"
    if (not is_by_class and test.kind != "shape") or test.partial:
        return ""
    group = _beside(test, model)
    first = next(t for t in group if t.fills)
    if first is not test or any(t.held or t.unsure or t.elsewhere for t in group):
        return ""
    untouched = {
        p.holder if is_by_class else p.name
        for p in model.parameters
        if p.kind == "weight" and p.history and all(d.by == "torch" for d in p.history)
    }
    left = [name for name in test.asked if name in untouched]
    if test.kind == "shape" and "" in test.asked:
        # parameters() gives no names: it went through all of them.
        weights = [p.name for p in model.parameters if p.kind == "weight"]
        left = weights if untouched.issuperset(weights) else []
    if not left:
        return ""
    asked = _asked_of(test, "module" if is_by_class else "parameter")
    return (
        f"{asked}, nor does any other test of {test.within or 'this code'}: "
        f"{', '.join(left[:3])} keep PyTorch's default"
    )


def _beside(test: Test, model: Model) -> Sequence[Test]:
    """The tests that stand in the same function, this one among them."""
    return _groups(model)[test.within, _path(test)]


@lru_cache(maxsize=1)
def _groups(model: Model) -> Mapping[tuple[str, str], Sequence[Test]]:
    """The tests of each function, by its name and its file."""
    found: dict[tuple[str, str], list[Test]] = {}
    for test in model.tests:
        found.setdefault((test.within, _path(test)), []).append(test)
    return found


def _path(test: Test) -> str:
    return test.site.path if test.site is not None else ""
