"""Layers of models that are not read: loaded ones of other packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.values import UNKNOWN, External, Sampled, Slot, Value
from initlint.reading.objects.torch_modules import fill
from initlint.records import Site
from initlint.torchlib.draws import UNCLEAR
from initlint.torchlib.history import after

# What makes a model, and which layers each such model holds.
_CNN = ("Conv2d",)
_MAKERS: Mapping[str, tuple[str, ...]] = {
    "torchvision.models.": _CNN,
    "timm.create_model": _CNN,
    "timm.models.create_model": _CNN,
    "efficientnet_pytorch.EfficientNet.from_pretrained": _CNN,
    "transformers.": ("Linear", "LayerNorm"),
}
# Models of torchvision's without a convolution to speak of.
_TRANSFORMERS = ("vit_", "swin", "maxvit")


def may_be_trained(name: str) -> bool:
    """Whether a function of this dotted name may give a model with trained weights."""
    made_by_loading = name.endswith(".from_pretrained") or not name.startswith("transformers.")
    return name.startswith(tuple(_MAKERS)) and made_by_loading


def trained(
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    site: Site | None,
    home: Instance | None,
) -> Value:
    """The model that such a function makes, if it surely loads its weights; else unknown."""
    bare = name.rpartition(".")[2]
    if not _loads(name, args, kwargs):
        return UNKNOWN
    kinds = next(kinds for start, kinds in _MAKERS.items() if name.startswith(start))
    kinds = ("Linear",) if bare.startswith(_TRANSFORMERS) else kinds
    loaded = replace(UNCLEAR, by="load", site=site, spelled=bare)
    layers = []
    for kind in kinds:
        layer = Instance(None, kind, site)
        fill(layer, (), {})
        for slot in layer.attrs.values():
            if type(slot) is Slot:
                slot.home, slot.site = home, site
                slot.draw = after(loaded, slot.draw.at(site))
        layers.append(layer)
    return Sampled(tuple(layers), ("*",) * len(layers))


def _loads(name: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> bool:
    """Whether the arguments ask for trained weights."""
    if name.endswith(".from_pretrained"):
        kind = name.split(".")[-2]
        return "Model" in kind or "For" in kind or not name.startswith("transformers.")
    place = 1 if name.endswith("create_model") else 0
    first = args[place] if len(args) > place else None
    given = [first, kwargs.get("pretrained"), kwargs.get("weights")]
    return any(value is True or isinstance(value, (str, External)) for value in given)
