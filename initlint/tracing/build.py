"""Builds a target: imports it, finds the attribute, and constructs it on meta under a recorder."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from initlint.project.arguments import how_to_give
from initlint.project.targets import of_model
from initlint.records import InitlintError, Unanalysed
from initlint.tracing.foreign import (
    ForeignError,
    asked,
    contained,
    kind_of,
    quiet,
    text_of,
    working_folder,
)
from initlint.tracing.frameworks import initialize_passed_over, initialized_when_made
from initlint.tracing.live import live_models, parts_of
from initlint.tracing.places import TORCH, shown_path
from initlint.tracing.process import restored
from initlint.tracing.record import Recorder


@dataclass(frozen=True, slots=True)
class Built:
    """A model ready to be captured. `recorder` is None for a live model, whose past is unknown.

    `rebuild` makes a model that was built without memory once more, with memory; `factory` is what
    it was built by.
    """

    name: str
    model: nn.Module
    recorder: Recorder | None
    rebuild: Callable[[], nn.Module] | None = None
    factory: Callable[[], nn.Module] | None = None


class BuildError(InitlintError):
    """A target could not be imported, found or constructed."""


class MissingModuleError(BuildError):
    """There is no module of the name of a target."""


class LacksArgumentError(BuildError):
    """A target takes arguments that were not given."""


def build(
    target: str, arguments: Mapping[str, Any] | None = None, device: str | None = None
) -> Built:
    """The model that `package.module:attr` or `path/file.py:attr` names.

    attr is an nn.Module subclass, a function that returns a model, or a model. Classes and
    functions are called with `arguments` on `device`; without one on the meta device, and again
    on the CPU where they need values. Raises BuildError with one line: where, what, and what to do.
    """
    place, _ = of_model(target)
    try:
        module, recorder = load(place)
    except MissingModuleError as error:
        raise BuildError(f"{target}: {error}") from error
    attribute = _attribute(module, target)
    if isinstance(attribute, nn.Module):
        model = attribute if device is None else attribute.to(device)
        return Built(target, model, recorder if recorder.made.knows(attribute) else None)
    if not callable(attribute):
        kind = type(attribute).__name__
        raise BuildError(f"{target}: a {kind} is neither a model, a class nor a function")
    return construct(attribute, target, arguments or {}, device)


def build_all(
    path: str,
    arguments: Mapping[str, Any] | None = None,
    begun: Callable[[str], None] = lambda name: None,
    spared: Collection[str] = (),
) -> list[Built | Unanalysed]:
    """The live models that a file leaves, and every top-level module class of which it left none.

    Classes are built with no more than `arguments`. A class that is a submodule of another one is
    left out. A class that needs more arguments, or whose constructor raises, gives an Unanalysed
    with the reason. `begun` is called with the name of each class before it is built; classes named
    in `spared` are not built.
    """
    if not path.endswith(".py") or Path(path).is_dir():
        known = "a folder" if Path(path).is_dir() else "not a Python file"
        raise BuildError(f"{path}: {known}; after --trace name files, as path/net.py")
    module, recorder = load(path)
    found = live_models(module, recorder)
    live = [Built(f"{path}:{name}", model, recorder) for name, model in found.items()]
    born = {type(part) for model in found.values() for part in (model, *parts_of(model))}
    classes = [c for c in vars(module).values() if _is_model_class(c, module) and c not in born]
    alone = []
    for cls in dict.fromkeys(classes):
        name = f"{path}:{cls.__name__}"
        if name not in spared:
            begun(name)
            with restored():
                alone.append(_attempted(cls, name, arguments or {}))
    parts = {kind for built in alone for kind in _kinds_of_parts(built)}
    whole = [r for r in alone if isinstance(r, Unanalysed) or type(r.model) not in parts]
    return [*(built for built in live if built.name not in spared), *whole]


def _kinds_of_parts(built: Built | Unanalysed) -> set[type]:
    if isinstance(built, Unanalysed):
        return set()
    return {type(part) for part in parts_of(built.model)}


# A NameError on meta would also happen on the CPU: do not retry with real memory.
_MISSING = (KeyError, NameError, AttributeError, ImportError)


def construct(
    factory: Callable[..., Any],
    name: str,
    arguments: Mapping[str, Any],
    device: str | None = None,
) -> Built:
    """The model that a class or factory function returns, built under the recorder."""
    given = _accepted_arguments(factory, name, arguments)
    # Constructors that read values (.item(), linspace().tolist()) cannot run on meta.
    devices = ["meta", "cpu"] if device is None else [device]
    for attempt in devices:
        try:
            return _built_on(attempt, factory, name, given)
        except BuildError:
            raise
        except Exception as error:
            failure = error
            if isinstance(error, _MISSING):
                break
    raise BuildError(f"{where(failure, name)}: {described(failure)}") from failure


def load(path_or_module: str) -> tuple[types.ModuleType, Recorder]:
    """Import a file or a dotted module, recording the models that importing it makes."""
    with quiet(), Recorder() as recorder:
        try:
            with contained():
                return _imported(path_or_module), recorder
        except BuildError:
            raise
        except Exception as error:
            cause = error.cause if isinstance(error, ForeignError) else error
            name = cause.name if isinstance(cause, ModuleNotFoundError) else None
            if name and f"{path_or_module}.".startswith(f"{name}."):
                advice = "for a file write its path, as path/net.py:Net"
                raise MissingModuleError(f"there is no module {name} here; {advice}") from error
            place = where(error, path_or_module)
            raise BuildError(f"{place}: cannot be imported: {described(error)}") from error


def _imported(path_or_module: str) -> types.ModuleType:
    if path_or_module.endswith(".py"):
        return _loaded_file(Path(path_or_module))
    with _importable(working_folder() or Path()):
        return importlib.import_module(path_or_module)


def described(error: BaseException) -> str:
    """An exception as one line, with the nearest existing name where a name was not found."""
    line = f"{kind_of(error)}: {text_of(error) or 'no message'}"
    return line + str(asked(lambda: _hint(error, line), ""))


def _hint(error: BaseException, line: str) -> str:
    if isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType):
        return _nearest(error.name or "", error.obj)
    if isinstance(error, (AttributeError, NameError)) and "Did you mean" not in line:
        return _suggested(error)
    return ""


def where(error: BaseException, otherwise: str) -> str:
    """`path:line` of the user's frame in which `error` was raised, else `otherwise`."""
    if isinstance(error, ForeignError):
        error = error.cause
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and error.filename:
        return f"{shown_path(error.filename)}:{text_of(error.lineno)}"
    place, trace = otherwise, error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        is_users = not name.startswith((TORCH, "<", str(Path(__file__).parent.parent)))
        if is_users and not _is_of_python(name):
            place = f"{shown_path(name)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _is_of_python(path: str) -> bool:
    """Whether a file belongs to Python's own library, where a mistake of the user's only shows."""
    return path.startswith(_LIBRARY) and "site-packages" not in path


