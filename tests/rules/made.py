"""A rule made by hand, written into a folder: its card, and the function beside it."""

CARD = """\
+++
code = "INIT199"
name = "wide-layer"
group = "made up"
severity = "warning"
since = "0.1.0"
+++

A layer is wider
than 100.

## What

What.

## Why

Why.

## Bad

```python
from torch import nn


## a comment, no heading
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(8, 200)

    def forward(self, x):
        return self.wide(x)
```

## Good

```python by-hand
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(8, 100)

    def forward(self, x):
        return self.wide(x)
```

## Leave alone

A wide input.

```python
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.narrow = nn.Linear(200, 8)

    def forward(self, x):
        return self.narrow(x)
```

## Fix

None.

## References

- none
"""

FUNCTION = '''\
"""A made-up rule."""

from initlint.judge import Layer, Problems


def wide_layer(layer: Layer) -> Problems:
    """A layer with more than 100 outputs."""
    if layer.shape[0] > 100:
        yield layer, f"{layer.layer} has {layer.shape[0]} outputs"
'''

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.before = nn.Linear(16, 8)
        self.first = nn.Linear(8, 200)
        self.last = nn.Linear(200, 2)

    def forward(self, x):
        return self.last(self.first(self.before(x)).relu())
"""


def write(folder, code="INIT199", card=CARD, function=FUNCTION):
    """A folder with one rule; a file is left out where its text is None."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".md", card), (".py", function)):
        if text is not None:
            (folder / f"{code}{suffix}").write_text(text, encoding="utf-8")
    return folder
