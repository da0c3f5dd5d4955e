"""The notes on questions that code asked of modules and parameters, and on the answers."""

from __future__ import annotations

import ast
from collections.abc import Callable

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Instance, Listing
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import External, Held, Slot, Value
from initlint.reading.evaluate.builtins import belongs
from initlint.reading.fills.asked import Asked, Question
from initlint.reading.objects.torch_modules import type_of
from initlint.reading.reader import Reader


def note(reader: Reader, question: Question, frame: Frame, found: bool | None) -> None:
    """Note how a question was answered, if it is asked of a module or a parameter."""
    value = question.subject(frame)
    is_met = not found if question.opposite and found is not None else found
    told = _told(reader, question, value)
    if told is None:
        return
    kind, subject, thing, name = told
    if subject == "instance" and not are_classes(question.wanted(frame)):
        return
    if question.form == "type" and subject == "module" and _are_texts(question.wanted(frame)):
        kind, subject = "class_name", "class"
        texts = _names(question.wanted(frame))
        if is_met is None and not any(text.startswith("<") for text in texts):
            # `str(type(m))` is "<class 'torch.nn.modules.linear.Linear'>".
            is_met = False
    marks = {"first": question.first, "always": question.always, "both": question.both}
    kind = next((mark for mark, holds in marks.items() if holds), kind)
    owner = reader.constructing or _home(reader, thing)
    if owner is None:
        owner = reader.nowhere
    key = (question.node, kind)
    asked = owner.questions.get(key)
    if asked is None:
        asked = _begun(reader, question, kind, subject, frame)
        asked.owner, asked.lines = owner, _constructor(reader, owner)
        owner.questions[key] = asked
    if subject == "":
        asked.elsewhere = asked.elsewhere or is_met is not False
        if is_met is False:
            reader.denied.append((thing, question.text))
            if kind == "attribute":
                asked.over[id(thing)] = (thing, name)
        return
    asked.subject = asked.subject or subject
    asked.over[id(thing) if thing is not None else hash(name)] = (thing, name)
    place = id(thing) if thing is not None else hash(name)
    if is_met is None:
        asked.unsure.add(place)
    elif is_met:
        asked.held.add(place)


def _told(reader: Reader, question: Question, value: Value) -> tuple[str, str, Value, str] | None:
    """Kind and subject of a question, the module or parameter that it is asked of, and its name.

    The subject is empty where nothing is gone through one after another.
    """
    if question.form in ("class", "attribute", "type", "shape"):
        return _of_thing(reader, question, value)
    return _of_text(reader, question, value)


def _of_thing(
    reader: Reader, question: Question, value: Value
) -> tuple[str, str, Value, str] | None:
    kind = "class" if question.form == "type" else question.form
    held = value.slot if isinstance(value, Held) else value
    for visit in reversed(reader.visits):
        thing = visit.thing.slot if isinstance(visit.thing, Held) else visit.thing
        if held is thing and held is not None:
            return kind, _subject_of(held), held, visit.name
        if isinstance(value, str) and visit.item is value and kind != "shape":
            return kind, "name", None, value
        if isinstance(value, tuple) and visit.item is value and kind != "shape":
            return kind, "pair", thing, visit.name
        is_own = kind == "shape" and isinstance(thing, Instance) and isinstance(held, Slot)
        if is_own and held.holder is thing:
            return kind, "parameter", held, f"{visit.name}.{held.name}"
    is_thing = isinstance(held, Slot) or (isinstance(held, Instance) and held.torch)
    return (kind, "", held, "") if is_thing else None


def _subject_of(thing: Value) -> str:
    return "parameter" if isinstance(thing, Slot) else "module"