_LIBRARY = sysconfig.get_path("stdlib")


def _nearest(name: str, module: types.ModuleType) -> str:
    """The module that has a name which `module` lacks: torch has functions in several modules."""
    found = [
        f"{prefix}.{name}"
        for prefix, other in (("torch", torch), ("torch.nn.functional", nn.functional))
        if module.__name__.startswith("torch") and hasattr(other, name)
    ]
    close = difflib.get_close_matches(name, dir(module), n=1, cutoff=0.6)
    folded = {entry.lower(): entry for entry in dir(module)}
    close = [folded[name.lower()]] if name.lower() in folded else close
    found += [f"{module.__name__}.{entry}" for entry in close]
    return f"; the nearest existing name is {' or '.join(found)}" if found else ""


def _suggested(error: AttributeError | NameError) -> str:
    owner = error.obj if isinstance(error, AttributeError) else None
    names = [*dir(owner), *getattr(owner, "_modules", ()), *getattr(owner, "_parameters", ())]
    close = difflib.get_close_matches(error.name or "", names if owner is not None else [], n=1)
    return f"; the nearest existing name is {close[0]}" if close else ""


def _built_on(
    device: str, factory: Callable[..., Any], name: str, arguments: Mapping[str, Any]
) -> Built:
    with quiet(), torch.random.fork_rng(devices=[]), torch.device(device), Recorder() as recorder:
        with contained(), initialized_when_made():
            model = factory(**arguments)
        if device == "meta" and isinstance(model, nn.Module):
            initialize_passed_over(model, is_new=True)
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise BuildError(f"{name}: returned a {kind}, not a torch.nn.Module")
    rebuild = functools.partial(_rebuilt, factory, arguments) if device == "meta" else None
    known = recorder if recorder.made.knows(model) else None
    return Built(name, model, known, rebuild, functools.partial(factory, **arguments))


