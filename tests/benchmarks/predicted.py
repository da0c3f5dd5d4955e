"""Predicted against measured: the rms of every layer's result, and of the gradient there.

    python tests/benchmarks/predicted.py [--own] [--torchvision] [--timm N] [--transformers]
        [--seeds N] [--init present|default|kaiming] [--worst N]

The measurement shares no code with the prediction: hooks on runs in training mode, Gaussian input,
a loss that is a random projection of the result, each seed with new weights; the median over seeds
counts. Prints the median and the 95th percentile of |log(predicted / measured)| over all layers, as
a factor minus 1, and how many measured values lie between `low` and `high`.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from initlint.graph.ops import Op
from initlint.graph.signal import predicted
from initlint.profile.predicted import Named, rows_of
from initlint.profile.signals import Row
from initlint.tracing.signal import given, graphed, measured_content

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
# A model, and the inputs of one run.
Made = tuple[nn.Module, tuple[torch.Tensor, ...]]
Measured = dict[str, tuple[float, float]]


def main() -> None:
    asked = arguments()
    warnings.filterwarnings("ignore")
    forward: list[float] = []
    backward: list[float] = []
    inside: list[bool] = []
    for name, make in models(asked):
        started = time.process_time()
        try:
            torch.manual_seed(0)
            expected = typical([rows(*refilled(make(), asked.init)) for _ in range(asked.seeds)])
            spent = (time.process_time() - started) / asked.seeds
            measured = [run(refilled(make(), asked.init), seed) for seed in range(asked.seeds)]
        except Exception as error:
            print(f"{name:36} {type(error).__name__}: {str(error).splitlines()[0][:80]}")
            continue
        one, other, hits = compared(expected, measured, asked.worst)
        forward, backward, inside = forward + one, backward + other, inside + hits
        print(
            f"{name:36} {len(one):4} layers  {line(one)}  {line(other)}  {spent:.2f} s", flush=True
        )
    print(f"{'forward':12} {len(forward):6} layers  {line(forward)}")
    print(f"{'backward':12} {len(backward):6} layers  {line(backward)}")
    print(f"{'in the bars':12} {sum(inside) / max(1, len(inside)):.1%}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--timm", type=int, default=0, help="so many of timm's models")
    parser.add_argument("--torchvision", action="store_true")
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--init", default="present", choices=["present", "default", "kaiming"])
    parser.add_argument("--worst", type=int, default=0, help="so many of each model's worst layers")
    return parser.parse_args()


def rows(model: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[Row, ...]:
    """The prediction for every layer."""
    name = type(model).__name__
    graph = graphed(model, name, inputs, (inputs, {}))
    known = given(measured_content(model), graph.shapes, arriving=graph.arriving)
    return rows_of(name, graph.ops, predicted(graph.ops, known), named)


def typical(found: Sequence[tuple[Row, ...]]) -> tuple[Row, ...]:
    """The median of the predictions for several draws, each by the stds that its weights have.

    A std of 648 weights is off by 3 %, and so are all layers behind them.
    """
    numbers = ("predicted", "low", "high", "predicted_gradient")
    return tuple(
        replace(
            draws[0], **{n: statistics.median(getattr(row, n) for row in draws) for n in numbers}
        )
        for draws in zip(*found, strict=True)
    )


def named(op: Op) -> Named:
    weight = op.weights[0]
    return Named(weight.parameter, weight.parameter.rpartition(".")[0], weight.type)


def refilled(made: Made, how: str) -> Made:
    """A model at its own initialisation, at PyTorch's default, or at Kaiming's."""
    model, inputs = made
    for layer in model.modules() if how != "present" else ():
        if isinstance(layer, WEIGHTED):
            layer.reset_parameters()
            if how == "kaiming":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return model, inputs


def run(made: Made, seed: int) -> Measured:
    """The rms of each weighted layer's result and of the gradient there, in one run."""
    model, inputs = made
    torch.manual_seed(seed)
    inputs = tuple(torch.randn_like(x) if x.is_floating_point() else x for x in inputs)
    found: dict[str, list[float]] = {}
    hooks = []

    def noting(name: str) -> Callable[..., None]:
        def note(layer: nn.Module, given: object, result: torch.Tensor) -> None:
            parts = found.setdefault(name, [rms(result), 0.0])
            if result.requires_grad:
                result.register_hook(lambda g: parts.__setitem__(1, rms(g)))

        return note

    model.train()
    for name, layer in model.named_modules():
        # GPT-2 has linear layers of a class of its own.
        if isinstance(layer, WEIGHTED) or type(layer).__name__ == "Conv1D":
            hooks.append(layer.register_forward_hook(noting(name)))
    results = [part for part in parts_of(model(*inputs)) if part.requires_grad]
    sum((part * torch.randn_like(part)).sum() for part in results).backward()
    for hook in hooks:
        hook.remove()
    return {name: (parts[0], parts[1]) for name, parts in found.items()}


