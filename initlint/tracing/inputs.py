"""Example inputs found, not asked for: guessed from the model, corrected by failed runs."""

from __future__ import annotations

import inspect
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlint.project.arguments import how_to_give_inputs
from initlint.tracing import given, guesses, lessons
from initlint.tracing.guesses import BATCH, LENGTH, Spec
from initlint.tracing.recorded import RunError

# Image sizes to try if nothing determines one, those of common data sets first.
_SIZES = (
    32,
    64,
    28,
    96,
    128,
    224,
    256,
    299,
    384,
    512,
    16,
    48,
    160,
    192,
    240,
    288,
    320,
    448,
    640,
    1024,
    1536,
)
# Settings of forward that are better off for a run that only wants the graph.
_OFF = ("use_cache", "output_attentions", "output_hidden_states")
# Arguments with the state of earlier calls, which a first call does not have.
_KEPT = ("past_key_values",)
# Arguments of a decoder in addition to the encoder's.
_DECODED = ("decoder_input_ids", "decoder_input_values")
# Seconds of processor time after which no further guess is made, so that a busy machine gives the
# same answer, and the most elements of a guess.
_PATIENCE, _MOST = 20.0, 1 << 26
_FREE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Guesser:
    """Guesses a model's inputs, and learns from the errors of the runs that they lead to.

    An input is a tensor, or a dict or tuple of tensors; each tensor has a path: `x`, `batch.image`,
    `pair.0`. Those of the user's own are taken as they are.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[Any] = ()) -> None:
        self._model = model
        self._parameters = inspect.signature(model.forward).parameters
        self._given = given.by_name(inputs, self._parameters)
        self._first = guesses.first_layer(model)
        self._size = guesses.known_size(model)
        self._tried = {self._size}
        self._fitted: set[tuple[str, int]] = set()
        self._specs: dict[str, Spec] = {}
        self._kinds: dict[str, str] = {}
        self._made: dict[str, torch.Tensor] = {}
        self._others: dict[str, list[Spec]] = {}
        self._deadline = time.thread_time() + _PATIENCE
        for name in self._wanted():
            self._want(name)
        self._example = None if inputs else guesses.example_of(model)
        if isinstance(self._example, Mapping) and not self._specs.keys() <= self._example.keys():
            self._example = None

    def inputs(self, device: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments for forward, on `device`."""
        if self._example is not None:
            return given.as_arguments(given.moved(self._example, device))
        args, kwargs = given.made(self._given, device)
        self._made = {path: s.tensor(self._size, device) for path, s in self._specs.items()}
        for name in dict.fromkeys(path.partition(".")[0] for path in self._specs):
            value, parameter = self._assembled(name), self._parameters.get(name)
            if parameter is not None and parameter.kind in (
                parameter.POSITIONAL_ONLY,
                parameter.VAR_POSITIONAL,
            ):
                args.extend(value if isinstance(value, tuple) else (value,))
            else:
                kwargs[name] = value
        kwargs.update({name: False for name in _OFF if name in self._parameters})
        return tuple(args), kwargs

    def learn(self, error: RunError) -> bool:
        """Whether the failure of the last guess leads to another one."""
        if self._example is not None:
            self._example = None
            return bool(self._specs)
        lessons_of = (
            *(self._learn_layer, self._learn_missing, self._learn_shape, self._learn_parts),
            *(self._learn_number, self._learn_length, self._learn_width, self._learn_size),
            self._learn_other,
        )
        if not self._specs or time.thread_time() > self._deadline:
            return False
        return any(lesson(error) and self._is_reasonable() for lesson in lessons_of)

    def hint(self) -> str:
        """The guess, and how to give other inputs, for a message; empty for given inputs."""
        if not self._specs:
            return ""
        return f"; inputs guessed: {self.guesses}; {how_to_give_inputs(self._specs)}"

    @property
    def guesses(self) -> str:
        """The inputs that are guessed, as they are written on the command line."""
        made = (f"{path}={spec.spelled(self._size)}" for path, spec in self._specs.items())
        return " ".join(made)

    def _wanted(self) -> Iterator[str]:
        """Forward's arguments that need a tensor: all without default, else what models name."""
        names = [value.name for value in self._given if given.is_named(value)]
        free = [p.name for p in self._parameters.values() if p.kind not in _FREE]
        free = [n for n in free[len(self._given) - len(names) :] if n not in names]
        required = [n for n in free if self._parameters[n].default is inspect.Parameter.empty]
        yield from required
        if self._given:
            return
        main = getattr(self._model, "main_input_name", None)
        if isinstance(main, str) and main in self._parameters and main not in required:
            yield main
            if getattr(getattr(self._model, "config", None), "is_encoder_decoder", False):
                yield from [name for name in _DECODED if name in self._parameters][:1]
        elif not required:
            loose = [p.name for p in self._parameters.values() if p.kind is p.VAR_POSITIONAL]
            yield from (free or loose)[:1]

    def _want(self, name: str) -> None:
        self._specs[name], *self._others[name] = self._alternatives(name)

    def _alternatives(self, name: str) -> list[Spec]:
        """What an argument's name says, what the model carries, what the first layer takes; then
        the same in other shapes."""
        image = guesses.carried_image(self._model)
        first = guesses.by_layer(self._first)
        likely = [guesses.by_name(name, self._model)]
        if name in ("hidden_states", "pixel_values"):
            likely.insert(0, guesses.of_patches(self._model, self._parameters))
        if image is not None and len(image) == 3 and len(self._specs) == 0:
            likely.append(Spec((BATCH, image[0], None, None)))
        found = [s for s in likely if s and s.kind != "float"][:1]
        if found and first and first.kind == "ids":
            # `t` may be tokens as well as the time.
            found.append(first)
        found = found or [s for s in (*likely, first) if s] or [Spec((BATCH, 3, None, None))]
        shaped = [
            other
            for spec in found
            for other in (*guesses.by_parameters(spec, self._model), *guesses.reshaped(spec))
        ]
        return list(dict.fromkeys([*found, *shaped]))

    def _assembled(self, name: str) -> Any:
        """The value of one argument, assembled from its tensors."""
        parts = {p.partition(".")[2]: t for p, t in self._made.items() if p.split(".")[0] == name}
        kind = self._kinds.get(name)
        if kind == "dict":
            return parts
        return tuple(parts.values()) if kind == "tuple" else parts[""]

    def _learn_layer(self, error: RunError) -> bool:
        """A layer refused an input of the model itself: give that the shape the layer takes."""
        spec = guesses.by_layer(error.layer)
        place = -1 if error.placeholder is None else error.placeholder - len(self._given)
        paths = list(self._specs)
        if spec is None or not 0 <= place < len(paths) or self._specs[paths[place]] == spec:
            return False
        if (
            guesses.by_name(paths[place], self._model)
            and spec.kind != self._specs[paths[place]].kind
        ):
            return False
        self._set(paths[place], spec)
        self._others[paths[place]] = [*guesses.reshaped(spec)]
        return True

    def _learn_missing(self, error: RunError) -> bool:
        """An argument that was left out is missed."""
        names = [n for n in self._parameters if not self._has(n) and n not in (*_OFF, *_KEPT)]
        names = [n for n in names if self._parameters[n].kind not in _FREE]
        for name in lessons.absent(error.cause, names):
            self._want(name)
            return True
        return False

    def _learn_shape(self, error: RunError) -> bool:
        """The user's own names for the dimensions of an input, or how many it should have."""
        found = lessons.wanted_shape(error.cause, self._made)
        if found is not None:
            path, names = found
            shape = tuple(self._side(name, self._specs[path].shape) for name in names)
            if path in self._specs and shape != self._specs[path].shape and len(shape) > 1:
                self._set(path, replace(self._specs[path], shape=shape))
                return True
        count = lessons.wanted_dimensions(error.cause)
        for path, others in self._others.items():
            fitting = [spec for spec in others if len(spec.shape) == count]
            if fitting and len(self._specs[path].shape) != count:
                others.remove(fitting[0])
                self._set(path, fitting[0])
                return True
        return False

    def _side(self, name: str, shape: tuple[int | None, ...]) -> int | None:
        """The size of the dimension with this name, instead of a tensor of this shape."""
        if name.isdecimal():
            return int(name)
        kind = next((k for pattern, k in _DIMENSIONS if re.search(pattern, name.lower())), "")
        if kind == "channels":
            return guesses.channels_of(self._model)
        if kind == "length" and guesses.SAMPLES in shape:
            return guesses.SAMPLES
        sizes = {"batch": BATCH, "side": None, "length": LENGTH, "width": shape[-1]}
        return sizes[kind] if kind else guesses.frames_of(self._model)

    def _learn_parts(self, error: RunError) -> bool:
        """An input is used as a dict or taken apart as a tuple: make it one."""
        for path in [path for path in self._specs if "." not in path]:
            keys = lessons.keys_of(error.cause, path)
            count = 0 if keys else lessons.count_of(error.cause, path)
            names = keys or [str(place) for place in range(count)]
            if not names:
                continue
            own = {name: self._alternatives(name) for name in names}
            del self._specs[path]
            self._kinds[path] = "dict" if keys else "tuple"
            for name, (spec, *others) in own.items():
                self._specs[f"{path}.{name}"] = spec
                self._others[f"{path}.{name}"] = others
            return True
        return False

    def _learn_number(self, error: RunError) -> bool:
        """The user's own check names a size that is wrong, and the right one."""
        for path, spec in self._specs.items():
            found = lessons.wanted_number(error.cause, [side for side in spec.shape[1:] if side])
            if found is not None and None not in spec.shape:
                wrong, right = found
                shape = (spec.shape[0], *(right if s == wrong else s for s in spec.shape[1:]))
                self._set(path, replace(spec, shape=shape))
                return True
        return False

    def _learn_length(self, error: RunError) -> bool:
        """A signal shorter than a filter is made longer."""
        if not lessons.is_too_short(error.cause):
            return False
        for path, spec in self._specs.items():
            last = spec.shape[-1] if spec.kind != "values" and len(spec.shape) < 4 else None
            if last is not None and last < guesses.SAMPLES:
                self._set(path, replace(spec, shape=(*spec.shape[:-1], 4 * last)))
                return True
        return False

    def _learn_width(self, error: RunError) -> bool:
        """Signals that are flattened into a Linear: the length that makes the numbers fit."""
        if not isinstance(error.layer, nn.Linear) or not error.shapes or not error.shapes[0][-1]:
            return False
        scale = error.layer.in_features / error.shapes[0][-1]
        for path, spec in self._specs.items():
            last = spec.shape[-1] if spec.kind == "float" and None not in spec.shape else None
            fitting = round((last or 0) * scale)
            if fitting > 0 and (path, fitting) not in self._fitted:
                self._fitted.add((path, fitting))
                self._set(path, replace(spec, shape=(*spec.shape[:-1], fitting)))
                return True
        return False

    def _learn_size(self, error: RunError) -> bool:
        """Another image size: the one that makes a flattened image fit a Linear, else the next."""
        if not any(None in spec.shape for spec in self._specs.values()):
            return False
        layer = error.layer
        if isinstance(layer, nn.Linear) and error.shapes and error.shapes[0][-1] > 0:
            scale = math.sqrt(layer.in_features / error.shapes[0][-1])
            fitting = max(1, round(self._size * scale))
            if fitting not in self._tried and scale != 1:
                return self._try(fitting)
        named = [number for number in lessons.numbers(error.cause) if 8 <= number <= 1024]
        return any(size not in self._tried and self._try(size) for size in (*named, *_SIZES))

    def _learn_other(self, error: RunError) -> bool:
        """Another shape that an input of this kind may have."""
        for path, others in self._others.items():
            if others and path in self._specs:
                self._set(path, others.pop(0))
                return True
        return False

    def _set(self, path: str, spec: Spec) -> None:
        self._specs[path] = spec
        self._tried = {self._size}

    def _try(self, size: int) -> bool:
        self._tried.add(size)
        self._size = size
        return True

    def _has(self, name: str) -> bool:
        return any(path.split(".")[0] == name for path in self._specs)

    def _is_reasonable(self) -> bool:
        sizes = [math.prod(spec.sized(self._size)) for spec in self._specs.values()]
        return max(sizes, default=0) <= _MOST


# Names of dimensions.
_DIMENSIONS = (
    (r"^(b|n|bs|bsz|nb)$|batch", "batch"),
    (r"^(c|ch)$|chan", "channels"),
    (r"^d$|dim|feat|embed|hidden", "width"),
    (r"^(h|w)$|height|width|size", "side"),
    (r"^(l|s|t)$|len|seq|tokens|samples", "length"),
)
