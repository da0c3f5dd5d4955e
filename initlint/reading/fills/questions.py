"""Questions that code asks of modules and parameters: compiled, and noted when they are asked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import Instance, Listing, truth
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import PLAIN, External, Held, Slot, Value
from initlint.reading.evaluate.builtins import belongs
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.fills.asked import Asked, Question
from initlint.reading.objects.torch_modules import ancestors, type_of
from initlint.reading.reader import Reader

_DIMENSIONS = ("dim", "ndim", "ndimension")
_PREFIXES = ("startswith", "endswith")


# Compiling.


def asking(reader: Reader, test: ast.expr, body: Sequence[ast.stmt]) -> Code:
    """The compiled condition of an `if`, which notes what it asks of modules and parameters."""
    plain = code_of(reader, test)
    if not any(_form(atom) for atom in _atoms(test)):
        return plain
    noting = _noting(reader, test, body, False, test)

    def code(frame: Frame) -> Value:
        return plain(frame) if reader.drawing else noting(frame)

    return code


def _atoms(node: ast.expr) -> Iterator[ast.expr]:
    """The conditions that `and`, `or` and `not` join."""
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _atoms(part)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _atoms(node.operand)
    else:
        yield node


def _noting(
    reader: Reader, node: ast.expr, body: Sequence[ast.stmt], is_negated: bool, test: ast.expr
) -> Code:
    """What evaluates a condition part by part, as Python does, and notes each question.

    The condition is a part of `test`, or all of it.
    """
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _noting(reader, node.operand, body, not is_negated, test)
        return lambda frame: _negated(truth(inner(frame)))
    if isinstance(node, ast.BoolOp):
        parts = [_noting(reader, part, body, is_negated, test) for part in node.values]
        is_or = isinstance(node.op, ast.Or)
        always = _always(reader, node, body) if is_or and not is_negated else None
        both = None if is_or or is_negated else _both(reader, node, body)

        def code(frame: Frame) -> Value:
            result: Value = not is_or
            if both is not None and _exclude_each_other(both.wanted(frame)):
                _note(reader, both, frame, False)
            for part, inner in zip(parts, node.values, strict=True):
                value = part(frame)
                found = truth(value)
                if always is not None and _is_no_condition(inner, value):
                    _note(reader, always(part), frame, True)
                    return True
                if found is is_or:
                    return found
                result = PLAIN if found is None else result
            return result

        return code
    question = _question(reader, node, body, is_negated)
    if question is None:
        return code_of(reader, node)
    question.earlier = reader.earlier.get(test, ())
    made = question
    first = _first_of(reader, question)

    def ask(frame: Frame) -> Value:
        answer = made.answer(frame)
        if first is not None and (_are_classes(w := first.wanted(frame)) or isinstance(w, str)):
            _note(reader, first, frame, True)
        _note(reader, made, frame, truth(answer))
        return answer

    return ask


def _always(
    reader: Reader, node: ast.BoolOp, body: Sequence[ast.stmt]
) -> Callable[[Code], Question] | None:
    """What makes the question of an `or` that one of its parts makes true: `"a" or "b" in name`."""
    asked = next((part for part in node.values if _form(part)), None)
    question = _question(reader, asked, body, False) if asked is not None else None
    if question is None:
        return None
    text = ast.unparse(node)
    return lambda part: replace(question, text=text, node=node, wanted=part, always=True)


def _both(reader: Reader, node: ast.BoolOp, body: Sequence[ast.stmt]) -> Question | None:
    """The question of an `and` that asks twice for the class of one thing; None for any other."""
    asked = [part for part in node.values if _form(part) == "class"]
    if len(asked) < 2 or len({ast.dump(part.args[0]) for part in asked}) > 1:  # type: ignore[attr-defined]
        return None
    question = _question(reader, asked[0], body, False)
    codes = [code_of(reader, part.args[1]) for part in asked]  # type: ignore[attr-defined]
    return question and replace(
        question,
        text=ast.unparse(node),
        node=node,
        wanted=lambda frame: tuple(code(frame) for code in codes),
        both=True,
    )


def _exclude_each_other(wanted: Value) -> bool:
    """Whether these are classes of torch's of which none derives from another."""
    if not isinstance(wanted, tuple) or not all(map(_is_layer_class, wanted)):
        return False
    names = [_name_of(each) for each in wanted]
    return all(
        one not in ancestors(other) and other not in ancestors(one)
        for place, one in enumerate(names)
        for other in names[:place]
    )


