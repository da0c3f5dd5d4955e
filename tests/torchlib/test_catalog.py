"""The tables of rules/: complete, true to torch, else refused with file and line."""

import importlib.util
import inspect
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initlint.records import InitlintError
from initlint.torchlib import catalog

ACTIVATIONS = catalog.activations()
OPERATIONS = catalog.operations()
MODULES = [
    name
    for name, value in vars(nn).items()
    if inspect.isclass(value) and issubclass(value, nn.Module)
]
# Classes that walk into others or compare two tensors: nothing follows them as a layer.
NO_LAYERS = {
    *("Module", "Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList"),
    *("ParameterDict", "DataParallel", "Transformer", "TransformerEncoder", "TransformerDecoder"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer", "CosineSimilarity", "PairwiseDistance"),
}
# Functions that are not known on purpose: what follows them is unknown, and nothing is reported.
UNKNOWN_FUNCTIONS = {
    *("affine_grid", "conv_tbc", "cosine_similarity", "pairwise_distance", "pdist"),
    *("scaled_grouped_mm", "scaled_mm", "linear_cross_entropy"),
}
# Machinery that torch.nn.functional imports or defines for its own use.
NO_FUNCTIONS = {
    *("Callable", "DType", "Optional", "Tensor", "ScalingType", "SwizzleType", "TYPE_CHECKING"),
    *("assert_int_or_pair", "boolean_dispatch", "handle_torch_function"),
    *("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"),
}
NO_ARGUMENTS = {"self", "inplace", "dim", "num_parameters", "device", "dtype", "args", "kwargs"}
DEPRECATED_ARGUMENTS = {"min_value", "max_value"}
REAL_ACTIVATIONS = [name for name, row in ACTIVATIONS.items() if row.modules]


# --- activations ---------------------------------------------------------------------------


def test_every_activation_class_of_torch_has_a_row():
    for name in set(nn.modules.activation.__all__) - {"MultiheadAttention"}:
        assert catalog.activation_of_module(name), name


@pytest.mark.parametrize("name", REAL_ACTIVATIONS)
def test_activation_is_called_as_in_torch_nn_functional(name):
    assert callable(getattr(F, name))
    assert catalog.activation_of_function(name).name == name


@pytest.mark.parametrize("name", REAL_ACTIVATIONS)
def test_arguments_and_defaults_are_those_of_the_class(name):
    row = ACTIVATIONS[name]
    parameters = inspect.signature(getattr(nn, row.modules[0])).parameters
    own = {k: p.default for k, p in parameters.items() if k not in NO_ARGUMENTS}
    own = {k: v for k, v in own.items() if k not in DEPRECATED_ARGUMENTS}
    if name == "threshold":
        own = dict.fromkeys(own, 0.0)
    assert list(own.items()) == list(row.arguments.items())


@pytest.mark.parametrize("name", [n for n in REAL_ACTIVATIONS if n != "prelu"])
def test_arguments_follow_the_input_in_the_functional_form(name):
    arguments = list(ACTIVATIONS[name].arguments)
    assert _signature(name)[1 : len(arguments) + 1] == arguments


@pytest.mark.parametrize("name", REAL_ACTIVATIONS)
def test_module_keeps_its_arguments_under_their_names(name):
    row = ACTIVATIONS[name]
    given = (0.0, 0.0) if name == "threshold" else ()
    module = getattr(nn, row.modules[0])(*given)
    assert {a: getattr(module, a) for a in row.arguments} == dict(row.arguments)


@pytest.mark.parametrize("name", REAL_ACTIVATIONS)
def test_every_class_and_function_of_a_row_is_known_to_torch(name):
    homes = (F, torch, torch.Tensor, torch.special, torch._C._nn)
    for module in ACTIVATIONS[name].modules:
        assert hasattr(nn, module)
    for function in ACTIVATIONS[name].functions:
        if function not in ("relu6_", "gelu_"):
            assert any(hasattr(home, function) for home in homes), function


@pytest.mark.parametrize(
    ("function", "activation"),
    [("relu_", "relu"), ("expit", "sigmoid"), ("gumbel_softmax", "softmax"), ("rrelu_", "rrelu")],
)
def test_other_spellings_of_an_activation(function, activation):
    assert catalog.activation_of_function(function).name == activation


def test_kaiming_says_for_which_nonlinearity():
    for name, row in ACTIVATIONS.items():
        assert bool(row.nonlinearity) == (row.initializer == "kaiming_normal_"), name
        if row.nonlinearity:
            nn.init.calculate_gain(row.nonlinearity)


def test_answers_that_are_no_activations_are_never_reported():
    answers = {name for name, row in ACTIVATIONS.items() if not row.modules} - {"sin"}
    assert answers == {"output", "linear", "exp", "gate", "attention"}
    assert {ACTIVATIONS[name].family for name in answers} == {"unscaled"}


def test_what_is_no_activation_has_no_row():
    assert catalog.activation_of_module("Linear") is None
    assert catalog.activation_of_function("view") is None


def test_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        ACTIVATIONS["relu"] = ACTIVATIONS["tanh"]


# --- operations ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_torch_is_known_or_no_layer(name):
    found = [catalog.activation_of_module(name), catalog.operation_of_module(name)]
    assert sum(row is not None for row in found) == (name not in NO_LAYERS)


@pytest.mark.parametrize(
    "name", sorted(n for n, v in vars(F).items() if callable(v) and n[0] != "_")
)
def test_every_function_of_torch_nn_is_known_or_left_out_on_purpose(name):
    if name in NO_FUNCTIONS:
        return
    found = [catalog.activation_of_function(name), catalog.operation_of_function(name)]
    assert sum(row is not None for row in found) == (name not in UNKNOWN_FUNCTIONS)


def test_no_name_is_both_activation_and_operation():
    for field in ("modules", "functions"):
        first = {name for row in ACTIVATIONS.values() for name in getattr(row, field)}
        second = {name for row in OPERATIONS.values() for name in getattr(row, field)}
        assert not first & second


@pytest.mark.parametrize(
    ("role", "functions"),
    [
        (
            "shape",
            "view reshape flatten permute transpose t T getitem to clone contiguous pad",
        ),
        (
            "shape",
            "flip index_select gather pixel_shuffle repeat expand unsqueeze chunk unbind",
        ),
        ("dropout", "dropout alpha_dropout drop_path masked_fill"),
        ("scale", "neg __neg__"),
        ("norm", "layer_norm batch_norm normalize rms_norm"),
        ("pool", "mean sum max amax adaptive_avg_pool2d lp_pool1d"),
        ("merge_add", "add __add__ __radd__ iadd __iadd__ add_ sub"),
        ("merge_cat", "cat stack concat hstack where"),
        ("product", "mul __mul__ __rmul__ imul truediv __truediv__"),
        ("matmul", "matmul __matmul__ bmm mm einsum addmm baddbmm"),
        ("weighted", "linear conv1d conv_transpose3d bilinear embedding embedding_bag"),
        ("attention", "scaled_dot_product_attention"),
        ("output", "mse_loss nll_loss"),
        ("query", "size dim shape len eq lt argmax zeros_like _assert"),
    ],
)
def test_role_of_functions(role, functions):
    for name in functions.split():
        assert catalog.operation_of_function(name).role == role


@pytest.mark.parametrize(
    ("role", "modules"),
    [
        ("shape", "Flatten Unflatten Upsample Fold ZeroPad2d ReflectionPad3d ChannelShuffle"),
        ("dropout", "Dropout Identity DropPath StochasticDepth"),
        ("norm", "BatchNorm2d LayerNorm RMSNorm SyncBatchNorm LazyInstanceNorm1d"),
        ("pool", "MaxPool2d AdaptiveAvgPool1d FractionalMaxPool3d LPPool1d"),
        ("weighted", "Linear LazyConv2d ConvTranspose1d Embedding LSTM GRUCell MultiheadAttention"),
    ],
)
def test_role_of_modules(role, modules):
    for name in modules.split():
        assert catalog.operation_of_module(name).role == role


def test_weight_is_where_the_functional_form_takes_it():
    weighted = [row for row in OPERATIONS.values() if row.role == "weighted"]
    documented = [(row, f) for row in weighted for f in row.functions if _signature(f)]
    assert {f for _, f in documented} >= {"linear", "conv2d", "conv_transpose2d", "embedding"}
    for row, function in documented:
        assert _signature(function)[row.position] == row.weight


def _signature(function):
    """Argument names; of functions built into torch, from the first line of their documentation."""
    try:
        return list(inspect.signature(getattr(F, function)).parameters)
    except ValueError:
        line = getattr(F, function).__doc__.strip().splitlines()[0]
        arguments = line.partition("(")[2].partition(")")[0]
        return [argument.partition("=")[0].strip(" *") for argument in arguments.split(",")]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("Linear", (2, 3)),
        ("Conv2d", (2, 3, 1)),
        ("ConvTranspose2d", (2, 3, 1)),
        ("Bilinear", (2, 3, 4)),
        ("Embedding", (2, 3)),
        ("LSTM", (2, 3)),
        ("GRUCell", (2, 3)),
        ("MultiheadAttention", (4, 2)),
    ],
)
def test_module_keeps_its_weight_under_that_name(module, arguments):
    row = catalog.operation_of_module(module)
    weight = getattr(getattr(nn, module)(*arguments), row.weight)
    assert isinstance(weight, nn.Parameter)
    if "Conv" in module:
        assert tuple(weight.shape[:2]) == ((2, 3) if row.transposed else (3, 2))


