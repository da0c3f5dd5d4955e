"""What tracing says of every source line of a public collection: the measure for reading."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "corpus"))

import collection

from initlint.tracing.build import construct
from initlint.tracing.capture import CaptureError
from initlint.tracing.layers import layers_of

COLLECTIONS = {"torchvision": collection.torchvision_models, "timm": collection.timm_models}


def lines(name: str, part: int = 0, parts: int = 1) -> dict[str, list[str]]:
    """By `path:line:column` of a layer's constructor all following activations that were traced.

    Only lines of the collection's own files count; models that cannot be traced are left out.
    """
    found: dict[str, set[str]] = {}
    for place, (model, factory) in enumerate(COLLECTIONS[name]().items()):
        if place % parts != part:
            continue
        try:
            layers = layers_of(construct(factory, model, {}))
        except (CaptureError, Exception) as error:
            print(f"{model}: {type(error).__name__}", file=sys.stderr)
            continue
        for layer in layers:
            if layer.site is not None and f"/{name}/" in layer.site.path:
                key = f"{layer.site.path}:{layer.site.line}:{layer.site.column}"
                found.setdefault(key, set()).add(layer.following.activation)
    return {key: sorted(names) for key, names in sorted(found.items())}


def main() -> None:
    """Write the lines of one collection to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", choices=COLLECTIONS)
    parser.add_argument("out")
    parser.add_argument("--part", default="0/1")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    Path(options.out).write_text(json.dumps(lines(options.collection, part, parts), indent=0))


if __name__ == "__main__":
    main()