def _of_text(
    reader: Reader, question: Question, value: Value
) -> tuple[str, str, Value, str] | None:
    if isinstance(value, (UserClass, External)):
        # What a helper gives may be a class: it is compared with a text.
        for visit in reversed(reader.visits):
            if isinstance(visit.thing, Instance) and name_of(value) in _names_of(visit.thing):
                return "class_name", "class", visit.thing, visit.name
        # So is what a helper gives as the name of the activation that follows.
        is_meant = _is_of_torch(value) and _is_called_name(question.node)
        return ("class_name", "class", None, value.name) if is_meant else None
    if isinstance(value, Instance) and any(visit.thing is value for visit in reader.visits):
        # A module is compared with a class.
        return "class", "instance", value, ""
    if not isinstance(value, str) or not value:
        return None
    for visit in reversed(reader.visits):
        thing = visit.thing.slot if isinstance(visit.thing, Held) else visit.thing
        if isinstance(thing, Instance) and value.lower() in _names_of(thing, str.lower):
            return "class_name", "module", thing, visit.name
        if value == visit.name:
            return "name", _subject_of(thing) if thing is not None else "parameter", thing, value
    return None


def _names_of(thing: Instance, spelled: Callable[[str], str] = str) -> tuple[str, str]:
    """The name of a module's class, and the one that a lazy layer has got by now."""
    return spelled(type_of(thing)), spelled(thing.kind())


def _is_of_torch(value: UserClass | External) -> bool:
    return isinstance(value, External) and value.name.startswith("torch.nn.")


def _is_called_name(node: ast.expr) -> bool:
    """Whether a variable that is asked about is called a name: `activation_name == "relu"`."""
    variables = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return any(variable.lower().endswith("name") for variable in variables)


def _home(reader: Reader, thing: Value) -> Instance | None:
    """The model within which something lies that code outside of constructors looks at."""
    module = thing.holder if isinstance(thing, Slot) else thing
    birth = reader.life.of.get(module) if isinstance(module, Instance) else None
    return birth.model if birth is not None else None


def _begun(reader: Reader, question: Question, kind: str, subject: str, frame: Frame) -> Asked:
    """The notes on a question that has not been asked yet."""
    wanted = question.wanted(frame)
    holds: Callable[[Instance], bool | None] | None = None
    if kind == "class":

        def holds(module: Instance) -> bool | None:
            return belongs(reader, module, wanted)

    site = reader.site(question.node)
    # The text whose place is looked for would be a condition, if it were one.
    names = () if question.form == "place" else _names(wanted)
    return Asked(question, kind, subject, site, reader.within(), names, holds)


def _constructor(reader: Reader, owner: Instance) -> tuple[int, int]:
    """The lines of the constructor that runs, if it is that of a module's own class; else 0, 0."""
    functions = [n for n in reader.active if isinstance(n, ast.FunctionDef)]
    running = next((n for n in reversed(functions) if n.name == "__init__"), None)
    own = owner.cls.node.body if owner.cls is not None else ()
    if running is None or not any(node is running for node in own):
        return 0, 0
    return running.lineno, running.end_lineno or running.lineno


def _are_texts(wanted: Value) -> bool:
    values = wanted.items if isinstance(wanted, Listing) else wanted
    return all(
        isinstance(v, str) for v in (values if isinstance(values, (tuple, list)) else (values,))
    )


def _names(wanted: Value) -> tuple[str, ...]:
    """The names of classes, or the texts, that a question asks for."""
    values = wanted.items if isinstance(wanted, Listing) else wanted
    found: list[str] = []
    for value in values if isinstance(values, (tuple, list)) else options_of(values):
        if isinstance(value, (UserClass, External)):
            found.append(value.name)
        elif isinstance(value, str):
            found.append(value)
        elif isinstance(value, (tuple, Listing)):
            found += _names(value)
    return tuple(found)


def name_of(value: UserClass | External) -> str:
    return value.name.rpartition(".")[2]


def are_classes(wanted: Value) -> bool:
    """Whether a value is a class of modules, or several."""
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    return all(
        isinstance(v, UserClass) or (isinstance(v, External) and v.name.startswith("torch.nn."))
        for v in values
    )
