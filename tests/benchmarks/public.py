"""torchvision on CPU torch: it is built for CUDA, and two of its operators are missing here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch


def import_torchvision():
    """torchvision, importable beside a CPU build of torch: its C++ operators are only declared."""
    library = None
    if not _is_whole():
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    torchvision._declared = library
    return torchvision


def _is_whole() -> bool:
    """Whether torchvision's operators, built for one torch alone, load beside this one."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True
    try:
        for path in Path(spec.origin).parent.glob("_C*"):
            torch.ops.load_library(path)
            return True
    except OSError:
        pass
    return False
