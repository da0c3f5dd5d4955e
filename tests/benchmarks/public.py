"""torchvision on CPU torch: it is built for CUDA, and two of its operators are missing here."""

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
