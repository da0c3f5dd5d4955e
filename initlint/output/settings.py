"""The settings of each file, for --show-settings."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.output.lines import joined
from initlint.project.config import KEYS, Config, Settings
from initlint.project.select import Selection

_MOST_FILES = 3


def render(settings: Settings, selection: Selection, files: Sequence[str]) -> str:
    """Each settings file with its values, the rules that run, and the files that it is used for."""
    used: dict[Config, list[str]] = {settings.here(): []}
    for path in files:
        used.setdefault(settings.of(path), []).append(path)
    lines: list[str] = []
    for config, paths in used.items():
        lines.append(str(config.file) if config.file else "no settings file: the defaults")
        lines += [f"  {key} = {_value(config, key)}" for key in KEYS if _is_given(config, key)]
        codes = selection.codes(paths[0] if paths else None)
        lines.append(f"  rules that run: {', '.join(sorted(codes)) or 'none'}")
        lines.append(f"  files: {len(paths)}{_examples(paths)}")
    return joined(lines)


def _is_given(config: Config, key: str) -> bool:
    return bool(getattr(config, key.replace("-", "_")))


def _value(config: Config, key: str) -> str:
    value = getattr(config, key.replace("-", "_"))
    if key == "per-file-ignores":
        return "{" + ", ".join(f'"{pattern}" = {_list(codes)}' for pattern, codes in value) + "}"
    return f'"{value}"' if isinstance(value, str) else _list(value)


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _examples(paths: Sequence[str]) -> str:
    listed = ", ".join(paths[:_MOST_FILES])
    more = ", …" if len(paths) > _MOST_FILES else ""
    return f" ({listed}{more})" if listed else ""
