"""Parses files that may use torch, each once; lists files that cannot be parsed."""

from __future__ import annotations

import ast
import io
import re
import symtable
import tokenize
import warnings
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, lru_cache

from initlint.reading.abstract.values import bounded
from initlint.records import Site, Unanalysed
from initlint.safe import regular

# A file without any of these defines no layers of its own; it is parsed if another one needs it.
_HINTS = re.compile(rb"torch|\bnn\.|\bnn\b")
WORDS = re.compile(rb"[A-Za-z_]\w*")
# Every byte that is no part of a word becomes a space.
_ONLY_WORDS = bytes(b if re.match(rb"\w", bytes([b])) else ord(" ") for b in range(256))
# A tree takes up to a kilobyte for every word and mark; small files cannot have too many of them.
_SMALL, _MOST_TOKENS = 300_000, 400_000
_TOKEN = re.compile(rb"\w+|[^\w\s]|\n")
# A number that is too large to be a size.
_LONG = re.compile(rb"\b(?:[0-9][0-9_]{15}|0[xXoObB][0-9A-Fa-f_]{14})")


def words_of(text: bytes) -> frozenset[bytes]:
    """All words of a text, in code, comments and strings."""
    return frozenset(text.translate(_ONLY_WORDS).split())


class Source:
    """One file: its path as it was given, its bytes, and its tree once it is asked for.

    `asked` is False for a file that is there only for others to import from it.
    """

    def __init__(self, path: str, data: bytes, asked: bool = True) -> None:
        self.path = path
        self.data = data
        self.asked = asked
        # Whether it may use torch; `hinted` if that matters for its own sake.
        self.uses_torch = bool(_HINTS.search(data))
        self.hinted = asked and self.uses_torch
        self._tree: ast.Module | None = None
        self._lines: list[bytes] = []
        self._is_ascii = data.isascii()
        # For each line, the positions of UTF-8 continuation bytes.
        self._inside: dict[int, list[int]] = {}
        self._sites: dict[ast.AST, Site] = {}

    @cached_property
    def words(self) -> frozenset[bytes]:
        """All words of the file's text, in code, comments and strings."""
        return words_of(self.data)

    @cached_property
    def prose(self) -> frozenset[int]:
        """The lines of string statements, such as docstrings."""
        found: set[int] = set()
        waiting: list[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]
        waiting = [self.tree]
        while waiting:
            for statement in waiting.pop().body:
                if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    waiting.append(statement)
                elif isinstance(statement, ast.Expr) and _is_text(statement.value):
                    found.update(range(statement.lineno, (statement.end_lineno or 0) + 1))
        return frozenset(found)

    @cached_property
    def annotated(self) -> frozenset[tuple[int, int]]:
        """Where annotations name something: the lines, and the columns in bytes."""
        found: set[tuple[int, int]] = set()
        waiting: list[ast.stmt] = [*self.tree.body]
        while waiting:
            statement = waiting.pop()
            notes: list[ast.expr | None] = []
            if isinstance(statement, ast.AnnAssign):
                notes = [statement.annotation]
            elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                spec = statement.args
                places = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
                notes = [statement.returns, *(arg.annotation for arg in places if arg is not None)]
            for note in notes:
                names = ast.walk(note) if note is not None else ()
                found |= {(n.lineno, n.col_offset) for n in names if isinstance(n, ast.Name)}
            waiting += getattr(statement, "body", ())
        return frozenset(found)

    @property
    def tree(self) -> ast.Module:
        """The syntax tree; an empty one where the file cannot be parsed."""
        if self._tree is None:
            self.parse()
        return self._tree or _EMPTY

    def parse(self) -> Unanalysed | None:
        """Parse the file; the reason where that fails."""
        self._tree = _EMPTY
        if not self.data.strip():
            return None
        try:
            self._tree = _parsed(self.data, self.path)
        except Exception as error:
            return _broken(self.path, self.data, error)
        return None

    def verify(self) -> Unanalysed | None:
        """Whether a file that is of no interest could be parsed: cheaper than parsing it."""
        try:
            text = self.data.decode("utf-8-sig")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                symtable.symtable(text, self.path, "exec")
        except Exception:
            # Whether it is another encoding or a real fault, parsing will say.
            return self.parse()
        return None

    def lines(self, first: int, last: int) -> bytes:
        """The text from one line to another, both counted from 1 and included."""
        return b"\n".join(self.split()[first - 1 : last])

    def split(self) -> list[bytes]:
        """The file's lines, in bytes."""
        if not self._lines:
            text = self.data.removeprefix(b"\xef\xbb\xbf")
            if b"\r" in text:
                text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            self._lines = text.split(b"\n")
        return self._lines

    def characters(self, line: int, byte_column: int) -> int:
        """A column in characters that counts from 1, from one in bytes that counts from 0."""
        self.split()
        if self._is_ascii or line > len(self._lines):
            return byte_column + 1
        if line not in self._inside:
            self._inside[line] = [m.start() for m in _INSIDE.finditer(self._lines[line - 1])]
        return byte_column + 1 - bisect_left(self._inside[line], byte_column)

    def site(self, node: ast.AST) -> Site:
        """Where an expression or a statement stands; asked for often, so worked out once."""
        if node not in self._sites:
            line, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
            last, end = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
            start = self.characters(line, column)
            self._sites[node] = Site(self.path, line, start, last, self.characters(last, end))
        return self._sites[node]

    @property
    def text(self) -> str:
        """The file's text, as far as it can be decoded."""
        return self.data.decode("utf-8", errors="replace")


