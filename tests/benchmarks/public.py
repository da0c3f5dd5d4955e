"""Public model collections on CPU torch: torchvision is built for CUDA and lacks two operators here."""

from __future__ import annotations

import torch


def import_torchvision():
    """torchvision, importable beside a CPU build of torch: its C++ operators are only declared."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    torchvision._declared = library
    return torchvision
