"""What the source engine is given and what is made of its answer; the engine is made by hand."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
from handmade import SOURCES, layer

from initlint.pipeline import files as reading
from initlint.project.sourcefiles import Texts
from initlint.records import Unanalysed


@pytest.fixture
def engine(monkeypatch, project):
    """Stands for initlint.reading: keeps what it was asked and answers with one of each."""
    asked = SimpleNamespace(paths=None, texts=None)

    def read(paths, texts, jobs, parameters, imported, starts, data):
        asked.paths, asked.texts = list(paths), dict(texts)
        broken = [Unanalysed("a.py", "a.py:3: invalid syntax")]
        return SimpleNamespace(
            layers=(layer(),),
            parameters=(),
            calls=(),
            tests=(),
            unanalysed=(Unanalysed("b.py:Net", "why"),),
            broken=tuple(broken),
        )

    module = ModuleType("initlint.reading")
    module.read = read
    monkeypatch.setitem(sys.modules, "initlint.reading", module)
    monkeypatch.setattr("initlint.reading", module, raising=False)
    return asked


def notebook(path, *cells):
    cells = [{"cell_type": "code", "source": text} for text in cells]
    path.write_text(json.dumps({"cells": cells, "metadata": {}}))


def test_files_are_read_together(engine):
    read = reading.read(["net.py", "pkg/müller.py"], Texts())
    assert engine.paths == ["net.py", "pkg/müller.py"]
    assert engine.texts == {name: text.encode() for name, text in SOURCES.items()}
    assert read.layers == (layer(),)
    assert [gap.target for gap in read.gaps] == ["a.py", "b.py:Net"]


def test_text_that_is_not_on_the_disk(engine):
    texts = Texts({"new.py": b"x = 1\n", "other.py": b""})
    reading.read(["net.py", "new.py"], texts)
    assert engine.texts == {"net.py": SOURCES["net.py"].encode(), "new.py": b"x = 1\n"}


def test_notebooks_are_given_as_python(engine, project):
    notebook(project / "n.ipynb", "%cd ..", "größe = 1", "y = (")
    read = reading.read(["n.ipynb"], Texts())
    assert engine.texts == {"n.ipynb": "pass\ngröße = 1\n\n".encode()}
    assert read.gaps[0] == Unanalysed("n.ipynb", "n.ipynb:cell 3:1: '(' was never closed")


def test_notebook_from_standard_input(engine, project):
    notebook(project / "n.ipynb", "x = 1")
    texts = Texts({"s.ipynb": (project / "n.ipynb").read_bytes()})
    reading.read(["s.ipynb"], texts)
    assert engine.texts == {"s.ipynb": b"x = 1\n"}


def test_what_is_no_notebook_is_named_and_the_rest_read(engine, project):
    (project / "n.ipynb").write_text("{")
    read = reading.read(["n.ipynb", "gone.ipynb", "net.py"], Texts())
    assert engine.paths == ["net.py"]
    reasons = [gap.reason for gap in read.gaps[:2]]
    assert reasons[0].startswith("n.ipynb: is not a notebook")
    assert reasons[1].startswith("gone.ipynb: cannot be read: No such file")
