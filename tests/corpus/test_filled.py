"""Public models: apply_ changes nothing without a finding; materialize draws what their code does.

Distributions are compared by the test of Kolmogorov and Smirnov over seeds, parameter by parameter.
"""

import math

import pytest
import torch
from test_materialized import COLLECTIONS, SHORT_CASES, tensors

import initlint
from initlint.fill.apply import bias_of
from initlint.records import InitlintError

SEEDS = (0, 1, 2)
# Elements of a parameter that are compared for each seed, and the chance of a false alarm.
ELEMENTS, CHANCE = 4096, 1e-9
# Parameters of a model that is worth building eight times.
MOST = 15_000_000


def sample(value):
    """Some elements, spread over the tensor, of one that may be large."""
    flat = value.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // ELEMENTS)].double()


def differ(first, second):
    """Whether two samples are of different distributions (Kolmogorov and Smirnov)."""
    first, second = first.sort().values, second.sort().values
    # Constants differ by rounding only.
    if torch.allclose(first[[0, -1]], second[[0, -1]], rtol=1e-4) and first[0] == first[-1]:
        return False
    every = torch.cat([first, second])
    shares = [torch.searchsorted(x, every, right=True) / len(x) for x in (first, second)]
    size = len(first) * len(second) / (len(first) + len(second))
    apart = (shares[0] - shares[1]).abs().max().item()
    return apart > math.sqrt(-math.log(CHANCE / 2) / 2 / size)


def ordinary(build, seed):
    torch.manual_seed(seed)
    return build()


def reported(target):
    """Parameters with a finding, those of layers that do it together, and their biases.

    Of branches that add nothing to their stream, all layers of the blocks count: they are filled.
    """
    report = initlint.check(target)
    found = {name for finding in report.findings for name in finding.parameters}
    wholes = [one for x in report.layers if x.parameter in found for one in x.wholes]
    found = found.union(*(one.layers for one in wholes))
    blocks = {block_of(name) for one in wholes if one.kind == "faint" for name in one.layers}
    found |= {x.parameter for x in report.layers if block_of(x.parameter) in blocks}
    return found | set(map(bias_of, found))


def block_of(name):
    """The name up to its first number: blocks.0 of blocks.0.mlp.fc1.weight."""
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    return ".".join(parts[: numbers[0] + 1]) if numbers else name


def changed(build):
    """Parameters that apply_ changes in the model as built, and that have no finding."""
    model = ordinary(build, 0)
    before = {name: value.detach().clone() for name, value in tensors(model).items()}
    found = reported(model)
    initlint.apply_(model, seed=0)
    for name, value in tensors(model).items():
        same = torch.equal(value.nan_to_num(), before[name].nan_to_num())
        if not same and name not in found:
            yield name, "changed without a finding"


def differences(build):
    """Tensors of materialized models that are not as those of ordinary ones.

    What several ordinary models have in common is not drawn, and must be the same.
    """
    usual = [tensors(ordinary(build, seed)) for seed in SEEDS]
    made = [tensors(initlint.materialize(build, seed=seed)) for seed in SEEDS]
    # What construction on meta does not tell of a draw, the values do.
    filled = reported(build) | reported(ordinary(build, SEEDS[0]))
    for name, value in usual[0].items():
        if name in filled or not value.is_floating_point():
            continue
        if all(value.equal(other[name]) for other in usual[1:]):
            if not torch.allclose(value, made[0][name], equal_nan=True):
                yield name, "other values"
        elif differ(*(torch.cat([sample(one[name]) for one in group]) for group in (usual, made))):
            yield name, "another distribution"


@pytest.mark.parametrize(("kind", "name"), SHORT_CASES)
def test_a_public_model_keeps_what_has_no_finding(kind, name):
    assert not list(changed(COLLECTIONS[kind]()[name]))


@pytest.mark.parametrize(("kind", "name"), SHORT_CASES)
def test_a_public_model_is_materialized_in_its_own_distribution(kind, name):
    assert not list(differences(COLLECTIONS[kind]()[name]))


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_samples_that_differ_are_told_apart(shift):
    torch.manual_seed(0)
    first, second = torch.randn(3000).double(), torch.randn(3000).double() + 4 * shift
    assert differ(first, second) == bool(shift)


def size_of(build):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build().parameters())


@pytest.mark.corpus
@pytest.mark.parametrize("kind", COLLECTIONS)
def test_every_small_model_of_a_collection_keeps_what_its_code_gives(kind):
    found, tried, refused = {}, 0, {}
    for name, build in COLLECTIONS[kind]().items():
        try:
            if size_of(build) > MOST:
                continue
            tried += 1
            found[name] = [*changed(build), *differences(build)]
        except InitlintError as error:
            refused[name] = str(error)
        except Exception:  # The model's own code.
            continue
    print(f"{kind}: {tried} tried, {len(refused)} refused: {refused}")
    assert not {name: wrong for name, wrong in found.items() if wrong}
    assert tried > 10 * len(refused)