def parts_of(result: object) -> list[torch.Tensor]:
    """The tensors in a model's result: a tensor, or several in a tuple or by name."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, Mapping):
        result = tuple(result.values())
    parts = result if isinstance(result, (tuple, list)) else ()
    return [tensor for part in parts for tensor in parts_of(part)]


def rms(tensor: torch.Tensor) -> float:
    return float(tensor.detach().double().square().mean().sqrt())


def compared(
    expected: Sequence[Row], measured: list[Measured], worst: int
) -> tuple[list[float], list[float], list[bool]]:
    """The errors forward and backward, and whether the measured value is in the error bars."""
    forward, backward, inside, named = [], [], [], []
    for row in expected:
        name = row.parameter.rpartition(".")[0]
        values = [run[name] for run in measured if name in run]
        if not values:
            continue
        result, gradient = (statistics.median(v[k] for v in values) for k in (0, 1))
        # Behind an operation that is not known, only ratios are predicted.
        if result > 0 and row.predicted > 0 and not row.relative_to:
            forward.append(abs(math.log(row.predicted / result)))
            inside += [row.low <= value[0] <= row.high for value in values]
            named.append((forward[-1], name, row.predicted, result))
        if gradient > 0 and row.predicted_gradient > 0 and not row.gradient_relative_to:
            backward.append(abs(math.log(row.predicted_gradient / gradient)))
    for error, name, expected, result in sorted(named)[::-1][:worst]:
        print(f"    {name:50} predicted {expected:.4g}, measured {result:.4g} ({error:.2f})")
    return forward, backward, inside


def line(errors: list[float]) -> str:
    """Median and 95th percentile, as percentages."""
    if not errors:
        return "median      -, p95      -"
    last = sorted(errors)[min(len(errors) - 1, int(0.95 * len(errors)))]
    return f"median {expm1(statistics.median(errors)):6.1%}, p95 {expm1(last):6.1%}"


def expm1(value: float) -> float:
    return math.expm1(min(value, 50.0))


def models(given: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Made]]]:
    """The models that are asked for, by name."""
    if given.own:
        yield from own()
    if given.torchvision:
        yield from of_torchvision()
    if given.timm:
        yield from of_timm(given.timm)
    if given.transformers:
        yield from of_transformers()


def own() -> Iterator[tuple[str, Callable[[], Made]]]:
    """MLPs of 5 and 20 layers, CNNs, a residual net, an autoencoder."""
    activations = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Sigmoid, nn.Softplus)
    for activation in activations:
        for depth in (5, 20):

            def mlp(kind: type[nn.Module] = activation, depth: int = depth) -> Made:
                layers = [x for _ in range(depth) for x in (nn.Linear(128, 128), kind())]
                return nn.Sequential(*layers, nn.Linear(128, 10)), (torch.randn(64, 128),)

            yield f"MLP {depth} {activation.__name__}", mlp

        def cnn(kind: type[nn.Module] = activation) -> Made:
            layers = [x for _ in range(8) for x in (nn.Conv2d(24, 24, 3, padding=1), kind())]
            head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))
            first = nn.Conv2d(3, 24, 3, padding=1)
            return nn.Sequential(first, kind(), *layers, *head), (torch.randn(16, 3, 12, 12),)

        yield f"CNN 9 {activation.__name__}", cnn


def of_torchvision() -> Iterator[tuple[str, Callable[[], Made]]]:
    """All classification models of torchvision, at a small size where they accept one."""
    kernels()
    from torchvision import models as library

    for name in library.list_models(module=library):
        is_large = name.startswith(LARGE)
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}

        def make(
            name: str = name, is_large: bool = is_large, options: dict[str, bool] = options
        ) -> Made:
            model = library.get_model(name, **options)
            # With norms over the batch, few examples are another model.
            is_fixed = name.startswith(FIXED) or not any(map(is_batch_norm, model.modules()))
            # Nor are small images the same where the windows are as large as what is left of them.
            is_deep = name.startswith("efficientnet")
            side = 299 if name == "inception_v3" else 224 if is_fixed else 160 if is_deep else 96
            count = 2 if is_fixed and is_large else 4 if is_fixed else 16
            count = 8 if is_deep or (is_large and not is_fixed) else count
            return model, (torch.randn(count, 3, side, side),)

        yield name, make


# Models that take one size of image only, and models that take long.
FIXED = ("vit", "maxvit", "swin", "alexnet")
LARGE = ("vit_h", "vit_l", "regnet_y_128", "regnet_y_32", "regnet_x_32", "convnext_l", "swin_b")


def is_batch_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm2d)


def of_timm(count: int) -> Iterator[tuple[str, Callable[[], Made]]]:
    """So many of timm's models, drawn by chance from those of less than ten million parameters."""
    kernels()
    import timm

    names = timm.list_models()
    random.Random(0).shuffle(names)
    for name in names:
        with torch.device("meta"), contextlib.suppress(Exception):
            sizes = [p.numel() for p in timm.create_model(name, num_classes=10).parameters()]
        if not count or sum(sizes) > _SMALL:
            continue
        count -= 1

        def make(name: str = name) -> Made:
            model = timm.create_model(name, num_classes=10)
            examples = 8 if any(map(is_batch_norm, model.modules())) else 2
            return model, (torch.randn(examples, *model.default_cfg["input_size"]),)

        yield name, make


