"""Every form of making a layer: the text that comes out, its second run, and its effect."""

from __future__ import annotations

import pytest
import torch
from forms import FORMS, Form
from marked import HALF, ZEROS, again, fixed, rewritten
from torch import nn

forms = pytest.mark.parametrize("form", FORMS, ids=[form.id for form in FORMS])


def parameters_of(source: str) -> dict[str, torch.Tensor]:
    namespace: dict[str, object] = {}
    exec(compile(source, "net.py", "exec"), namespace)
    model = namespace["Net"]()  # type: ignore[operator]
    assert isinstance(model, nn.Module)
    return dict(model.named_parameters())


@forms
def test_the_call_is_written_where_a_person_would(form: Form) -> None:
    assert rewritten(form.before, form.names, calls=ZEROS) == form.after


@forms
def test_a_second_run_changes_nothing(form: Form) -> None:
    assert again(form.before, form.after, form.names, calls=ZEROS) == form.after


@forms
def test_exactly_the_named_parameters_are_filled(form: Form) -> None:
    result = fixed(form.before, form.names, calls=HALF)
    named = {n for names in form.names for n in ([names] if isinstance(names, str) else names)}
    filled = {
        name
        for name, value in parameters_of(result.source.decode()).items()
        if bool((value == 0.5).all())
    }
    assert filled == named


@forms
def test_all_findings_are_reported_fixed(form: Form) -> None:
    result = fixed(form.before, form.names, calls=ZEROS)
    assert len(result.fixed) == len(form.names)
    assert result.refused == ()
