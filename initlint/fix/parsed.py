"""One file, parsed once, with what the fixes of all its findings ask again and again."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from initlint.fix.locate import Scope, last_name
from initlint.fix.scope import Facts, bound_in, names_in
from initlint.fix.spell import Speller
from initlint.fix.text import Refusal, Text, decode


@dataclass
class Parsed:
    """A file's text and tree, and caches of what is known of its scopes and blocks."""

    text: Text
    tree: ast.Module
    _facts: dict[int, Facts] = field(default_factory=dict)
    _names: dict[int, frozenset[str]] = field(default_factory=dict)
    _bound: dict[int, frozenset[str]] = field(default_factory=dict)
    _positions: dict[int, dict[int, int]] = field(default_factory=dict)
    _calls: dict[int, dict[str, int]] = field(default_factory=dict)

    @cached_property
    def speller(self) -> Speller:
        return Speller(self.tree, self.text)

    @cached_property
    def own_classes(self) -> frozenset[str]:
        """The names of classes that the file itself defines."""
        return frozenset(node.name for node in self.tree.body if isinstance(node, ast.ClassDef))

    def facts(self, scope: Scope) -> Facts:
        return self._facts.setdefault(id(scope), _Lazy) if False else self._facts_of(scope)

    def _facts_of(self, scope: Scope) -> Facts:
        if id(scope) not in self._facts:
            self._facts[id(scope)] = Facts(scope.body)
        return self._facts[id(scope)]