def _rebuilt(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> nn.Module:
    with quiet(), torch.random.fork_rng(devices=[]), torch.device("cpu"), contained():
        model: nn.Module = factory(**arguments)
    return model


def _attempted(cls: type, name: str, arguments: Mapping[str, Any]) -> Built | Unanalysed:
    known = inspect.signature(cls).parameters
    wanted = {key: value for key, value in arguments.items() if key in known}
    try:
        return construct(cls, name, wanted)
    except BuildError as error:
        is_meant = isinstance(error, LacksArgumentError) or inspect.isabstract(cls)
        return Unanalysed(name, str(error), failed=not is_meant)


def _accepted_arguments(
    factory: Callable[..., Any], name: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    """`arguments`, after checking that the signature accepts them and needs no others."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return arguments
    free = any(p.kind is p.VAR_KEYWORD for p in parameters)
    unknown = [a for a in arguments if not free and a not in {p.name for p in parameters}]
    if unknown:
        close = difflib.get_close_matches(unknown[0], [p.name for p in parameters], n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise BuildError(f"{name}: takes no argument {unknown[0]}{hint}")
    missing = [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and p.name not in arguments
    ]
    if missing:
        owner = _owner_of(factory, name)
        if owner and missing[0] == "self":
            raise BuildError(f"{name}: is a method; name the class, as {owner}")
        raise LacksArgumentError(f"{name}: needs {', '.join(missing)}; {how_to_give(missing)}")
    return arguments


def _owner_of(factory: Callable[..., Any], name: str) -> str:
    """The target that names the class of a method; empty for what is none."""
    place, colon, member = name.rpartition(":")
    owner = member.rpartition(".")[0]
    return f"{place}{colon}{owner}" if owner and inspect.isfunction(factory) else ""


def _is_model_class(candidate: Any, module: types.ModuleType) -> bool:
    return (
        isinstance(candidate, type)
        and issubclass(candidate, nn.Module)
        and candidate.__module__ == module.__name__
        and not inspect.isabstract(candidate)
        and "forward" in {name for base in candidate.__mro__[:-1] for name in vars(base)}
    )


def _attribute(module: types.ModuleType, target: str) -> Any:
    found: Any = module
    for part in target.rpartition(":")[2].split("."):
        if not asked(functools.partial(hasattr, found, part), False):
            close = difflib.get_close_matches(part, dir(found), n=1)
            hint = f"; did you mean {close[0]}?" if close else _models_of(module)
            raise BuildError(f"{target}: there is no {part} in {module.__name__}{hint}")
        found = asked(functools.partial(getattr, found, part), None)
    return found


def _models_of(module: types.ModuleType) -> str:
    """The first classes of models in a module, to name one of them; empty if there are none."""
    found = [name for name, value in vars(module).items() if _is_model_class(value, module)]
    return f"; it has {', '.join(found[:_MOST_NAMED])}" if found else ""


# So many classes of a module are named.
_MOST_NAMED = 4


def _loaded_file(path: Path) -> types.ModuleType:
    """Import a file as Python would: as a member of its package, else as a script of its folder."""
    if not path.is_file():
        raise BuildError(f"{path}: no such file")
    absolute = path.resolve()
    parts, folder = [absolute.stem], absolute.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    dotted = ".".join(parts).removesuffix(".__init__")
    with _importable(folder):
        if len(parts) > 1:
            return importlib.import_module(dotted)
        return _executed(dotted, absolute)


def _executed(name: str, path: Path) -> types.ModuleType:
    """A script run as a module of its own name; a module already imported keeps the name."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    shadowed = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        if shadowed is not None:
            sys.modules[name] = shadowed
    return module


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Make a file's siblings importable, as for a script. Afterwards their folder is last on
    sys.path, for imports inside functions, so that they shadow no module of this process."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
