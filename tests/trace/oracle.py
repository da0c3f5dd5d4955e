"""What every weight's result meets, told from the autograd graph of a real forward alone.

Nothing is shared with the follower: neither its graph, nor its tables, nor its walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import nn

ACTIVATIONS = {
    "ReluBackward": "relu",
    "GeluBackward": "gelu",
    "SiluBackward": "silu",
    "SigmoidBackward": "sigmoid",
    "TanhBackward": "tanh",
    "HardswishBackward": "hardswish",
    "HardsigmoidBackward": "hardsigmoid",
    "LeakyReluBackward": "leaky_relu",
    "PreluKernelBackward": "prelu",
    "EluBackward": "elu",
    "CeluBackward": "celu",
    "SoftplusBackward": "softplus",
    "MishBackward": "mish",
    "SoftmaxBackward": "softmax",
    "LogSoftmaxBackward": "log_softmax",
    "GluBackward": "glu",
}
SEEN_THROUGH = re.compile(
    r"^(Unsafe)?(View|Reshape\w*|Alias|Clone|Copy\w*|To\w*|Transpose|T|Permute|Squeeze|Unsqueeze|Expand"
    r"|Slice|Select|Split\w*|Chunk|Unbind|Cat|Stack|Index\w*|Roll|Flip|ConstantPadNd|ReflectionPad\w*"
    r"|Repeat|PixelShuffle|Im2Col|Col2Im|Upsample\w*|UnsafeView|UnsafeSplit|AsStrided"
    r"|Add|Sub|Neg|NativeBatchNorm|NativeLayerNorm|NativeGroupNorm|FusedRmsNorm|BatchNorm"
    r"|Mean|Sum|MaxPool\w*|AvgPool\w*|AdaptiveAvgPool\w*|AdaptiveMaxPool\w*|Mkldnn\w*Pool\w*"
    r"|NativeDropout|FeatureDropout|Movedim)Backward"
)
WEIGHTED = re.compile(r"^(Convolution|Addmm|Mm|Bmm|Linear|Baddbmm|Embedding|Mv)Backward")
ATTENTION = re.compile(r"^ScaledDotProduct\w*Backward")
PRODUCT = re.compile(r"^(Mul|Div)Backward")


def followings(model: nn.Module, *inputs: torch.Tensor) -> dict[str, set[str]]:
    """For every weight the names of all that its result meets; `?` where the graph is ambiguous."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    graph = _Graph(list(_tensors(model(*inputs))), names)
    return graph.answers()


class _Graph:
    """The nodes of an autograd graph, with the edges turned round."""

    def __init__(self, results: list[torch.Tensor], names: dict[int, str]) -> None:
        self._names = names
        self._results = {result.grad_fn for result in results if result.grad_fn is not None}
        self._users: dict[object, list[object]] = {}
        self._nodes: list[object] = []
        waiting, seen = list(self._results), set(self._results)
        while waiting:
            node = waiting.pop()
            self._nodes.append(node)
            for source, _ in node.next_functions:
                if source is not None:
                    self._users.setdefault(source, []).append(node)
                    if source not in seen:
                        seen.add(source)
                        waiting.append(source)
        self._computed = {node: self._is_computed(node) for node in self._nodes}

    def answers(self) -> dict[str, set[str]]:
        """What the operations meet that take a weight as it is, or only turned."""
        found: dict[str, set[str]] = {}
        for node in self._nodes:
            if WEIGHTED.match(node.name()) and not node.name().startswith("Embedding"):
                for name in self._weights(node):
                    found.setdefault(name, set()).update(self._met(node))
        return found

    def _weights(self, node: object) -> Iterator[str]:
        for source, _ in node.next_functions:
            while source is not None and re.match(r"^(T|Transpose)Backward", source.name()):
                source = source.next_functions[0][0]
            variable = getattr(source, "variable", None)
            if variable is not None and variable.dim() > 1:
                yield self._names[id(variable)]

    def _is_computed(self, node: object) -> bool:
        """Whether a value depends on a weighted operation, and not on parameters alone."""
        waiting, seen = [node], set()
        while waiting:
            part = waiting.pop()
            if part is None or part in seen:
                continue
            seen.add(part)
            if WEIGHTED.match(part.name()) or ATTENTION.match(part.name()):
                return True
            waiting.extend(source for source, _ in part.next_functions)
        return False

    def _met(self, start: object) -> set[str]:
        found: set[str] = {"output"} if start in self._results else set()
        waiting, seen = [start], set()
        while waiting:
            node = waiting.pop()
            for user in self._users.get(node, ()):
                answer = self._answer(user)
                if answer:
                    found.add(answer)
                elif user not in seen:
                    seen.add(user)
                    waiting.append(user)
                    if user in self._results:
                        found.add("output")
        return found

    def _answer(self, node: object) -> str:
        """What a consumer is; empty where a walk passes through it."""
        name = node.name()
        for prefix, activation in ACTIVATIONS.items():
            if name.startswith(prefix):
                return activation
        if name.startswith("HardtanhBackward"):
            bounds = node._saved_min_val, node._saved_max_val
            return "relu6" if bounds == (0, 6) else "hardtanh"
        if ATTENTION.match(name):
            return "attention"
        computed = [s for s, _ in node.next_functions if s is not None and self._computed.get(s)]
        if WEIGHTED.match(name):
            return "attention" if len(computed) > 1 and not list(self._weights(node)) else "linear"
        if PRODUCT.match(name):
            return "" if len(computed) < 2 else "?"
        return "" if SEEN_THROUGH.match(name) else "?"


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from (tensor for part in value.values() for tensor in _tensors(part))
    elif isinstance(value, (list, tuple)):
        yield from (tensor for part in value for tensor in _tensors(part))