_SMALL = 10_000_000


def of_transformers() -> Iterator[tuple[str, Callable[[], Made]]]:
    """Small transformers from their configurations."""
    kernels()
    import transformers as library

    sizes = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    wide = {**sizes, "intermediate_size": 256, "vocab_size": 500}
    kinds = {
        "Bert": wide,
        "Roberta": wide,
        "Electra": {**wide, "embedding_size": 64},
        "Llama": {**wide, "num_key_value_heads": 4},
        "Mistral": {**wide, "num_key_value_heads": 4},
        "Qwen2": {**wide, "num_key_value_heads": 4},
        "GPT2": {"n_embd": 64, "n_layer": 4, "n_head": 4, "vocab_size": 500},
        "GPTNeoX": wide,
        "OPT": {**sizes, "ffn_dim": 256, "vocab_size": 500, "word_embed_proj_dim": 64},
        "DistilBert": {"dim": 64, "n_layers": 4, "n_heads": 4, "hidden_dim": 256},
    }
    for kind, options in kinds.items():

        def make(kind: str = kind, options: dict[str, int] = options) -> Made:
            config = getattr(library, f"{kind}Config")(**options)
            config.use_cache = False
            model = getattr(library, f"{kind}Model")(config)
            return model, (torch.randint(3, 400, (4, 24)),)

        yield kind, make


def kernels() -> None:
    """Operators that torchvision wants, and a CPU build of torch lacks."""
    if _KEPT:
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)


_KEPT: list[object] = []

if __name__ == "__main__":
    sys.exit(main())
