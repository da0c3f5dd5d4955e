"""apply_ and materialize in the orders and conventions of frameworks, where they are installed."""

import socket

import pytest
import torch
from torch import distributed, nn
from torch.nn import functional as F

import initlint
from initlint.records import InitlintError


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


def stack():
    return nn.Sequential(Block(), Block(), nn.Linear(16, 4))


@pytest.fixture
def one_rank():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


def whole(model):
    """The values of all parameters, without the names that wrappers add."""
    return {
        name.replace("_orig_mod.", ""): value.full_tensor()
        if hasattr(value, "full_tensor")
        else value.detach()
        for name, value in model.named_parameters()
    }


def compiled(model, order):
    from torch.distributed.fsdp import fully_shard

    for place in range(2):
        if order == "in place, then sharded":
            model[place].compile(backend="eager")
        if order == "wrapped, then sharded":
            model[place] = torch.compile(model[place], backend="eager")
        fully_shard(model[place])
    fully_shard(model)
    if order == "sharded, then in place":
        for place in range(2):
            model[place].compile(backend="eager")
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("inputs", [(), (torch.ones(2, 16),)], ids=["no inputs", "inputs"])
@pytest.mark.parametrize(
    "order", ["in place, then sharded", "wrapped, then sharded", "sharded, then in place"]
)
def test_compiled_blocks_under_fsdp2_get_the_same_weights(order, inputs):
    torch.manual_seed(0)
    plain = stack()
    torch.manual_seed(0)
    model = compiled(stack(), order)
    initlint.apply_(plain, seed=1, scope="all")
    initlint.apply_(model, *inputs, seed=1, scope="all")
    expected, found = whole(plain), whole(model)
    assert found.keys() == expected.keys()
    assert all(found[name].equal(value) for name, value in expected.items())


def test_a_compiled_part_of_an_ordinary_model_is_filled():
    torch.manual_seed(0)
    plain = stack()
    torch.manual_seed(0)
    model = stack()
    model[0] = torch.compile(model[0], backend="eager")
    for net in (plain, model):
        initlint.apply_(net, seed=1, scope="all")
    assert all(map(torch.equal, whole(plain).values(), whole(model).values()))


class Gain(nn.Module):
    """A normalisation without `reset_parameters`, whose gain is memory until `init_weights`."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))

    def init_weights(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class Titan(nn.Module):
    """torchtitan's convention: built, sharded, then initialised by a method of its own."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(65, 16), Gain(16)
        self.out = nn.Linear(16, 65, bias=False)
        self.register_buffer("turns", self._turns(), persistent=False)

    def _turns(self):
        return torch.polar(torch.ones(9, 4), torch.arange(36.0).view(9, 4))

    def init_weights(self, buffer_device=None):
        with torch.device(buffer_device or self.turns.device):
            self.turns = self._turns()
        nn.init.normal_(self.embed.weight)
        self.norm.init_weights()
        nn.init.trunc_normal_(self.out.weight, std=0.25, a=-0.75, b=0.75)

    def forward(self, tokens):
        return self.out(self.norm(self.embed(tokens)))


def on_meta():
    with torch.device("meta"):
        return Titan()


def shard(model):
    from torch.distributed.fsdp import fully_shard

    fully_shard(model.out)
    fully_shard(model)


def compiled_and_sharded(model):
    from torch.distributed.fsdp import fully_shard

    for name in ("norm", "out"):
        setattr(model, name, torch.compile(getattr(model, name), backend="eager"))
        fully_shard(getattr(model, name))
    fully_shard(model)


def sharded_and_emptied(model):
    shard(model)
    model.to_empty(device="cpu")


def already(change):
    """A model on the meta device, compiled or sharded before anybody fills it."""
    model = on_meta()
    change(model)
    return model


def on_cpu(model):
    model.init_weights(buffer_device="cpu")


def wrapped(model):
    return torch.compile(model, backend="eager")


def own(model):
    model.init_weights()


