"""What a model's code changes in the process is put back, whether it raises or not."""

import builtins
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint
from initlint import InitlintError


def hooked(*_):
    return None


def enter(context):
    context.__enter__()


CHANGES = {
    "working directory": lambda: os.chdir("/"),
    "environment": lambda: os.environ.update(INITLINT_TEST="1", HOME="/nowhere"),
    "environment less": lambda: os.environ.pop("PATH"),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "device entered": lambda: enter(torch.device("meta")),
    "gradients": lambda: torch.set_grad_enabled(False),
    "gradients entered": lambda: enter(torch.no_grad()),
    "autocast": lambda: enter(torch.autocast("cpu", torch.bfloat16)),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "cudnn": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "precision": lambda: torch.set_float32_matmul_precision("medium"),
    "threads": lambda: torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2),
    "print options": lambda: torch.set_printoptions(precision=2),
    "torch's numbers": lambda: torch.manual_seed(0),
    "Python's numbers": lambda: random.seed(0),
    "numpy's numbers": lambda: np.random.seed(0),
    "numpy's errors": lambda: np.seterr(all="ignore"),
    "path": lambda: sys.path.insert(0, "/nowhere"),
    "path replaced": lambda: setattr(sys, "path", []),
    "arguments": lambda: sys.argv.append("x"),
    "streams": lambda: (setattr(sys, "stdout", None), setattr(sys, "stderr", None)),
    "input": lambda: setattr(sys, "stdin", None),
    "hooks of sys": lambda: (setattr(sys, "excepthook", hooked), sys.meta_path.append(hooked)),
    "hook of threads": lambda: setattr(threading, "excepthook", hooked),
    "trace": lambda: sys.settrace(hooked),
    "profile": lambda: sys.setprofile(hooked),
    "recursion": lambda: sys.setrecursionlimit(2_000),
    "collector": lambda: (gc.disable(), gc.set_threshold(1)),
    "signals": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "interrupt": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "alarm": lambda: (signal.signal(signal.SIGALRM, hooked), signal.alarm(3600)),
    "warnings": lambda: warnings.simplefilter("error"),
    "warnings shown": lambda: setattr(warnings, "showwarning", hooked),
    "logging": lambda: (logging.disable(50), logging.root.setLevel(1)),
    "log handlers": lambda: logging.root.addHandler(logging.NullHandler()),
    "start method": lambda: multiprocessing.set_start_method("spawn", force=True),
    "module": lambda: sys.modules.update(json=sys),
    "module gone": lambda: sys.modules.pop("json"),
    "global hooks": lambda: nn.modules.module.register_module_forward_hook(hooked),
    "global pre-hooks": lambda: nn.modules.module.register_module_forward_pre_hook(hooked),
    "Module.__call__": lambda: setattr(nn.Module, "__call__", hooked),
    "Module.forward": lambda: setattr(nn.Module, "added", hooked),
    "reset": lambda: setattr(nn.Linear, "reset_parameters", hooked),
    "convolution": lambda: setattr(nn.Conv2d, "forward", hooked),
    "class": lambda: setattr(nn, "Conv3d", nn.Linear),
    "relu": lambda: setattr(F, "softmax", torch.relu),
    "initialiser": lambda: setattr(nn.init, "kaiming_uniform_", hooked),
    "tensor": lambda: setattr(torch.Tensor, "added", hooked),
    "torch": lambda: setattr(torch, "softmax", hooked),
    "torch more": lambda: setattr(torch, "added", 1),
    "builtins": lambda: setattr(builtins, "input", hooked),
    "builtins more": lambda: setattr(builtins, "added", hooked),
    "os": lambda: setattr(os, "remove", hooked),
}