_EMPTY = ast.Module([], [])


# One file is read alone, and again with those that use it; an editor reads it at every key.
@lru_cache(maxsize=64)
def _parsed(data: bytes, path: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(data, path)
    if _LONG.search(data):
        _forget_large(tree)
    return tree


_INSIDE = re.compile(rb"[\x80-\xbf]")


def _forget_large(tree: ast.Module) -> None:
    """Replace every number that is too large to be a size by an unknown value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = bounded(node.value) if type(node.value) is int else node.value


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def sources(
    paths: Sequence[str], texts: Mapping[str, str | bytes], imported: Collection[str] = ()
) -> tuple[list[Source], list[Unanalysed]]:
    """All files that can be read and parsed, and the reasons for the others.

    Those of `imported` are parsed once another file needs them.
    """
    found, broken = [], []
    for path in dict.fromkeys(paths):
        is_asked = path not in imported
        try:
            source = Source(path, _bytes(path, texts), is_asked)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            broken.append(Unanalysed(path, f"{path}: cannot be read: {reason}"))
            continue
        if not is_asked:
            found.append(source)
            continue
        fault = source.parse() if source.hinted else source.verify()
        if fault is not None:
            broken.append(fault)
        else:
            found.append(source)
    return found, broken


def _bytes(path: str, texts: Mapping[str, str | bytes]) -> bytes:
    data = texts[path] if path in texts else regular.read_regular(path, regular.SOURCE)
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    refusal = why_too_large(data)
    if refusal:
        raise ValueError(refusal)
    return data


def why_too_large(data: bytes) -> str:
    """Why a source is not parsed, because of its size; empty if it is."""
    if len(data) > regular.SOURCE:
        return f"larger than {regular.SOURCE // 1_000_000} MB"
    if len(data) > _SMALL and sum(1 for _ in _TOKEN.finditer(data)) > _MOST_TOKENS:
        return f"more than {_MOST_TOKENS:,} words and marks, which is data, not code"
    return ""


def _broken(path: str, data: bytes, error: Exception) -> Unanalysed:
    """One line on a file that cannot be parsed: where, why, and what to do about it."""
    if b"\0" in data:
        reason = f"{_place(path, data, data.index(0))}: a null byte: it is no Python; {_LEFT_OUT}"
    elif (byte := _undecodable(data)) is not None:
        wrong = f"byte 0x{data[byte]:02x} is not UTF-8"
        remedy = "save the file as UTF-8, or declare its encoding in its first line"
        reason = f"{_place(path, data, byte)}: {wrong}: {remedy} (# coding: latin-1)"
    elif isinstance(error, SyntaxError):
        line = f":{error.lineno}" if error.lineno else ""
        column = f":{error.offset}" if error.lineno and error.offset else ""
        reason = f"{path}{line}{column}: SyntaxError: {error.msg} ({_CORRECT})"
    elif isinstance(error, (RecursionError, MemoryError)):
        reason = f"{path}: nested too deeply to be read"
    else:
        reason = f"{path}: cannot be parsed: {error}; {_LEFT_OUT}"
    return Unanalysed(path, reason)


_LEFT_OUT = "leave it out with exclude"
_CORRECT = f"correct it, or {_LEFT_OUT}"


def _place(path: str, data: bytes, at: int) -> str:
    """Line and column of a byte."""
    before = data[:at]
    line = before[before.rfind(b"\n") + 1 :].removeprefix(b"\xef\xbb\xbf")
    return f"{path}:{before.count(10) + 1}:{len(line.decode('utf-8', 'replace')) + 1}"


def _undecodable(data: bytes) -> int | None:
    """The first byte that is not what a file without a declared encoding has; None if all are."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError:
        encoding = "utf-8"
    if encoding not in ("utf-8", "utf-8-sig"):
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None
