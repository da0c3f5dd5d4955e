"""Compiles the questions that code asks of modules and parameters, so that they are noted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace

from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import truth
from initlint.reading.abstract.values import PLAIN, External, Value
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.fills.asked import Question
from initlint.reading.fills.filling import fills, given_to_fill, skips
from initlint.reading.fills.forms import atoms, form_of, is_opposite, sides
from initlint.reading.fills.noted import are_classes, name_of, note
from initlint.reading.objects.torch_modules import ancestors
from initlint.reading.reader import Reader


def asking(reader: Reader, test: ast.expr, body: Sequence[ast.stmt]) -> Code:
    """The compiled condition of an `if`, which notes what it asks of modules and parameters."""
    plain = code_of(reader, test)
    if not any(form_of(atom) for atom in atoms(test)):
        return plain
    noting = _noting(reader, test, body, False, test)

    def code(frame: Frame) -> Value:
        return plain(frame) if reader.drawing else noting(frame)

    return code


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
                note(reader, both, frame, False)
            for part, inner in zip(parts, node.values, strict=True):
                value = part(frame)
                found = truth(value)
                if always is not None and _is_no_condition(inner, value):
                    note(reader, always(part), frame, True)
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
        if first is not None and (are_classes(w := first.wanted(frame)) or isinstance(w, str)):
            note(reader, first, frame, True)
        note(reader, made, frame, truth(answer))
        return answer

    return ask


def _always(
    reader: Reader, node: ast.BoolOp, body: Sequence[ast.stmt]
) -> Callable[[Code], Question] | None:
    """What makes the question of an `or` that one of its parts makes true: `"a" or "b" in name`."""
    asked = next((part for part in node.values if form_of(part)), None)
    question = _question(reader, asked, body, False) if asked is not None else None
    if question is None:
        return None
    text = ast.unparse(node)
    return lambda part: replace(question, text=text, node=node, wanted=part, always=True)


def _both(reader: Reader, node: ast.BoolOp, body: Sequence[ast.stmt]) -> Question | None:
    """The question of an `and` that asks twice for the class of one thing; None for any other."""
    asked = [part for part in node.values if form_of(part) == "class"]
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
    names = [name_of(each) for each in wanted]
    return all(
        one not in ancestors(other) and other not in ancestors(one)
        for place, one in enumerate(names)
        for other in names[:place]
    )


def _is_layer_class(value: Value) -> bool:
    """Whether a value is a class of torch's layers, and no base of several."""
    is_torch = isinstance(value, External) and value.name.startswith("torch.nn.")
    return is_torch and not name_of(value).startswith(("_", "Lazy", "Module", "Parameter", "RNNB"))


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
    return isinstance(node, (ast.Name, ast.Attribute)) and are_classes(value)


def _negated(found: bool | None) -> Value:
    return PLAIN if found is None else not found


def _question(
    reader: Reader, node: ast.expr, body: Sequence[ast.stmt], is_negated: bool
) -> Question | None:
    form = form_of(node)
    if not form:
        return None
    subject, wanted, exact = sides(node, form)
    negates = isinstance(node, ast.Compare) and is_opposite(node, form)
    return Question(
        form,
        ast.unparse(node),
        node,
        code_of(reader, subject),
        code_of(reader, wanted),
        code_of(reader, node),
        exact,
        skips(body) if is_negated is not negates else fills(body) or _decides(reader, body),
        negates,
        form == "place",
    )


def _decides(reader: Reader, body: Sequence[ast.stmt]) -> bool:
    """Whether statements only set numbers, such as a std, that a call below them fills with."""
    if not all(isinstance(each, (ast.Assign, ast.AugAssign)) for each in body):
        return False
    inner = [node for statement in body for node in ast.walk(statement)]
    names = {n.id for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    functions = [n for n in reader.active if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return bool(functions) and not names.isdisjoint(given_to_fill(functions[-1]))