def _is_layer_class(value: Value) -> bool:
    """Whether a value is a class of torch's layers, and no base of several."""
    is_torch = isinstance(value, External) and value.name.startswith("torch.nn.")
    return is_torch and not _name_of(value).startswith(("_", "Lazy", "Module", "Parameter", "RNNB"))


def _first_of(reader: Reader, question: Question) -> Question | None:
    """What notes that of `nn.Conv2d or nn.Linear`, as it is asked for, only the first counts."""
    node = question.node
    sides = node.args[1:] if isinstance(node, ast.Call) else []
    sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else sides
    for side in sides:
        if isinstance(side, ast.BoolOp) and isinstance(side.op, ast.Or):
            first = code_of(reader, side.values[0])
            return replace(question, text=ast.unparse(side), wanted=first, first=True)
    return None


def _is_no_condition(node: ast.expr, value: Value) -> bool:
    """Whether a part of an `or` is a text or a class, which is true whatever is asked."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value)
    return isinstance(node, (ast.Name, ast.Attribute)) and _are_classes(value)


def _negated(found: bool | None) -> Value:
    return PLAIN if found is None else not found


def _form(node: ast.expr) -> str:
    """The form of a question, as it is written; empty for anything else."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        if name in ("isinstance", "hasattr") and len(node.args) == 2:
            return "class" if name == "isinstance" else "attribute"
        method = node.func.attr if isinstance(node.func, ast.Attribute) and node.args else ""
        # The place of a text is no answer: -1, where it is not there, is true.
        return "place" if method == "find" else "part" if method in _PREFIXES else ""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return ""
    left, operator = node.left, node.ops[0]
    if _class_of(left) is not None:
        return "type"
    if isinstance(left, ast.Call) and getattr(left.func, "attr", "") == "find" and left.args:
        return "find"
    if _measured(left) is not None:
        return "shape"
    if isinstance(operator, (ast.In, ast.NotIn)):
        return "inside" if isinstance(left, ast.Constant) else "equal"
    is_equality = isinstance(operator, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot))
    return "equal" if is_equality else ""


def _class_of(node: ast.expr) -> ast.expr | None:
    """x of `type(x)` and `x.__class__`, and of `str()` of these."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str" and node.args:
        node = node.args[0]
    if isinstance(node, ast.Attribute) and node.attr == "__class__":
        return node.value
    is_type = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "type"
    return node.args[0] if is_type and len(node.args) == 1 else None  # type: ignore[attr-defined]


def _measured(node: ast.expr) -> ast.expr | None:
    """x of `x.dim()`, `x.ndim`, `len(x.shape)` and `len(x.size())`."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "len" and node.args:
        inner = node.args[0].func if isinstance(node.args[0], ast.Call) else node.args[0]
        is_shape = isinstance(inner, ast.Attribute) and inner.attr in ("shape", "size")
        return inner.value if is_shape else None  # type: ignore[attr-defined]
    inner = node.func if isinstance(node, ast.Call) else node
    is_count = isinstance(inner, ast.Attribute) and inner.attr in _DIMENSIONS
    return inner.value if is_count else None  # type: ignore[attr-defined]


def _question(
    reader: Reader, node: ast.expr, body: Sequence[ast.stmt], is_negated: bool
) -> Question | None:
    form = _form(node)
    if not form:
        return None
    subject, wanted, exact = _sides(node, form)
    is_opposite = isinstance(node, ast.Compare) and _is_opposite(node, form)
    return Question(
        form,
        ast.unparse(node),
        node,
        code_of(reader, subject),
        code_of(reader, wanted),
        code_of(reader, node),
        exact,
        _skips(body) if is_negated is not is_opposite else fills(body) or _decides(reader, body),
        is_opposite,
        form == "place",
    )


def _is_opposite(node: ast.Compare, form: str) -> bool:
    if form == "find":
        # It gives -1 for a text that is not there.
        return isinstance(node.ops[0], (ast.Eq, ast.Lt))
    return isinstance(node.ops[0], (ast.NotEq, ast.NotIn, ast.IsNot))


def _sides(node: ast.expr, form: str) -> tuple[ast.expr, ast.expr, bool]:
    """Of what a question is asked, what it asks for, and whether that must be equal."""
    if isinstance(node, ast.Call):
        if form in ("part", "place"):
            assert isinstance(node.func, ast.Attribute)
            return node.func.value, node.args[0], False
        return node.args[0], node.args[1], False
    assert isinstance(node, ast.Compare)
    left, right = node.left, node.comparators[0]
    if form == "type":
        return _class_of(left) or left, right, True
    if form == "shape":
        return _measured(left) or left, right, False
    if form == "find":
        assert isinstance(left, ast.Call) and isinstance(left.func, ast.Attribute)
        return left.func.value, left.args[0], False
    if form == "inside":
        return right, left, False
    is_turned = isinstance(left, ast.Constant)
    return (right, left, True) if is_turned else (left, right, True)


