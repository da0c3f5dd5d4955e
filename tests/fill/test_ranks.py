"""The same weights, bit for bit, on any number of ranks and under any sharding."""

import contextlib
import functools
import tempfile
import warnings
from pathlib import Path

import pytest
import ranks
import torch
from torch import multiprocessing

import initlint

SCOPED = ("scoped_fsdp", "scoped_fsdp1", "scoped_tensor_parallel", "scoped_both")
REFORMED = ("reformed_fsdp", "reformed_fsdp1")
CALIBRATED = ("calibrated", "calibrated_own")
OTHERS = (
    *("unseeded", "trap", "materialized", "orthogonal", "set", "saved", "refused", "centred"),
    "followed",
    *(*CALIBRATED, *REFORMED, *SCOPED, "plans"),
)
KINDS = {
    1: ("fsdp", "orthogonal", "calibrated"),
    2: ("fsdp", "fsdp1", "offloaded", "tensor_parallel", "replicated", *OTHERS[:-2]),
    3: (
        *("fsdp", "fsdp1", "tensor_parallel", "from_meta", "materialized", "scoped_fsdp1"),
        *("orthogonal", "calibrated", "centred", "followed"),
    ),
    4: ("fsdp", "hybrid", "both", "scoped_both", "orthogonal", "saved", "plans", *CALIBRATED),
}
CASES = [(count, kind) for count, kinds in KINDS.items() for kind in kinds]


@functools.cache
def gathered(count):
    """By kind, what every one of `count` ranks has of the whole model; started only once."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        multiprocessing.spawn(ranks.run, (count, KINDS[count], folder), nprocs=count)
        return {
            kind: [torch.load(Path(folder) / f"{kind}{rank}.pt") for rank in range(count)]
            for kind in KINDS[count]
        }


@functools.cache
def alone():
    model = ranks.Net()
    initlint.apply_(model, seed=ranks.SEED, scope="all")
    return dict(model.named_parameters())


@pytest.mark.parametrize(("count", "kind"), [case for case in CASES if case[1] not in OTHERS])
def test_sharding_makes_no_difference(count, kind):
    for found in gathered(count)[kind]:
        assert found.keys() == alone().keys()
        for name, value in alone().items():
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize("count", [2, 3])
def test_a_sharded_model_on_meta_is_materialized_as_one_alone(count):
    expected = initlint.materialize(ranks.Words, seed=ranks.SEED, scope="all").state_dict()
    for found in gathered(count)["materialized"]:
        assert found.keys() == expected.keys()
        assert all(found[name].equal(value) for name, value in expected.items())


def on_one_thread(policy, *inputs):
    """A model alone, filled as by every rank: with one thread."""
    with one_thread():
        model = ranks.Net()
        initlint.apply_(model, *inputs, seed=ranks.SEED, policy=policy, scope="all")
    return dict(model.named_parameters())


@contextlib.contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_shards_of_orthogonal_matrices_are_of_the_same_ones(count):
    expected = on_one_thread("orthogonal")
    for found in gathered(count)["orthogonal"]:
        for name, value in expected.items():
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize("kind", REFORMED)
def test_shards_of_draws_that_keep_their_std_are_of_the_same_matrices(kind):
    with one_thread():
        expected = ranks.reformed("alone", 1).state_dict()
    for found in gathered(2)[kind]:
        for name, value in expected.items():
            assert torch.equal(found[name], value), name


@pytest.mark.parametrize("count", [2, 3])
def test_shards_of_centred_rows_are_of_the_same_ones(count):
    model = ranks.Sigmoids()
    initlint.apply_(model, seed=ranks.SEED)
    for found in gathered(count)["centred"]:
        assert torch.equal(found["2.weight"], model[2].weight)
        assert torch.allclose(found["4.weight"], model[4].weight, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_sharded_models_are_calibrated_as_one_alone(count):
    expected = on_one_thread("calibrated")
    for found in gathered(count)["calibrated"]:
        for name, value in expected.items():
            assert torch.allclose(found[name], value, rtol=1e-5, atol=1e-6), name


@pytest.mark.parametrize("count", [2, 4])
def test_ranks_with_inputs_of_their_own_calibrate_on_all_of_them(count):
    expected = on_one_thread("calibrated", ranks.probes())
    first, *others = gathered(count)["calibrated_own"]
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)
    for name, value in expected.items():
        assert torch.allclose(first[name], value, rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize("count", [2, 4])
def test_what_is_filled_in_shards_is_saved_and_loaded_in_others(count):
    for found in gathered(count)["saved"]:
        assert all(torch.equal(found[name], value) for name, value in alone().items())


@pytest.mark.parametrize("count", [2, 3])
def test_frozen_copies_follow_on_all_ranks(count):
    for found in gathered(count)["followed"]:
        assert torch.equal(found["b.weight"], alone()["b.weight"])
        assert torch.equal(found["copy.weight"], found["b.weight"])
        assert not found["copy.bias"].any() and found["other.bias"].any()
        assert not torch.equal(found["other.weight"], found["b.weight"])


def test_other_ways_of_sharding_are_not_calibrated():
    assert len(gathered(2)["refused"]) == 2


def test_all_ranks_keep_the_biases_that_were_set():
    one, other = gathered(2)["set"]
    for found in (one, other):
        assert (found["c.bias"] == -2).all() and (found["b.bias"][:60] == 1).all()
        assert found["b.bias"][60:].any() and not found["a.bias"].any()
        assert torch.equal(found["a.weight"], alone()["a.weight"])


@pytest.mark.parametrize(
    ("count", "kind"), [(n, k) for n, kinds in KINDS.items() for k in kinds if k in SCOPED]
)
def test_all_ranks_fill_the_same_weights_by_the_default_scope(count, kind):
    for found in gathered(count)[kind]:
        assert torch.equal(found["b.weight"], alone()["b.weight"])
        assert not torch.equal(found["c.weight"], alone()["c.weight"])
        assert not found["b.bias"].any()


def test_without_a_seed_the_ranks_agree_on_one():
    first, second = gathered(2)["unseeded"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["a.weight"], alone()["a.weight"])


def test_torchs_own_initialiser_gives_identical_halves_and_ours_does_not():
    theirs = gathered(2)["trap"][0]["0.weight"]
    assert torch.equal(theirs[:32], theirs[32:])
    ours = gathered(2)["fsdp"][0]["a.weight"]
    half = len(ours) // 2
    assert not torch.equal(ours[:half], ours[half : 2 * half])