def test_only_weighted_operations_name_a_weight():
    for name, row in OPERATIONS.items():
        assert bool(row.weight) == (row.role == "weighted"), name
        assert (row.position >= 0) == (row.role == "weighted" and bool(row.functions)), name


# --- tables that are refused ---------------------------------------------------------------

ROW = """\
[{name}]
modules = ["{module}"]
functions = ["{function}"]
family = "smooth"
initializer = "normal_"
recommended = "gain"
source = "a paper"
"""
FIRST = ROW.format(name="one", module="One", function="one")


def refusal(read, tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InitlintError) as caught:
        read(tmp_path)
    return str(caught.value)


def test_table_is_read_from_another_folder(tmp_path):
    (tmp_path / "activations.toml").write_text(FIRST, encoding="utf-8")
    table = catalog.activations(tmp_path)
    assert list(table) == ["one"]
    assert table["one"].modules == ("One",)
    assert table["one"].gain() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            FIRST + ROW.format(name="two", module="One", function="two"),
            "8: module 'One' is alr",
        ),
        (FIRST + ROW.format(name="two", module="Two", function="one"), "8: function 'one' is alr"),
        (FIRST.replace('["one"]', '["one", "one"]'), "1: function 'one' is already in [one]"),
        ("\n" + FIRST.replace('source = "a paper"\n', ""), "2: 'source' is missing"),
        (FIRST + 'colour = "red"\n', "1: 'colour' is none of modules, functions, family"),
        (
            FIRST.replace('"smooth"', '"rough"'),
            "1: family 'rough' is none of rectifier",
        ),
        (FIRST.replace('"normal_"', '"normal"'), "1: initializer 'normal' is none of kaiming_norm"),
        (FIRST.replace('["One"]', '"One"'), "1: 'modules' is not of type tuple[str, ...]"),
        ("# a comment\none = 1\n", "1: 'one' is not a table"),
        (FIRST + "keeps = \n", "8: Invalid value"),
        (FIRST + FIRST, "8: Cannot declare ('one',) twice"),
    ],
    ids=lambda value: value[3:24] if value[0].isdigit() else "",
)
def test_bad_activation_is_refused_with_file_and_line(tmp_path, text, message):
    refused = refusal(catalog.activations, tmp_path, "activations.toml", text)
    assert refused.startswith(f"{tmp_path / 'activations.toml'}:{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nmodules = []\n", "1: 'role' is missing"),
        ('[a]\nrole = "magic"\n', "1: role 'magic' is none of shape, dropout"),
        (
            '[a]\nrole = "shape"\nfunctions = ["x"]\n[b]\nrole = "pool"\nfunctions = ["x"]\n',
            "4: function 'x' is already in [a]",
        ),
        ('[a]\nrole = "weighted"\nposition = "one"\n', "1: 'position' is not of type int"),
    ],
)
def test_bad_operation_is_refused_with_file_and_line(tmp_path, text, message):
    refused = refusal(catalog.operations, tmp_path, "operations.toml", text)
    assert refused.startswith(f"{tmp_path / 'operations.toml'}:{message}")


def test_absent_table_is_named(tmp_path):
    with pytest.raises(InitlintError, match=r"operations\.toml: cannot be read"):
        catalog.operations(tmp_path)


# --- cost ----------------------------------------------------------------------------------


def test_catalog_needs_no_torch():
    assert importlib.util.find_spec("torch")
    code = (
        "import sys; from initlint.torchlib import catalog; "
        "catalog.activations(); catalog.operations();"
        "catalog.activations()['elu'].gain({'alpha': 2}); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_subprocess_would_notice_torch():
    code = "import sys, torch; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"
