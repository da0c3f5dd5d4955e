"""Why a model or a class of modules is not judged: code that is not followed may fill it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Value
from initlint.reading.attempts import Attempts
from initlint.reading.evaluate.names import top_level
from initlint.reading.models.life import Birth
from initlint.reading.models.scripts import Scripts
from initlint.reading.models.strangers import Strangers
from initlint.reading.objects.classes import order_of
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Import, Module

_STOPPED = "code that may make and fill it was not followed to its end"
_LOADED = "code that is read only makes it from a checkpoint"
_GIVEN = "it is passed on as a value and made by no code that is read, so other code may fill it"


class Doubts:
    """Of every model and class why code that is not seen may fill it; empty if none may."""

    def __init__(self, reader: Reader, attempts: Attempts) -> None:
        self._reader = reader
        self._attempts = attempts
        self._strangers = Strangers(reader)
        # Classes that code may mean which was not followed, or which leads to no certain file.
        self._unsure: dict[Value, str] = {}

    def note(self, classes: Sequence[UserClass], stopped: Sequence[Module]) -> None:
        """Note what the code that was followed has left open: files and imports."""
        self._unsure = dict.fromkeys(self._known_in(stopped), _STOPPED)
        self._unsure |= self._meant_astray(classes)

    def of_class(self, cls: UserClass, is_part: bool) -> str:
        """Why code may fill a class that nothing makes."""
        if cls in self._reader.loaded:
            return _LOADED
        if self._is_named(cls):
            return ""
        given = _GIVEN if is_part else ""
        return self._unsure.get(cls) or self._strangers.doubt(cls) or given

    def of_rest(self, cls: UserClass) -> str:
        """Why code may fill what such a class leaves at PyTorch's default."""
        return "" if self._is_named(cls) else self._strangers.doubt_of_part(cls)

    def of_birth(self, birth: Birth, scripts: Scripts) -> str:
        """Why code may fill a model that is made, and that no code has filled or trained.

        Of models that a function gives back which nothing calls by its name, only those of a known
        class can be meant.
        """
        if birth.lost:
            return _STOPPED
        cls = birth.model.cls
        is_called = birth.model not in scripts.results or birth.trained or birth.is_treated()
        if is_called or not isinstance(cls, UserClass):
            return ""
        return self._strangers.doubt(cls)

    def _is_named(self, cls: UserClass) -> bool:
        """Whether code that is read makes or names a class, or one that it inherits from."""
        return any(isinstance(c, UserClass) and c.used for c in order_of(self._reader, cls))

    def _known_in(self, modules: Sequence[Module]) -> Iterator[UserClass]:
        """The classes that files define or import."""
        reader = self._reader
        for module in modules:
            for name, entry in list(reader.program.names(module).items()):
                if isinstance(entry, (ast.ClassDef, Import)):
                    value = self._attempts.run(module, name, top_level, reader, module, name)
                    if isinstance(value, UserClass):
                        yield value

    def _meant_astray(self, classes: Sequence[UserClass]) -> dict[Value, str]:
        """The classes that an import may mean whose module is not certain; why, for each."""
        found: dict[Value, str] = {}
        for path, name in self._reader.astray:
            whole, _, member = name.rpartition(".")
            parts = tuple(whole.split("."))
            place = self._reader.program.import_of(path, parts[0])
            meant = [
                c for c in classes if c.name == member and c.module.parts[-len(parts) :] == parts
            ]
            what = "means one of several files" if meant else "not found among the files read"
            reason = f"{whole} is imported at {place} and {what}"
            self._attempts.give_up(path, name, reason)
            found |= dict.fromkeys(meant, f"{reason}, so other code may fill it")
        return found
