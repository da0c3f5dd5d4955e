"""Public models: a short form that always runs, and the whole of it under `-m corpus`."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "trace")]


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


# One of each kind; together well under a minute.
SHORT = {
    "torchvision": (
        *("alexnet", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v3_small"),
        *("regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t"),
        *("vgg11", "vit_b_32", "fcn_resnet50", "r3d_18", "convnext_tiny"),
    ),
    "timm": (
        *("test_vit", "test_nfnet", "test_maxvit", "test_efficientnet", "test_mambaout", "vgg11"),
        *("levit_128s", "pvt_v2_b0", "ghostnet_050", "convnext_atto", "mobilevit_xxs"),
        *(
            "xcit_nano_12_p16_224",
            "coat_lite_tiny",
            "hrnet_w18_small",
            "swin_tiny_patch4_window7_224",
        ),
    ),
    "transformers": (
        *("bert", "gpt2", "llama", "t5", "vit", "clip", "whisper", "mixtral", "wav2vec2", "swin"),
    ),
}
NEEDS = {
    "torchvision": ("torchvision",),
    "timm": ("torchvision", "timm"),
    "transformers": ("transformers",),
}
SHORT_CASES = [
    pytest.param(collection, name, id=f"{collection} {name}", marks=needs(*NEEDS[collection]))
    for collection, names in SHORT.items()
    for name in names
]


@pytest.mark.parametrize(("collection", "name"), SHORT_CASES)
def test_a_public_model_is_captured_and_understood(collection, name):
    import census

    found = census.entry(name, census.COLLECTIONS[collection]()[name])
    assert found.state == "captured", found.reason
    layers, unknown = sum(found.following.values()), sum(found.stops.values())
    assert layers and unknown <= 0.01 * layers, found.stops
    if collection != "transformers":
        assert bool(found.findings) == (name in SPEAKING), found.findings


# Those of the short form that are right to be spoken of (docs/corpus.md says why).
SPEAKING = ("alexnet", "test_maxvit")


# Their forward returns more, or takes more, than images.
OTHERWISE = ("googlenet", "fcn_resnet50", "r3d_18")


@pytest.mark.parametrize(
    ("collection", "name"), [case for case in SHORT_CASES[:-10] if case.values[1] not in OTHERWISE]
)
def test_the_follower_says_of_public_models_what_autograd_says(collection, name):
    import census
    import oracle

    from initlint.tracing.build import Built
    from initlint.tracing.guesses import known_size
    from initlint.tracing.layers import layers_of

    torch.manual_seed(0)
    model = census.COLLECTIONS[collection]()[name]().eval()
    side = known_size(model) if collection == "timm" or name == "vit_b_32" else 96
    known = oracle.followings(model, torch.rand(2, 3, side, side))
    found = {x.parameter: x.following.activation for x in layers_of(Built(name, model, None))}
    clear = {n: next(iter(met)) for n, met in known.items() if len(met) == 1 and "?" not in met}
    assert len(clear) >= 0.2 * len(found)
    assert {parameter: found[parameter] for parameter in clear} == clear


@pytest.mark.parametrize(("collection", "name"), SHORT_CASES[:12])
def test_both_ways_agree_on_public_models(collection, name, monkeypatch):
    """All but `dropout`, which a run in eval mode does not come through."""
    import census

    from initlint.tracing import capture
    from initlint.tracing.build import construct
    from initlint.tracing.layers import layers_of

    built = construct(census.COLLECTIONS[collection]()[name], name, {})
    built.model.eval()
    symbolic = layers_of(built)

    def refuse(model):
        raise RuntimeError

    monkeypatch.setattr(capture, "traced", refuse)
    assert [seen(layer) for layer in symbolic] == [seen(layer) for layer in layers_of(built)]


def seen(layer):
    via = frozenset(layer.following.via) - {"dropout"}
    return replace(layer, following=replace(layer.following, via=via))


WHOLE = {"torchvision": 119, "timm": 1365, "transformers": 60}


@pytest.mark.corpus
@pytest.mark.parametrize("collection", WHOLE)
def test_whole_collections(collection):
    import census

    entries = [census.entry(n, f) for n, f in census.COLLECTIONS[collection]().items()]
    print(census.summary(entries))
    assert not [e.name for e in entries if e.state == "crashed"]
    assert sum(e.state == "captured" for e in entries) >= WHOLE[collection]
