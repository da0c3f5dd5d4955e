"""The profile in the form that the name of a file asks for: page, picture, JSON."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from initlint.output.lines import as_json
from initlint.profile.result import Profile
from initlint.records import InitlintError
from initlint.safe.written import refuse_place, write_whole

_KINDS = (".html", ".png", ".svg", ".json")


def refuse(out: str) -> None:
    """Raise InitlintError for a file that cannot be written, or whose name ends in no known way."""
    suffix = PurePath(out).suffix.lower()
    if suffix not in _KINDS:
        raise InitlintError(f"--out {out}: name a file that ends in {', '.join(_KINDS)}")
    refuse_place(out, "--out")
    if suffix in (".png", ".svg"):
        from initlint.profile.picture import need_matplotlib

        need_matplotlib()


def write(profile: Profile, out: str) -> None:
    """Write the profile as a page, a picture or JSON, by how the name ends."""
    refuse(out)
    render = _RENDERERS[PurePath(out).suffix.lower()]
    write_whole(out, render(profile), "--out")


def as_record(profile: Profile) -> dict[str, Any]:
    """The profile as plain values: for each model its layers, each with what is known by way."""
    models = []
    for signals in profile.models:
        ways = {way: [_plain(asdict(row)) for row in rows] for way, rows in signals.rows.items()}
        notes = list(signals.notes)
        found = {"model": signals.model, "assumed": signals.assumed, "notes": notes}
        models.append({**found, "rows": ways})
    gaps = [{"target": one.target, "reason": one.reason} for one in profile.report.unanalysed]
    return {"version": 1, "models": models, "unanalysed": gaps}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row but its model; what is not finite becomes null."""
    return {k: _finite(value) for k, value in row.items() if k != "model"}


def _finite(value: Any) -> Any:
    is_finite = not isinstance(value, float) or abs(value) < float("inf")
    return value if is_finite else None


def _page(profile: Profile) -> bytes:
    from initlint.profile.page import page

    return page(profile.models, profile.report).encode("utf-8", "backslashreplace")


def _picture(kind: str) -> Callable[[Profile], bytes]:
    def render(profile: Profile) -> bytes:
        stream = io.BytesIO()
        # Without a date, the same profile gives the same bytes.
        metadata = {"Date": None} if kind == "svg" else None
        profile.plot().savefig(stream, format=kind, dpi=150, metadata=metadata)
        return stream.getvalue()

    return render


def _json(profile: Profile) -> bytes:
    return as_json(as_record(profile)).encode()


_RENDERERS: Mapping[str, Callable[[Profile], bytes]] = {
    ".html": _page,
    ".png": _picture("png"),
    ".svg": _picture("svg"),
    ".json": _json,
}