def state():
    """All that the changes above change, in values that can be compared."""
    owners = (builtins, os, torch, torch.Tensor, nn, F, nn.init, nn.Module, nn.Linear, nn.Conv2d)
    patched = {str(owner): dict(vars(owner)) for owner in owners}
    keys = np.random.get_state()
    return {
        "folder": (Path.cwd(), dict(os.environ), locale.setlocale(locale.LC_ALL)),
        "torch": (
            *(torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()),
            *(torch.is_autocast_enabled("cpu"), torch.is_anomaly_enabled()),
            *(torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
            *(torch.get_float32_matmul_precision(), torch.get_num_threads()),
            *(torch._C._len_torch_function_stack(), repr(torch._tensor_str.PRINT_OPTS)),
            torch.zeros(1).device,
        ),
        "numbers": (
            *(torch.get_rng_state().tolist(), random.getstate()),
            *(keys[1].tolist(), keys[2:], np.geterr()),
        ),
        "sys": (
            *(sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.gettrace(), sys.getprofile()),
            *(id(sys.path), [*sys.path], [*sys.argv], [*sys.meta_path], sys.modules.get("json")),
            *(sys.getrecursionlimit(), threading.excepthook, gc.isenabled(), gc.get_threshold()),
        ),
        "signals": (
            *(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)),
            *(signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)),
        ),
        "messages": ([*warnings.filters], warnings.showwarning, logging.root.level),
        "logging": (logging.root.manager.disable, [*logging.root.handlers]),
        "processes": multiprocessing.get_start_method(allow_none=True),
        "hooks": [len(table) for table in hook_tables()],
        "patched": patched,
    }


def hook_tables():
    entries = vars(nn.modules.module).items()
    return [v for name, v in entries if name.startswith("_global_") and isinstance(v, dict)]


class Net(nn.Module):
    """Changes something in its constructor or its forward, and may raise afterwards."""

    def __init__(self, change, where, raises):
        super().__init__()
        self.a, self.change, self.where, self.raises = nn.Linear(8, 8), change, where, raises
        self.act("init")

    def act(self, where):
        if where == self.where:
            self.change()
            if self.raises:
                raise SystemExit

    def forward(self, x):
        self.act("forward")
        return torch.relu(self.a(x))


def assert_same(before):
    after = state()
    for topic, values in before.items():
        if isinstance(values, dict):
            for name, value in values.items():
                now, then = after[topic][name], value
                assert {k for k in then if now.get(k) is not then[k]} == set(), name
                new = {k for k in now.keys() - then.keys() if not isinstance(now[k], ModuleType)}
                assert {k for k in new if not k.startswith("_")} == set(), name
        else:
            assert after[topic] == values, topic


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("where", ["init", "forward"])
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_model_changes_is_put_back(name, where, raises):
    nn.Module.forward, torch.zeros(1)  # what torch makes on first use is there
    before = state()
    try:
        initlint.check(lambda: Net(CHANGES[name], where, raises))
    except InitlintError as error:
        assert "\n" not in str(error)
    assert_same(before)


@pytest.mark.parametrize("name", ["default dtype", "torch's numbers", "relu", "environment"])
@pytest.mark.parametrize("call", [initlint.check, lambda m: initlint.apply_(m, seed=0)])
def test_a_live_model_leaves_the_process_as_it_was(call, name):
    model = Net(CHANGES[name], "forward", False)
    before = state()
    call(model)
    assert_same(before)


def test_what_an_import_changes_lasts_for_its_models_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helper_of_net.py").write_text("WIDTH = 8\n")
    (tmp_path / "net.py").write_text(
        "import os, torch\nfrom torch import nn\n"
        "torch.set_default_dtype(torch.float64)\nos.environ['WIDTH'] = '8'\n"
        "nn.Linear.reset_parameters = lambda self: nn.init.normal_(self.weight, std=0.3)\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        from helper_of_net import WIDTH\n"
        "        self.a = nn.Linear(int(os.environ['WIDTH']), WIDTH)\n"
        "    def forward(self, x):\n"
        "        return torch.relu(self.a(x.double()))\n"
    )
    before = state()
    report = initlint.check("net.py:Net")
    assert report.layers[0].current.std == pytest.approx(0.3)
    assert_same(before)


def test_what_a_library_patches_when_it_is_imported_stays(tmp_path, monkeypatch):
    """Python imports it once: the user who imports it later would miss the patch."""
    from initlint.tracing import process

    (tmp_path / "patching_library.py").write_text(
        "from torch import nn\ndef added(self): return 1\nnn.Module.of_the_library = added\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(process.sysconfig, "get_paths", lambda: {"purelib": str(tmp_path)})

    def build():
        import patching_library  # noqa: F401

        return nn.Linear(8, 8)

    try:
        initlint.check(build)
        assert nn.Module.of_the_library(None) == 1
    finally:
        del nn.Module.of_the_library


def test_a_folder_that_is_gone_is_no_reason_to_fail(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert initlint.check(lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU())).layers
