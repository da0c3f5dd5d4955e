"""--input and --arg: what is understood, and what a wrong one is told."""

import pytest

from initlint.project import arguments
from initlint.project.inputspec import DTYPES, InputSpec, parse
from initlint.records import InitlintError


@pytest.mark.parametrize(
    ("text", "name", "dtype", "shape"),
    [
        ("1,3,32,32", None, "float32", (1, 3, 32, 32)),
        ("16", None, "float32", (16,)),
        ("16,", None, "float32", (16,)),
        (" 1, 3 ", None, "float32", (1, 3)),
        ("x=1,3,32,32", "x", "float32", (1, 3, 32, 32)),
        ("input_ids=int64[2,16]", "input_ids", "int64", (2, 16)),
        ("int64[2,16]", None, "int64", (2, 16)),
        ("long[2,16]", None, "int64", (2, 16)),
        ("torch.bool[2]", None, "bool", (2,)),
        ("t=float32[]", "t", "float32", ()),
        ("größe=3", "größe", "float32", (3,)),
    ],
)
def test_input(text, name, dtype, shape):
    assert parse(text) == InputSpec(name, dtype, shape)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_input_dtypes_are_torchs(dtype):
    import torch

    assert isinstance(getattr(torch, parse(f"{dtype}[1]").dtype), torch.dtype)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1,a", "'a' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1,,2", "'' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1,0", "'0' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1,-1", "'-1' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1.5", "'1.5' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("1x3x32", "'1x3x32' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("x=", "'' is not a size; write whole numbers from 1, as 1,3,32,32"),
        ("=1,2", "'' is not the name of an argument"),
        ("2x=1,2", "'2x' is not the name of an argument"),
        ("int46[2]", "there is no dtype 'int46'; did you mean int64?"),
        ("quux[2]", f"there is no dtype 'quux'; write one of {', '.join(DTYPES)}"),
        ("[1,2]", "write 1,3,32,32 or name=1,3,32,32 or name=int64[2,16]"),
        ("int64[2", "write 1,3,32,32 or name=1,3,32,32 or name=int64[2,16]"),
        ("a=b=1", "write 1,3,32,32 or name=1,3,32,32 or name=int64[2,16]"),
    ],
)
def test_input_that_is_not_understood(text, reason):
    with pytest.raises(InitlintError) as error:
        parse(text)
    assert str(error.value) == f"--input {text}: {reason}"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("width=64", "width", 64),
        ("width = 64", "width", 64),
        ("rate=1e-3", "rate", 1e-3),
        ("bias=False", "bias", False),
        ("name=None", "name", None),
        ("sizes=[1, 2]", "sizes", [1, 2]),
        ("sizes=1,2", "sizes", (1, 2)),
        ("act=relu", "act", "relu"),
        ("act='relu'", "act", "relu"),
        ("act=nn.ReLU", "act", "nn.ReLU"),
        ("path=a/b=c.txt", "path", "a/b=c.txt"),
        ("size=3x3", "size", "3x3"),
        ("empty=", "empty", ""),
        ("bias='false'", "bias", "false"),
        ("options={'a': 1}", "options", {"a": 1}),
    ],
)
def test_argument(text, name, value):
    assert arguments.parse([text]) == {name: value}


def test_several_arguments():
    assert arguments.parse(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}
    assert arguments.parse([]) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("width", "write name=value, as --arg width=64"),
        ("=64", "write name=value, as --arg width=64"),
        ("2d=1", "write name=value, as --arg width=64"),
        ("model.width=1", "write name=value, as --arg width=64"),
        ("bias=false", "Python writes False; quote the word if it is meant"),
        ("bias=null", "Python writes None; quote the word if it is meant"),
        ("sizes=[1,", "[1, is not a Python literal"),
        ("sizes=[width]", "[width] is not a Python literal"),
        ("act='relu", "'relu is not a Python literal"),
        ("act={[]: 1}", "{[]: 1} is not a Python literal"),
        ("deep=" + "(" * 50, f"{'(' * 50} is not a Python literal"),
    ],
)
def test_argument_that_is_not_understood(text, reason):
    with pytest.raises(InitlintError) as error:
        arguments.parse([text])
    assert str(error.value) == f"--arg {text}: {reason}"
