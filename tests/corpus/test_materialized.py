"""Public models from the meta device: what is not filled as recommended is as their code has it."""

import re

import pytest
import torch
from filled import COLLECTIONS, tensors
from test_public import NEEDS, needs

import initlint
from initlint.fill.apply import bias_of
from initlint.records import InitlintError

SHORT = {
    "torchvision": ("mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"),
    "timm": ("test_vit", "test_nfnet", "test_maxvit", "test_mambaout", "levit_128s"),
    "transformers": ("bert", "t5", "wav2vec2"),
}
SHORT_CASES = [
    pytest.param(kind, name, id=f"{kind} {name}", marks=needs(*NEEDS[kind]))
    for kind, names in SHORT.items()
    for name in names
]
# Parameters of a model that is worth building three times.
_MOST = 30_000_000


def role(name):
    """A parameter's name without the numbers of the blocks that it is in."""
    return re.sub(r"\.\d+\.", ".#.", name)


def differences(build):
    """What of a materialized model is not as an ordinary one's, and not as recommended either.

    What two ordinary models have in common is not drawn, and must be the same; of what is drawn
    the std is compared.
    """
    ordinary = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        ordinary.append(tensors(build()))
    first, second = ordinary
    model = initlint.materialize(build, seed=0, scope="all")
    made = tensors(model)
    weights = {layer.parameter for layer in initlint.check(model).layers if layer.recommended}
    # Equal layers are filled alike: the last of a stack too, whatever reads its stream.
    roles = {role(name) for name in weights}
    weights |= {name for name in made if role(name) in roles}
    # A weight under weight norm is filled through what it is computed from.
    weights |= {name for name in made if "parametrizations." in name or name.endswith("weight_v")}
    filled = weights | set(map(bias_of, weights))
    assert made.keys() == first.keys()
    for name, value in made.items():
        other = first[name]
        if (value.shape, value.dtype, value.requires_grad, value.device) != (
            *(other.shape, other.dtype, other.requires_grad, other.device),
        ):
            yield name, "kind"
        elif name in filled:
            continue
        elif other.equal(second[name]):
            if not torch.allclose(value.float(), other.float(), equal_nan=True):
                yield name, "values"
        elif value.is_floating_point() and value.numel() > 500:
            ratio = (value.float().std() / other.float().std()).item()
            if not 0.85 < ratio < 1.15:
                yield name, f"std x{ratio:.2f}"


@pytest.mark.parametrize(("kind", "name"), SHORT_CASES)
def test_a_public_model_is_materialized_as_its_code_says(kind, name):
    assert not list(differences(COLLECTIONS[kind]()[name]))


@pytest.mark.corpus
@pytest.mark.parametrize("kind", COLLECTIONS)
def test_every_small_model_of_a_collection(kind):
    found, made, refused = {}, 0, {}
    for name, build in COLLECTIONS[kind]().items():
        try:
            with torch.device("meta"):
                size = sum(parameter.numel() for parameter in build().parameters())
        except Exception:
            continue
        if size > _MOST:
            continue
        try:
            found[name] = list(differences(build))
            made += 1
        except InitlintError as error:
            refused[name] = str(error)
    print(f"{kind}: {made} materialized, {len(refused)} refused: {refused}")
    assert not {name: wrong for name, wrong in found.items() if wrong}
    assert made > 10 * len(refused)
