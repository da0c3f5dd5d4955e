"""Public model collections by name: torchvision, timm and transformers, none with weights."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import torch
from public import import_torchvision

Factories = dict[str, Callable[[], torch.nn.Module]]
# A configuration's depth, which says nothing new after the second layer.
_DEPTHS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_MORE_DEPTHS = ("decoder_layers", "num_decoder_layers", "num_encoder_layers", "depth", "num_blocks")
_CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def torchvision_models() -> Factories:
    """All of torchvision's models: classification first, then all the others."""
    models = _torchvision_package().models
    first = models.list_models(module=models)
    names = first + [name for name in models.list_models() if name not in first]
    return {name: functools.partial(_torchvision, models, name) for name in names}


def _torchvision(models: Any, name: str) -> torch.nn.Module:
    builder = models.get_model_builder(name)
    wanted = inspect.signature(builder).parameters
    backbone = {"weights_backbone": None} if "weights_backbone" in wanted else {}
    return builder(weights=None, **backbone)


@functools.cache
def _torchvision_package() -> Any:
    """torchvision; where its C++ operators are missing, stand-ins of the same kind."""
    package = import_torchvision()
    if package._declared is not None:
        library = package._declared
        library.define(f"roi_align({_ROI_ALIGN}) -> Tensor")
        library.impl("nms", _nms, "CPU")
        library.impl("roi_align", _roi_align, "CPU")
        for module in ("torchvision.extension", "torchvision.ops.roi_align"):
            sys.modules[module]._has_ops = lambda: True
    return package


_ROI_ALIGN = (
    "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned"
)


def _nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """The best boxes: which of them overlap does not matter to what layers follow."""
    return scores.argsort(descending=True)[:100]


def _roi_align(
    image: torch.Tensor, rois: torch.Tensor, scale: float, height: int, width: int, *_: Any
) -> torch.Tensor:
    return torch.zeros(len(rois), image.shape[1], height, width)


def timm_models(spread: bool = False) -> Factories:
    """All of timm's models, or one of every module: the one whose name is shortest."""
    _torchvision_package()
    import timm

    names = timm.list_models()
    if spread:
        modules = (timm.list_models(module=module) for module in timm.list_modules())
        names = [min(found, key=lambda name: (len(name), name)) for found in modules if found]
    return {name: functools.partial(timm.create_model, name) for name in names}


def transformers_models() -> Factories:
    """The base model of every architecture of transformers, with its depth reduced to two."""
    _torchvision_package()
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return {name: functools.partial(_transformer, name) for name in MODEL_MAPPING_NAMES}


def _transformer(kind: str) -> torch.nn.Module:
    from transformers import AutoConfig, AutoModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = AutoConfig.for_model(kind)
        _reduce(config)
        return AutoModel.from_config(config)


def _reduce(config: Any) -> None:
    """Two layers where the configuration has one number for them, here and in its parts."""
    for name in (*_DEPTHS, *_MORE_DEPTHS):
        value = vars(config).get(name)
        if isinstance(value, int) and value > 2:
            _shorten(config, name)
    chosen = [vars(config).get(name) for name in _CHOSEN]
    few = 2 * max([4, *(value for value in chosen if isinstance(value, int))])
    for name in _EXPERTS:
        if isinstance(vars(config).get(name), int) and vars(config)[name] > few:
            setattr(config, name, few)
    for part in list(vars(config).values()):
        if hasattr(part, "to_diff_dict"):
            _reduce(part)


def _shorten(config: Any, name: str) -> None:
    """Set a depth to two, and with it the lists that have an entry for every layer."""
    before = vars(config)[name]
    setattr(config, name, 2)
    for key, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == before:
            setattr(config, key, value[:2])
