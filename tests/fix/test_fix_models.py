"""Generated models, fixed as the command does it: everything that is promised is checked."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from generated import Drawn, modules
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from initlint import api
from initlint.fix.converge import Before, Outcome, converge
from initlint.fix.text import comments_of
from initlint.recommend import suits
from initlint.recommend.calls import call
from initlint.records import CHOICES, Layer, Preferences

numbers = itertools.count()
preferences = st.builds(
    Preferences, **{name: st.sampled_from(values) for name, values in CHOICES.items()}
)
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


class Judge:
    """Builds and judges sources, each in a file that was never imported."""

    def __init__(self, folder: Path, name: str, wanted: Preferences) -> None:
        self._folder = folder
        self._name = name
        self._options = api.Options(trace=True, preferences=wanted)

    def __call__(self, source: bytes) -> tuple[api.Report, api.Signatures, str]:
        path = self._folder / f"net{next(numbers)}.py"
        path.write_bytes(source)
        report, signatures = api.judged([f"{path}:{self._name}"], self._options)
        assert report.unanalysed == ()
        return report, signatures, str(path)


def repaired(source: bytes, judge: Judge, wanted: Preferences) -> tuple[api.Report, Outcome, bytes]:
    """The report before, what the repair came to, and the new source."""
    report, signatures, path = judge(source)

    def rebuild(texts: Mapping[str, bytes]) -> tuple[api.Report, api.Signatures]:
        after, shapes, new_path = judge(texts[path])
        return renamed(after, new_path, path), {
            name.replace(new_path, path): value for name, value in shapes.items()
        }

    fixable = [finding for finding in report.findings if finding.fix]
    before = Before(report, signatures, wanted)
    outcome = converge(fixable, {path: source}, rebuild, before)
    new = outcome.files[0][2] if outcome.files else source
    return report, outcome, new


def renamed(report: api.Report, old: str, new: str) -> api.Report:
    """The report as if it were of another file."""
    from dataclasses import replace

    named = [
        replace(f, model=f.model.replace(old, new), site=f.site and replace(f.site, path=new))
        for f in report.findings
    ]
    return api.Report(report.layers, tuple(named), report.unanalysed)


def values_of(source: bytes, shape: tuple[int, ...]) -> tuple[dict[str, Any], torch.Size]:
    namespace: dict[str, Any] = {}
    torch.manual_seed(0)
    exec(compile(source, "net.py", "exec"), namespace)
    model = namespace["Net"]()
    return dict(model.named_parameters()), model(torch.randn(shape)).shape


def check(drawn: Drawn, wanted: Preferences, folder: Path) -> None:
    source = drawn.source.encode()
    judge = Judge(folder, drawn.name, wanted)
    report, outcome, new = repaired(source, judge, wanted)
    refused = Counter(reason for _, reason in outcome.refused)
    event("refused" if refused else "all fixed")
    assert {reason for reason in refused if not SPARED.match(reason)} <= KNOWN, refused
    check_text(source, new)
    old_values, old_shape = values_of(source, drawn.shape)
    new_values, new_shape = values_of(new, drawn.shape)
    assert {n: v.shape for n, v in old_values.items()} == {
        n: v.shape for n, v in new_values.items()
    }
    assert old_shape == new_shape
    check_stds(report.layers, outcome, new_values)
    _, again, same = repaired(new, judge, wanted)
    assert same == new and not again.fixed


# What may stay as it is: a block whose instances differ, and the layers of others that have a say.
KNOWN = {
    "the layer would still be reported after the rewrite",
    "its instances meet different activations, and no one attribute of the class says which",
    "other layers made by this line need another initialiser",
    "another finding wants another call for the same weight",
    "a later call would undo it",
}

SPARED = re.compile(
    r"the line also makes .*, which stays? as (?:it is|they are): fill the others in"
)


def check_text(old: bytes, new: bytes) -> None:
    before, after = old.decode(), new.decode()
    compile(after, "net.py", "exec")
    assert comments_of(before) == comments_of(after)
    assert ("\r\n" in before) == ("\r\n" in after)
    assert after.count("\n") == after.count("\r\n") or "\r" not in after
    remaining = iter(after.splitlines())
    foreign = [line for line in before.splitlines() if not touched(line)]
    assert all(line in remaining for line in foreign)


def touched(line: str) -> bool:
    """Whether a line is one that a correction may change."""
    return any(word in line for word in ("nn.init.", "torch.randn", "return nn.", "; self.l"))


def check_stds(
    layers: tuple[Layer, ...], outcome: Outcome, values: Mapping[str, torch.Tensor]
) -> None:
    written = {
        p: call(f.fix.initializer, "w") for f in outcome.fixed if f.fix for p in f.parameters
    }
    for layer in layers:
        if layer.parameter not in written or not layer.recommended or not layer.recommended.std:
            continue
        weight = values[layer.parameter]
        std, wanted = weight.std().item(), layer.recommended.std
        error = 6 / math.sqrt(2 * weight.numel())
        # Of layers that share a line, one gets the call that suits another as well.
        own = written[layer.parameter] == call(layer.recommended, "w")
        shared = not own and any(suits(layer, std * (1 + e)) for e in (0, error, -error))
        assert shared or abs(std / wanted - 1) < error


@settings(max_examples=25, deadline=None, suppress_health_check=slow)
@given(modules(), preferences)
def test_generated_models(tmp_path: Path, drawn: Drawn, wanted: Preferences) -> None:
    check(drawn, wanted, tmp_path)


@pytest.mark.corpus
@settings(max_examples=1000, deadline=None, suppress_health_check=slow)
@given(modules(), preferences)
def test_a_thousand_generated_models(tmp_path: Path, drawn: Drawn, wanted: Preferences) -> None:
    check(drawn, wanted, tmp_path)
