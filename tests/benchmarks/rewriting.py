"""What rewriting a file costs beside libcst's parse and print of it, in one run.

    python tests/benchmarks/rewriting.py [FOLDER]

Every layer in the files gets a call. Without FOLDER the files are those of timm (`pip install
--no-deps timm`) and of torch's own modules; files of less than 5,000 bytes are passed over. The
verification that builds models is not part of it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import libcst

sys.path.insert(0, str(Path(__file__).parent.parent / "fix"))

from marked import PATH
from test_fix_corpus import layers

from initlint.fix.parsed import parse
from initlint.fix.rewrite import rewrite

PACKAGES = {"timm": "models/*.py", "torch": "nn/modules/*.py"}
SMALLEST = 5_000


def files(arguments: list[str]) -> Iterator[Path]:
    """The Python files of the folders named, or of the packages that are installed."""
    for folder in arguments:
        yield from sorted(Path(folder).rglob("*.py"))
    for package, pattern in {} if arguments else PACKAGES.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            yield from sorted(Path(spec.origin).parent.glob(pattern))


def seconds(action: Callable[[], object], repeats: int = 3) -> float:
    """The best time of an action: whatever else the machine does only adds to it."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    ratios, rewriting, printing, layers_fixed = [], 0.0, 0.0, 0
    for path in files(sys.argv[1:]):
        source = path.read_bytes()
        found = list(layers(parse(source))) if len(source) >= SMALLEST else []
        if not found:
            continue
        printed = seconds(lambda s=source: libcst.parse_module(s).code)
        rewritten = seconds(lambda s=source, f=found: rewrite(s, PATH, f))
        layers_fixed += len(rewrite(source, PATH, found).fixed)
        ratios.append(rewritten / printed)
        rewriting, printing = rewriting + rewritten, printing + printed
    high = statistics.quantiles(ratios, n=10)[-1]
    print(f"{len(ratios)} files, {layers_fixed} layers")
    print(f"libcst's parse and print   {printing:6.2f} s")
    print(f"rewriting, libcst included {rewriting:6.2f} s")
    print(f"ratio of the sums {rewriting / printing:.2f}, median {statistics.median(ratios):.2f}, "
          f"nine in ten below {high:.2f}, largest {max(ratios):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
