"""Dotted names outside the files read: which are functions, classes of modules, or constants."""

from __future__ import annotations

import builtins
import math
import sys
from collections.abc import Callable
from typing import Any

from initlint.torchlib import catalog
from initlint.torchlib.creators import CREATORS

# What calls of these names do with abstract values; `reading.handlers` registers them.
KNOWN: dict[str, Callable[..., Any]] = {}
# Packages whose modules are called what they are.
TRUSTED = ("torch", "torchvision", "timm", "einops", "apex", "transformers")
# Packages whose functions look at what they are given, and leave weights as they are.
LOOKING = {
    *("logging", "loguru", "warnings", "inspect", "pprint", "rich", "tqdm", "time", "gc", "sys"),
    # What one process has drawn goes to all of them.
    "mpi4py",
    *("torchinfo", "torchsummary", "torchsummaryX", "torchviz", "thop", "fvcore", "ptflops"),
    *("initlint", "torchlens", "torchview", "torchprofile", "calflops", "torchstat", "onnx"),
    *("pytorch_model_summary", "captum", "onnxruntime", "netron", "hiddenlayer", "IPython"),
    *("psutil", "pynvml", "humanize", "tabulate", "termcolor", "codecarbon", "structlog"),
    *("wandb", "tensorboardX", "torchmetrics", "tensorboard", "mlflow", "numpy", "matplotlib"),
    *(
        "gym",
        "gymnasium",
        "threading",
        "multiprocessing",
        "queue",
        "os",
        "pickle",
        "json",
        "argparse",
        "random",
        "pandas",
        "sklearn",
        "PIL",
    ),
}
# Packages whose models are of classes of their own, whatever name they are asked for.
OWN_MODELS = {
    *("torchvision", "timm", "transformers", "torchaudio", "torchtext", "kornia"),
    *("diffusers", "segmentation_models_pytorch", "open_clip", "efficientnet_pytorch"),
    *("pretrainedmodels", "monai", "torch_geometric", "sentence_transformers", "clip"),
}
# Those of their functions that fill all the same: fvcore.nn.weight_init.c2_msra_fill.
FILLING = ("fvcore.nn.weight_init.", "fvcore.common.checkpoint.")
# Packages that train a model which they are given, as it is.
TRAINING = {
    *("pytorch_lightning", "lightning", "accelerate", "ignite", "skorch", "catalyst", "fastai"),
    *("deepspeed", "horovod", "ray", "transformers", "composer", "poutyne", "tianshou"),
}
# What a star import of these packages brings of other ones (fastai/torch_imports.py, imports.py).
_OF_FASTAI = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "Learner": "fastai.learner.Learner",
}
STARRED = {"fastai": _OF_FASTAI, "fastbook": _OF_FASTAI}
# Constants of Python's libraries that are the same wherever code runs.
CONSTANTS: dict[str, float | bool] = {
    **dict.fromkeys(("typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING"), False),
    **dict.fromkeys(("math.pi", "numpy.pi", "torch.pi"), math.pi),
    **dict.fromkeys(("math.e", "numpy.e", "torch.e"), math.e),
    **dict.fromkeys(("math.inf", "numpy.inf", "torch.inf"), math.inf),
    "math.tau": math.tau,
    "sys.maxsize": sys.maxsize,
}
# Packages of torch's that hold functions, classes and modules, and nothing else.
_CALLABLE = ("torch.nn.", "torch.optim.", "torch.distributions.")


def brought(package: str, name: str) -> str:
    """What a star import of a package brings under a name, if that is of another package."""
    return STARRED.get(package.partition(".")[0], {}).get(name, "")


def truth_of(name: str) -> bool | None:
    """The truth of a dotted name outside the files; None if it may be a constant."""
    return True if is_callable(name) else None


def is_known(name: str) -> bool:
    """Whether this dotted name outside the files is known: what it can call, or its value."""
    return name in CONSTANTS or is_callable(name)


def is_callable(name: str) -> bool:
    """Whether this dotted name outside the files is known to be a function or a class.

    Any other name may be a constant, which may be true, false or None.
    """
    package, _, rest = name.partition(".")
    if package == "builtins":
        return callable(getattr(builtins, rest, None))
    if name in KNOWN or name.startswith(_CALLABLE) or trusted_kind(name):
        return True
    last = name.rpartition(".")[2]
    is_known = catalog.operation_of_function(last) or catalog.activation_of_function(last)
    return package in TRUSTED and (last in CREATORS or is_known is not None)


def trusted_kind(name: str) -> str:
    """The catalogue's name for a module class outside the files read; empty if not known."""
    package, last = name.partition(".")[0], name.rpartition(".")[2]
    if package not in TRUSTED:
        return ""
    if name.startswith("torch.nn") and last[:1].isupper() and last != "Parameter":
        return last
    operation = catalog.operation_of_module(last)
    if operation is not None and operation.role == "weighted":
        return ""
    known = operation is not None or catalog.activation_of_module(last) is not None
    return last if known else ""