WAYS = {
    "class": lambda: initlint.materialize(Titan, seed=0, init=own),
    "class, sharded": lambda: initlint.materialize(Titan, seed=0, init=own, shard=shard),
    "class, compiled and sharded": lambda: initlint.materialize(
        Titan, seed=0, init=own, shard=compiled_and_sharded
    ),
    "model, compiled and sharded": lambda: initlint.materialize(
        on_meta(), seed=0, shard=compiled_and_sharded
    ),
    "class, wrapped": lambda: initlint.materialize(Titan, seed=0, init=own, shard=wrapped),
    "model": lambda: initlint.materialize(on_meta(), seed=0),
    "model, init given": lambda: initlint.materialize(on_meta(), seed=0, init=own),
    "model, sharded": lambda: initlint.materialize(on_meta(), seed=0, shard=shard),
    "compiled and sharded model": lambda: initlint.materialize(
        already(compiled_and_sharded), seed=0
    ),
    "sharded model, buffers elsewhere": lambda: initlint.materialize(
        already(shard), seed=0, init=on_cpu
    ),
    "class, buffers elsewhere, sharded and emptied": lambda: initlint.materialize(
        Titan, seed=0, init=on_cpu, shard=sharded_and_emptied
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("way", WAYS)
def test_a_model_is_materialized_by_its_own_convention(way):
    model = WAYS[way]()
    found = whole(model)
    assert found["norm.weight"].equal(torch.ones(16))
    assert found["out.weight"].std().item() == pytest.approx(0.25 * 0.986, rel=0.1)
    assert all(found[name].equal(value) for name, value in whole(WAYS["class"]()).items())
    assert (type(model) is Titan) == ("sharded" not in way and "wrapped" not in way)
    assert model.turns.equal(Titan().turns)


def test_a_parameter_that_sharding_adds_is_named():
    def adds(model):
        model.extra = nn.Linear(2, 2)

    with pytest.raises(InitlintError, match=r"shard makes extra\.weight, which the model did not"):
        initlint.materialize(Titan, seed=0, init=own, shard=adds)


def test_without_it_what_only_it_writes_is_named():
    why = r"cannot be filled \(norm\.weight\).*init=lambda model: model\.init_weights\(\)"
    with pytest.raises(InitlintError, match=why):
        initlint.materialize(Titan, seed=0)


class Resets(nn.Module):
    """Its `reset_parameters` writes into its parts, which have one of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 4)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.constant_(self.first.weight, 0.5)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


@pytest.mark.parametrize("kind", [Resets, lambda: nn.Sequential(Resets(), nn.Linear(4, 4))])
def test_what_a_module_writes_into_its_parts_comes_after_theirs(kind):
    with torch.device("meta"):
        model = kind()
    initlint.materialize(model, seed=0)
    first = next(model.parameters())
    assert (first == 0.5).all()


def test_attention_keeps_the_bias_that_it_gives_its_part():
    with torch.device("meta"):
        model = nn.MultiheadAttention(16, 2)
    initlint.materialize(model, seed=0)
    assert not model.out_proj.bias.any()


def test_tensors_with_memory_are_not_initialised_again():
    model = on_meta()
    model.out.weight = nn.Parameter(torch.full((65, 16), 7.0))
    initlint.materialize(model, seed=0)
    assert (model.out.weight == 7).all() and (model.norm.weight == 1).all()


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))

    def training_step(self, batch, index):
        return self.net(batch)


class Passed(Parts):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


class Refused(Parts):
    def forward(self, x):
        raise NotImplementedError


@pytest.mark.parametrize("kind", [Parts, Passed, Refused])
def test_the_parts_of_a_model_without_a_forward_of_its_own_are_filled(kind):
    report = initlint.apply_(kind(), seed=0, scope="all")
    # What becomes of the last one's result is not known.
    filled = [one.parameter for one in report.outcomes if one.status == "filled"]
    assert filled == ["net.0.weight", "net.0.bias"]
    assert len(initlint.check(kind()).layers) == 2


@pytest.mark.parametrize("kind", [Parts, Passed, Refused])
def test_what_has_no_forward_of_its_own_cannot_be_calibrated_whole(kind):
    model = kind()
    with pytest.raises(InitlintError) as error:
        initlint.apply_(model, seed=0, scope="all", policy="calibrated")
    assert str(error.value) == (
        f"the policy calibrated runs the model, and {kind.__name__} has no forward of its own: "
        "calibrate its parts one by one, or take another policy; nothing was changed"
    )
    initlint.apply_(model.net, seed=0, scope="all", policy="calibrated")


class Llama(nn.Module):
    """As torchtitan's: w3 is made smaller with the depth, though nothing adds its result."""

    class Block(nn.Module):
        def __init__(self, number):
            super().__init__()
            self.norm = nn.LayerNorm(16)
            self.w1, self.w2, self.w3 = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 32)
            self.std = 0.02 / (2 * (number + 1)) ** 0.5

        def init_weights(self):
            nn.init.trunc_normal_(self.w1.weight, std=0.02)
            for layer in (self.w2, self.w3):
                nn.init.trunc_normal_(layer.weight, std=self.std)

        def forward(self, x):
            x = self.norm(x)
            return self.w2(nn.functional.silu(self.w1(x)) * self.w3(x))

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(65, 16), nn.Linear(16, 65)
        self.blocks = nn.ModuleList(self.Block(number) for number in range(4))
        self.init_weights()

    def init_weights(self):
        nn.init.normal_(self.embed.weight)
        for block in self.blocks:
            block.init_weights()

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


@pytest.mark.parametrize("way", [lambda: Llama, lambda: on_meta_of(Llama)])
def test_a_scale_that_goes_with_the_depth_stays_whatever_it_is_added_to(way):
    # A function: with a class, this file would be read as well.
    found = initlint.check(lambda: Llama()).findings
    assert {finding.code for finding in found} == {"INIT013"}
    model = initlint.materialize(way(), seed=0)
    for block in model.blocks:
        for layer in (block.w2, block.w3):
            assert layer.weight.std().item() == pytest.approx(block.std, rel=0.15)


def deep():
    """A model with findings."""
    return nn.Sequential(*[nn.Sequential(nn.Linear(16, 16), nn.ReLU()) for _ in range(12)])


def deep_on_meta():
    with torch.device("meta"):
        return deep()


def compiled_parts(model):
    for name, part in list(model.named_children()):
        setattr(model, name, torch.compile(part, backend="eager"))
    return model


def emptied(model):
    return model.to_empty(device="cpu")


FILLED_ALIKE = {
    "compiled on the meta device": lambda: initlint.materialize(
        compiled_parts(deep_on_meta()), seed=0
    ),
    "compiled by shard": lambda: initlint.materialize(deep, seed=0, shard=compiled_parts),
    "to_empty by shard": lambda: initlint.materialize(deep, seed=0, shard=emptied),
    "a model on the meta device, emptied": lambda: initlint.materialize(
        deep_on_meta(), seed=0, shard=emptied
    ),
    "another model": lambda: initlint.materialize(deep, seed=0, shard=lambda _: deep_on_meta()),
    "no model": lambda: initlint.materialize(deep, seed=0, shard=lambda _: 3),
}


@pytest.fixture
def broken_memory():
    """Memory that nothing wrote is NaN."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("way", FILLED_ALIKE)
def test_no_memory_stays_unwritten_whatever_shard_does(way, broken_memory):
    wanted = initlint.materialize(deep, seed=0).state_dict()
    model = FILLED_ALIKE[way]()
    found = {name.replace("_orig_mod.", ""): v for name, v in model.state_dict().items()}
    assert all(value.equal(found[name]) for name, value in wanted.items())


@pytest.mark.parametrize("assign", [False, True])
def test_what_shard_loads_stays(assign):
    wanted = deep().state_dict()

    def load(model):
        if not assign:
            model.to_empty(device="cpu")
        model.load_state_dict(wanted, assign=assign)

    model = initlint.materialize(deep, seed=0, shard=load)
    assert all(value.equal(wanted[name]) for name, value in model.state_dict().items())


def test_an_init_that_needs_values_is_called_where_there_are_some():
    def init(model):
        for part in model:
            nn.init.normal_(part[0].weight)
            part[0].weight.data.div_(part[0].weight.norm().item())

    state = torch.get_rng_state()
    first, second = (initlint.materialize(deep, seed=0, init=init, skip="*") for _ in range(2))
    assert first[3][0].weight.norm().item() == pytest.approx(1)
    assert first[3][0].weight.equal(second[3][0].weight)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("seed", [0, None])
def test_within_the_meta_device_a_model_gets_values_all_the_same(seed):
    wanted = initlint.materialize(deep, seed=0)
    live = deep()
    with torch.device("meta"):
        model = initlint.materialize(deep, seed=seed)
        initlint.apply_(live, seed=seed)
    assert not any(value.is_meta for value in model.parameters())
    same = all(v.equal(wanted.state_dict()[name]) for name, v in model.state_dict().items())
    assert same == (seed is not None)
    assert live[4][0].weight.std() > 0.3


@pytest.mark.parametrize("option", ["init", "shard"])
def test_what_is_no_function_is_an_error(option):
    with pytest.raises(InitlintError, match=f"{option}='x': write a function that takes the model"):
        initlint.materialize(deep, seed=0, **{option: "x"})


def on_meta_of(kind):
    with torch.device("meta"):
        return kind()


def test_a_part_without_a_forward_is_still_an_error():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Passed()

        def forward(self, x):
            return self.part(x)

    with pytest.raises(InitlintError, match="NotImplementedError"):
        initlint.apply_(Outer(), seed=0)