_INITIALISING = ("init", "reset", "fill", "normal", "uniform", "kaiming", "xavier", "orthogonal")


def fills(body: Sequence[ast.stmt]) -> bool:
    """Whether statements call what fills tensors, by its name, or assign to memory."""
    for node in (node for statement in body for node in ast.walk(statement)):
        if _writes_memory(node) or (isinstance(node, ast.Call) and _is_filling(node)):
            return True
    return False


@lru_cache(maxsize=256)
def may_fill(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function calls what fills, by its name, or `apply`, or assigns to memory.

    What it is given it may call by any name: `init(self)` is the constructor that it wraps. This
    only decides that something is not known, never that it is filled.
    """
    parts = list(ast.walk(function))
    own = {part.arg for part in parts if isinstance(part, ast.arg)}
    own |= {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    called = [part.func for part in parts if isinstance(part, ast.Call)]
    names = {getattr(func, "attr", "") or getattr(func, "id", "") for func in called} - own
    is_called = any(name == "apply" or fills_by(name) for name in names if name[:2] != "__")
    return is_called or any(map(_writes_memory, parts))


def _writes_memory(node: ast.AST) -> bool:
    """Whether a statement assigns to the memory of a tensor: `weight.data = values`."""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    targets = [node.target] if isinstance(node, ast.AugAssign) else targets
    return any(isinstance(t, ast.Attribute) and t.attr == "data" for t in targets)


def _is_filling(node: ast.Call) -> bool:
    return fills_by(getattr(node.func, "attr", "") or getattr(node.func, "id", ""))


def fills_by(name: str) -> bool:
    """Whether the name of a function says that it fills tensors."""
    is_in_place = name.endswith("_") and not name.endswith("__")
    return is_in_place or any(word in name.lower() for word in _INITIALISING)


def _decides(reader: Reader, body: Sequence[ast.stmt]) -> bool:
    """Whether statements only set numbers, such as a std, that a call below them fills with."""
    if not all(isinstance(each, (ast.Assign, ast.AugAssign)) for each in body):
        return False
    inner = [node for statement in body for node in ast.walk(statement)]
    names = {n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    functions = [n for n in reader.active if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return bool(functions) and not names.isdisjoint(_given_to_fill(functions[-1]))


@lru_cache(maxsize=64)
def _given_to_fill(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The names in the arguments of the calls by which a function fills tensors."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    given = [word for call in calls if _is_filling(call) for word in (*call.args, *call.keywords)]
    names = (node for word in given for node in ast.walk(word) if isinstance(node, ast.Name))
    return frozenset(name.id for name in names)


def _skips(body: Sequence[ast.stmt]) -> bool:
    """Whether statements only end this round: what is negated then guards all that follows."""
    return len(body) == 1 and isinstance(body[0], (ast.Continue, ast.Return, ast.Pass))


def _note(reader: Reader, question: Question, frame: Frame, found: bool | None) -> None:
    """Note how a question was answered, if it is asked of a module or a parameter."""
    value = question.subject(frame)
    is_met = not found if question.opposite and found is not None else found
    told = _told(reader, question, value)
    if told is None:
        return
    kind, subject, thing, name = told
    if subject == "instance" and not _are_classes(question.wanted(frame)):
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
            if isinstance(visit.thing, Instance) and _name_of(value) == type_of(visit.thing):
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
        if isinstance(thing, Instance) and value.lower() == type_of(thing).lower():
            return "class_name", "module", thing, visit.name
        if value == visit.name:
            return "name", _subject_of(thing) if thing is not None else "parameter", thing, value
    return None


def _is_of_torch(value: UserClass | External) -> bool:
    return isinstance(value, External) and value.name.startswith("torch.nn.")


def _is_called_name(node: ast.expr) -> bool:
    """Whether a variable that is asked about is called a name: `activation_name == "relu"`."""
    variables = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return any(variable.lower().endswith("name") for variable in variables)


def _name_of(value: UserClass | External) -> str:
    return value.name.rpartition(".")[2]


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


def _are_classes(wanted: Value) -> bool:
    """Whether a value is a class of modules, or several."""
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    return all(
        isinstance(v, UserClass) or (isinstance(v, External) and v.name.startswith("torch.nn."))
        for v in values
    )


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
