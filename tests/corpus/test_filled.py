"""Public models keep what has no finding, and are materialized in their own distribution."""

import pytest
import torch
from filled import COLLECTIONS, differ, size_of, wrong
from test_materialized import SHORT_CASES

from initlint.records import InitlintError

# Parameters of a model that is worth building four times.
MOST = 15_000_000


@pytest.mark.parametrize(("kind", "name"), SHORT_CASES)
def test_a_public_model_keeps_what_its_code_gives(kind, name):
    assert not wrong(COLLECTIONS[kind]()[name])["wrong"]


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_samples_that_differ_are_told_apart(shift):
    torch.manual_seed(0)
    first, second = torch.randn(3000).double(), torch.randn(3000).double() + 4 * shift
    assert differ(first, second) == bool(shift)


@pytest.mark.corpus
@pytest.mark.parametrize("kind", COLLECTIONS)
def test_every_small_model_of_a_collection_keeps_what_its_code_gives(kind):
    found, tried, refused = {}, 0, {}
    for name, build in COLLECTIONS[kind]().items():
        try:
            if size_of(build) > MOST:
                continue
            tried += 1
            found[name] = wrong(build)["wrong"]
        except InitlintError as error:
            refused[name] = str(error)
        except Exception:  # The model's own code.
            continue
    print(f"{kind}: {tried} tried, {len(refused)} refused: {refused}")
    assert not {name: said for name, said in found.items() if said}
    assert tried > 10 * len(refused)
