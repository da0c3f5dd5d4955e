"""Every way of making a layer that the rewriter knows, with what it writes for it.

The sources run: `Net()` in each of them has exactly the parameters that the marks name.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent, indent

from marked import Names

HEAD = """\
from collections import OrderedDict

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
"""
TAIL = """
    def forward(self, x):
        return x
"""


@dataclass(frozen=True)
class Form:
    """`body` is the rest of a constructor with marks; `added` is what comes at its end."""

    id: str
    names: tuple[Names, ...]
    before: str
    after: str


def at_end(id: str, names: tuple[Names, ...], body: str, added: str) -> Form:
    """The calls come at the end of the constructor."""
    body, added = (indent(dedent(text).strip("\n"), " " * 8) for text in (body, added))
    before = f"{HEAD}{body}\n{TAIL}"
    after = f"{HEAD}{_clean(body)}\n{added}\n{TAIL}"
    return Form(id, names, before, after)


def amid(id: str, names: tuple[Names, ...], body: str) -> Form:
    """The calls come where the body has a line that begins with `+`."""
    lines = dedent(body).strip("\n").splitlines()
    before = "\n".join(line for line in lines if not line.startswith("+"))
    after = _clean("\n".join(line.removeprefix("+") for line in lines))
    before, after = (indent(text, " " * 8) for text in (before, after))
    return Form(id, names, f"{HEAD}{before}\n{TAIL}", f"{HEAD}{after}\n{TAIL}")


def whole(id: str, names: tuple[Names, ...], source: str) -> Form:
    """A whole module; the calls come where a line begins with `+`."""
    lines = dedent(source).lstrip("\n").splitlines(keepends=True)
    before = "".join(line for line in lines if not line.startswith("+"))
    after = _clean("".join(line.removeprefix("+") for line in lines))
    return Form(id, names, before, after)


def instead(id: str, names: tuple[Names, ...], before: str, after: str) -> Form:
    """A whole module where lines change too."""
    return Form(id, names, dedent(before).lstrip("\n"), dedent(after).lstrip("\n"))


def inside(id: str, names: tuple[Names, ...], before: str, after: str) -> Form:
    """The rest of a constructor where lines change too."""
    before, after = (indent(dedent(text).strip("\n"), " " * 8) for text in (before, after))
    return Form(id, names, f"{HEAD}{before}\n{TAIL}", f"{HEAD}{after}\n{TAIL}")


def _clean(text: str) -> str:
    return text.replace("«", "").replace("»", "")


FORMS = [
    at_end(
        "plain attribute",
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)»",
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "several attributes come in layer order",
        ("c.weight", "b.weight", "a.weight"),
        """
        self.c = «nn.Linear(3, 4)»
        self.b = «nn.Conv2d(3, 4, 5)»
        self.a = «nn.ConvTranspose1d(3, 4, 5)»
        """,
        """
        for layer in (self.c, self.b, self.a):
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "attribute of an attribute",
        ("body.fc.weight",),
        """
        self.body = nn.Module()
        self.body.fc = «nn.Linear(3, 4)»
        """,
        "nn.init.zeros_(self.body.fc.weight)",
    ),
    at_end(
        "annotated assignment",
        ("fc.weight",),
        "self.fc: nn.Module = «nn.Linear(3, 4)»",
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "chained assignment",
        ("fc.weight",),
        "fc = self.fc = «nn.Linear(3, 4)»",
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "two assigned at once",
        ("a.weight", "b.weight"),
        "self.a, self.b = «nn.Linear(3, 4)», «nn.Linear(4, 5)»",
        """
        nn.init.zeros_(self.a.weight)
        nn.init.zeros_(self.b.weight)
        """,
    ),
    at_end(
        "constructor over several lines",
        ("fc.weight",),
        """
        self.fc = «nn.Linear(
            3,  # in
            4,  # out
        )»
        """,
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "moved where it is made",
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)».double().eval()",
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "members of a Sequential",
        ("net.0.weight", "net.2.weight"),
        "self.net = nn.Sequential(«nn.Linear(3, 4)», nn.ReLU(), «nn.Linear(4, 5)»)",
        """
        nn.init.zeros_(self.net[0].weight)
        nn.init.zeros_(self.net[2].weight)
        """,
    ),
    at_end(
        "Sequential in a Sequential",
        ("net.1.0.weight",),
        "self.net = nn.Sequential(nn.ReLU(), nn.Sequential(«nn.Linear(4, 5)»))",
        "nn.init.zeros_(self.net[1][0].weight)",
    ),
    at_end(
        "OrderedDict of pairs",
        ("net.fc.weight",),
        'self.net = nn.Sequential(OrderedDict([("act", nn.ReLU()), ("fc", «nn.Linear(3, 4)»)]))',
        "nn.init.zeros_(self.net.fc.weight)",
    ),
    at_end(
        "OrderedDict of a dict",
        ("net.fc.weight",),
        'self.net = nn.Sequential(OrderedDict({"fc": «nn.Linear(3, 4)»}))',
        "nn.init.zeros_(self.net.fc.weight)",
    ),
    at_end(
        "OrderedDict of a comprehension",
        (("net.fc0.weight", "net.fc1.weight"),),
        """
        self.net = nn.Sequential(
            OrderedDict([(f"fc{i}", «nn.Linear(3, 3)») for i in range(n)])
        )
        """,
        """
        for layer in self.net:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "ModuleList literal",
        ("fcs.1.weight",),
        "self.fcs = nn.ModuleList([nn.Linear(3, 4), «nn.Linear(4, 5)»])",
        "nn.init.zeros_(self.fcs[1].weight)",
    ),
    at_end(
        "ModuleDict literal",
        ("heads.a.weight",),
        'self.heads = nn.ModuleDict({"a": «nn.Linear(3, 4)», "b": nn.Linear(3, 4)})',
        'nn.init.zeros_(self.heads["a"].weight)',
    ),
    at_end(
        "ModuleDict of an OrderedDict",
        ("heads.a.weight",),
        'self.heads = nn.ModuleDict(OrderedDict([("a", «nn.Linear(3, 4)»)]))',
        'nn.init.zeros_(self.heads["a"].weight)',
    ),
    at_end(
        "ModuleDict comprehension",
        (("heads.a.weight", "heads.b.weight"),),
        'self.heads = nn.ModuleDict({k: «nn.Linear(3, 4)» for k in "ab"})',
        """
        for layer in self.heads.values():
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "ModuleList comprehension",
        (("fcs.0.weight", "fcs.1.weight"),),
        "self.fcs = nn.ModuleList([«nn.Linear(3, 3)» for _ in range(n)])",
        """
        for layer in self.fcs:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "ModuleList of a generator",
        (("fcs.0.weight", "fcs.1.weight"),),
        "self.fcs = nn.ModuleList(«nn.Linear(3, 3)» for _ in range(n))",
        """
        for layer in self.fcs:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "starred comprehension with a layer after it",
        (("net.0.0.weight", "net.1.0.weight"), "net.2.weight"),
        """
        self.net = nn.Sequential(
            *[nn.Sequential(«nn.Linear(3, 3)», nn.ReLU()) for _ in range(n)], «nn.Linear(3, 10)»
        )
        """,
        """
        for block in self.net[:-1]:
            nn.init.zeros_(block[0].weight)
        nn.init.zeros_(self.net[-1].weight)
        """,
    ),
    at_end(
        "starred comprehension between others",
        (("net.1.weight", "net.2.weight"),),
        "self.net = nn.Sequential(nn.ReLU(), *[«nn.Linear(3, 3)» for _ in range(n)], nn.Tanh())",
        """
        for layer in self.net[1:-1]:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "two layers of one block share the loop",
        (("net.0.0.weight", "net.1.0.weight"), ("net.0.2.weight", "net.1.2.weight")),
        """
        self.net = nn.ModuleList(
            [
                nn.Sequential(«nn.Linear(3, 4)», nn.ReLU(), «nn.Linear(4, 3)»)
                for _ in range(n)
            ]
        )
        """,
        """
        for block in self.net:
            nn.init.zeros_(block[0].weight)
            nn.init.zeros_(block[2].weight)
        """,
    ),
    at_end(
        "comprehension in a comprehension",
        (("net.0.0.weight", "net.0.1.weight", "net.1.0.weight", "net.1.1.weight"),),
        """
        self.net = nn.ModuleList(
            [nn.ModuleList([«nn.Linear(3, 3)» for _ in range(2)]) for _ in range(n)]
        )
        """,
        """
        for block in self.net:
            for layer in block:
                nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "flattened pairs",
        (("net.0.weight", "net.2.weight"),),
        """
        self.net = nn.Sequential(
            *[m for _ in range(n) for m in («nn.Linear(3, 3)», nn.ReLU())], nn.Linear(3, 10)
        )
        """,
        """
        for layer in self.net[:-1:2]:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "flattened pairs after another layer",
        (("net.2.weight", "net.4.weight"),),
        """
        self.net = nn.Sequential(
            nn.Tanh(), *[m for _ in range(n) for m in (nn.ReLU(), «nn.Linear(3, 3)»)]
        )
        """,
        """
        for layer in self.net[2::2]:
            nn.init.zeros_(layer.weight)
        """,
    ),
    at_end(
        "starred literal counts from the front",
        ("net.2.weight",),
        "self.net = nn.Sequential(*[nn.ReLU(), nn.Tanh()], «nn.Linear(3, 4)»)",
        "nn.init.zeros_(self.net[2].weight)",
    ),
    at_end(
        "after an unknown run it counts from the end",
        ("net.2.weight",),
        """
        acts = [nn.ReLU(), nn.Tanh()]
        self.net = nn.Sequential(*acts, «nn.Linear(3, 4)», nn.ReLU())
        """,
        "nn.init.zeros_(self.net[-2].weight)",
    ),
    at_end(
        "lists joined by plus",
        ("net.0.weight", ("net.1.weight", "net.2.weight"), "net.3.weight"),
        """
        self.net = nn.ModuleList(
            [«nn.Linear(3, 4)»] + [«nn.Linear(4, 4)» for _ in range(n)] + [«nn.Linear(4, 1)»]
        )
        """,
        """
        nn.init.zeros_(self.net[0].weight)
        for layer in self.net[1:-1]:
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.net[-1].weight)
        """,
    ),
    at_end(
        "loop variable that is free",
        (("fcs.0.weight", "fcs.1.weight"),),
        """
        layer = n
        self.fcs = nn.ModuleList([«nn.Linear(3, 3)» for _ in range(layer)])
        """,
        """
        for module in self.fcs:
            nn.init.zeros_(module.weight)
        """,
    ),
    amid(
        "list appended to in a loop",
        (("net.0.weight", "net.2.weight"),),
        """
        layers = []
        for _ in range(n):
            layers.append(«nn.Linear(3, 3)»)
        +    nn.init.zeros_(layers[-1].weight)
            layers.append(nn.ReLU())
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "list added to",
        (("net.0.weight", "net.2.weight"),),
        """
        layers = []
        for _ in range(n):
            layers += [«nn.Linear(3, 3)», nn.ReLU()]
        +    nn.init.zeros_(layers[-2].weight)
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "list extended",
        ("net.0.weight",),
        """
        layers = []
        layers.extend([«nn.Linear(3, 3)», nn.ReLU()])
        +nn.init.zeros_(layers[-2].weight)
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "list begun with layers",
        ("net.0.weight",),
        """
        layers = [«nn.Linear(3, 3)», nn.ReLU()]
        +nn.init.zeros_(layers[0].weight)
        layers = layers + [nn.Tanh()]
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "list replaced by a longer one",
        ("net.1.weight",),
        """
        layers = [nn.ReLU()]
        layers = layers + [«nn.Linear(3, 3)»]
        +nn.init.zeros_(layers[-1].weight)
        layers = [*layers, nn.Tanh()]
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "layer put in front",
        ("net.0.weight",),
        """
        layers = [nn.ReLU()]
        layers.insert(0, «nn.Linear(3, 3)»)
        +nn.init.zeros_(layers[0].weight)
        self.net = nn.Sequential(*layers)
        """,
    ),
    amid(
        "list of named pairs",
        ("net.fc.weight",),
        """
        pairs = []
        pairs.append(("fc", «nn.Linear(3, 3)»))
        +nn.init.zeros_(pairs[-1][1].weight)
        self.net = nn.Sequential(OrderedDict(pairs))
        """,
    ),
    amid(
        "dict filled by key",
        (("net.fc0.weight", "net.fc1.weight"),),
        """
        members = OrderedDict()
        for i in range(n):
            members[f"fc{i}"] = «nn.Linear(3, 3)»
        +    nn.init.zeros_(members[f"fc{i}"].weight)
        self.net = nn.Sequential(members)
        """,
    ),
    amid(
        "list of blocks",
        (("net.0.0.weight", "net.1.0.weight"),),
        """
        blocks = []
        for _ in range(n):
            blocks.append(nn.Sequential(«nn.Linear(3, 3)», nn.ReLU()))
        +    nn.init.zeros_(blocks[-1][0].weight)
        self.net = nn.Sequential(*blocks)
        """,
    ),
    amid(
        "list made by a comprehension",
        (("net.0.weight", "net.1.weight"),),
        """
        fcs = [«nn.Linear(3, 3)» for _ in range(n)]
        +for layer in fcs:
        +    nn.init.zeros_(layer.weight)
        self.net = nn.Sequential(*fcs)
        """,
    ),
    amid(
        "local variable",
        ("net.0.weight",),
        """
        conv = «nn.Conv2d(3, 4, 5)»
        +nn.init.zeros_(conv.weight)
        self.net = nn.Sequential(conv, nn.ReLU())
        """,
    ),
    amid(
        "ModuleList appended to",
        (("fcs.0.weight", "fcs.1.weight"),),
        """
        self.fcs = nn.ModuleList()
        for _ in range(n):
            self.fcs.append(«nn.Linear(3, 3)»)
        +    nn.init.zeros_(self.fcs[-1].weight)
        """,
    ),
    amid(
        "ModuleList filled by index",
        ("fcs.0.weight",),
        """
        self.fcs = nn.ModuleList([nn.ReLU()])
        self.fcs[0] = «nn.Linear(3, 3)»
        +nn.init.zeros_(self.fcs[0].weight)
        """,
    ),
    at_end(
        "add_module",
        ("fc.weight",),
        'self.add_module("fc", «nn.Linear(3, 3)»)',
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "add_module with a stray comma",
        ("fc.weight",),
        'self.add_module("fc", «nn.Linear(3, 3)»),',
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "add_module of a member",
        ("net.fc.weight",),
        """
        self.net = nn.Sequential()
        self.net.add_module("fc", «nn.Linear(3, 3)»)
        """,
        "nn.init.zeros_(self.net.fc.weight)",
    ),
    amid(
        "add_module under a computed name",
        (("fc0.weight", "fc1.weight"),),
        """
        for i in range(n):
            self.add_module("fc" + str(i), «nn.Linear(3, 3)»)
        +    nn.init.zeros_(getattr(self, "fc" + str(i)).weight)
        """,
    ),
    amid(
        "setattr under a computed name",
        (("fc0.weight", "fc1.weight"),),
        """
        for i in range(n):
            setattr(self, f"fc{i}", «nn.Linear(3, 3)»)
        +    nn.init.zeros_(getattr(self, f"fc{i}").weight)
        """,
    ),
    at_end(
        "bare parameter",
        ("w",),
        "self.w = «nn.Parameter(torch.empty(3, 4))»",
        "nn.init.zeros_(self.w)",
    ),
    at_end(
        "registered parameter",
        ("w",),
        'self.register_parameter("w", «nn.Parameter(torch.empty(3, 4))»)',
        "nn.init.zeros_(self.w)",
    ),
    at_end(
        "ParameterList",
        (("ws.0", "ws.1"),),
        "self.ws = nn.ParameterList([«nn.Parameter(torch.ones(3, 4))» for _ in range(n)])",
        """
        for parameter in self.ws:
            nn.init.zeros_(parameter)
        """,
    ),
    at_end(
        "optional layer",
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)» if n else None",
        """
        if self.fc is not None:
            nn.init.zeros_(self.fc.weight)
        """,
    ),
    at_end(
        "layer or Identity",
        ("down.weight",),
        "self.down = nn.Identity() if n == 0 else «nn.Conv2d(3, 4, 1)»",
        """
        if isinstance(self.down, nn.Conv2d):
            nn.init.zeros_(self.down.weight)
        """,
    ),
    at_end(
        "layer by a name of its own, or Identity",
        ("down.weight",),
        """
        conv = nn.Conv2d
        self.down = «conv(3, 4, 1)» if n else nn.Identity()
        """,
        """
        if not isinstance(self.down, nn.Identity):
            nn.init.zeros_(self.down.weight)
        """,
    ),
    at_end(
        "layer or Identity in a comprehension",
        (("fcs.1.weight",),),
        """
        self.fcs = nn.ModuleList(
            [«nn.Linear(3, 3)» if i else nn.Identity() for i in range(n)]
        )
        """,
        """
        for layer in self.fcs:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)
        """,
    ),
    amid(
        "each branch of an if",
        ("fc.weight",),
        """
        if n:
            self.fc = «nn.Linear(3, 4)»
        +    nn.init.zeros_(self.fc.weight)
        else:
            self.fc = nn.Identity()
        """,
    ),
    at_end(
        "two parameters of one recurrent layer",
        (("rnn.weight_ih_l0", "rnn.weight_hh_l0"),),
        "self.rnn = «nn.LSTM(3, 4)»",
        """
        nn.init.zeros_(self.rnn.weight_ih_l0)
        nn.init.zeros_(self.rnn.weight_hh_l0)
        """,
    ),
    at_end(
        "weights inside a layer of torch's",
        (("enc.linear1.weight", "enc.self_attn.out_proj.weight"),),
        "self.enc = «nn.TransformerEncoderLayer(4, 2, 8)»",
        """
        nn.init.zeros_(self.enc.linear1.weight)
        nn.init.zeros_(self.enc.self_attn.out_proj.weight)
        """,
    ),
    whole(
        "handed to a module of the file",
        (("block.fn.0.weight"),),
        """
        from torch import nn


        class Residual(nn.Module):
            def __init__(self, fn):
                super().__init__()
                self.fn = fn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = Residual(nn.Sequential(«nn.Linear(3, 3)», nn.ReLU()))
        +        nn.init.zeros_(self.block.fn[0].weight)
        """,
    ),
    whole(
        "handed to a function that returns it",
        ("fc.weight",),
        """
        from torch import nn


        def with_zero_bias(layer):
            nn.init.zeros_(layer.bias)
            return layer


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = with_zero_bias(«nn.Linear(3, 3)»)
        +        nn.init.zeros_(self.fc.weight)
        """,
    ),
    whole(
        "subclass of Sequential",
        ("0.weight",),
        """
        from torch import nn


        class Net(nn.Sequential):
            def __init__(self):
                super().__init__(«nn.Conv2d(3, 4, 5)», nn.ReLU())
        +        nn.init.zeros_(self[0].weight)
        """,
    ),
    whole(
        "block used twice",
        (("a.fc.weight", "b.fc.weight"),),
        """
        from torch import nn


        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = «nn.Linear(3, 3)»
        +        nn.init.zeros_(self.fc.weight)


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = Block()
                self.b = Block()
        """,
    ),
    whole(
        "made in another method",
        ("fc.weight",),
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self._build()

            def _build(self):
                self.fc = «nn.Linear(3, 3)»
                self.size = 3
        +        nn.init.zeros_(self.fc.weight)
        """,
    ),
    whole(
        "head added by a subclass",
        ("head.weight",),
        """
        from torch import nn


        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)


        class Net(Base):
            def __init__(self):
                super().__init__()
                self.head = «nn.Linear(3, 3)»
        +        nn.init.zeros_(self.head.weight)
        """,
    ),
    whole(
        "assembled in a function",
        ("0.weight", "2.weight"),
        """
        from torch import nn


        def Net():
            model = nn.Sequential(«nn.Linear(3, 3)», nn.ReLU(), «nn.Linear(3, 4)»)
        +    nn.init.zeros_(model[0].weight)
        +    nn.init.zeros_(model[2].weight)
            return model
        """,
    ),
    whole(
        "assembled in the module",
        ("0.weight",),
        """
        from torch import nn

        model = nn.Sequential(«nn.Linear(3, 3)», nn.ReLU())
        +nn.init.zeros_(model[0].weight)


        def Net():
            return model
        """,
    ),
    whole(
        "head of another model replaced",
        ("fc.weight",),
        """
        from torch import nn


        def Net():
            model = nn.Module()
            model.fc = «nn.Linear(3, 3)»
        +    nn.init.zeros_(model.fc.weight)
            return model
        """,
    ),
    at_end(
        "after a semicolon",
        ("fc.weight",),
        "n = 3; self.fc = «nn.Linear(3, 4)»",
        "nn.init.zeros_(self.fc.weight)",
    ),
    at_end(
        "before a semicolon",
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)»; n = 3",
        "nn.init.zeros_(self.fc.weight)",
    ),
    inside(
        "statements joined by semicolons",
        ("m.0.weight",),
        "m = []; m.append(«nn.Linear(3, 4)»); self.m = nn.Sequential(*m)",
        "m = []; m.append(nn.Linear(3, 4)); nn.init.zeros_(m[-1].weight); "
        "self.m = nn.Sequential(*m)",
    ),
    inside(
        "statements joined by semicolons where the line would become too long",
        ("net.0.weight", "net.2.weight"),
        """
        m = []; m.append(«nn.Linear(3, 4)»); m.append(nn.ReLU()); m.append(«nn.Linear(4, 5)»)
        self.net = nn.Sequential(*m)
        """,
        """
        m = []; m.append(nn.Linear(3, 4))
        nn.init.zeros_(m[-1].weight)
        m.append(nn.ReLU()); m.append(nn.Linear(4, 5))
        nn.init.zeros_(m[-1].weight)
        self.net = nn.Sequential(*m)
        """,
    ),
    inside(
        "two layers of a statement before a semicolon",
        ("net.0.weight", "net.1.weight"),
        """
        net = [«nn.Linear(3, 4)», «nn.Linear(4, 5)»]; self.net = nn.ModuleList(net)
        """,
        """
        net = [nn.Linear(3, 4), nn.Linear(4, 5)]
        nn.init.zeros_(net[0].weight)
        nn.init.zeros_(net[1].weight)
        self.net = nn.ModuleList(net)
        """,
    ),
    inside(
        "branch on one line that would become too long",
        ("a_rather_long_name.weight",),
        """
        if n > 1: self.a_rather_long_name = «nn.Linear(in_features=3, out_features=4)»  # n
        else: self.a_rather_long_name = None
        """,
        """
        if n > 1:
            self.a_rather_long_name = nn.Linear(in_features=3, out_features=4)  # n
            nn.init.zeros_(self.a_rather_long_name.weight)
        else: self.a_rather_long_name = None
        """,
    ),
    inside(
        "several layers in an alternative on one line",
        ("a.weight", "b.weight"),
        """
        if n < 2: pass
        else: self.a = «nn.Linear(3, 4, bias=True)»; self.b = «nn.Linear(4, 5)»; self.c = n;
        """,
        """
        if n < 2: pass
        else:
            self.a = nn.Linear(3, 4, bias=True)
            nn.init.zeros_(self.a.weight)
            self.b = nn.Linear(4, 5)
            nn.init.zeros_(self.b.weight)
            self.c = n;
        """,
    ),
    inside(
        "case on one line that would become too long",
        ("a_rather_long_name.weight",),
        """
        match n:
            case 2: self.a_rather_long_name = «nn.Linear(in_features=3, out_features=4)»
        """,
        """
        match n:
            case 2:
                self.a_rather_long_name = nn.Linear(in_features=3, out_features=4)
                nn.init.zeros_(self.a_rather_long_name.weight)
        """,
    ),
    inside(
        "branch on one line that makes several in a loop",
        (("fcs.0.weight", "fcs.1.weight"),),
        "if n: self.fcs = nn.ModuleList([«nn.Linear(3, 4)» for _ in range(n)])",
        """
        if n:
            self.fcs = nn.ModuleList([nn.Linear(3, 4) for _ in range(n)])
            for layer in self.fcs:
                nn.init.zeros_(layer.weight)
        """,
    ),
    inside(
        "branch on one line",
        ("fc.weight",),
        "if n: self.fc = «nn.Linear(3, 4)»  # n",
        "if n: self.fc = nn.Linear(3, 4); nn.init.zeros_(self.fc.weight)  # n",
    ),
    inside(
        "loop on one line",
        (("fcs.0.weight", "fcs.1.weight"),),
        """
        self.fcs = nn.ModuleList()
        for _ in range(n): self.fcs.append(«nn.Linear(3, 4)»)
        """,
        """
        self.fcs = nn.ModuleList()
        for _ in range(n): self.fcs.append(nn.Linear(3, 4)); nn.init.zeros_(self.fcs[-1].weight)
        """,
    ),
    instead(
        "method on one line",
        ("fc.weight",),
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self._build()

            def _build(self): self.fc = «nn.Linear(3, 4)»
        """,
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self._build()

            def _build(self): self.fc = nn.Linear(3, 4); nn.init.zeros_(self.fc.weight)
        """,
    ),
    instead(
        "returned by a function",
        ("0.weight", "2.weight"),
        """
        from torch import nn


        def Net():
            return nn.Sequential(
                «nn.Linear(3, 3)»,  # first
                nn.ReLU(),
                «nn.Linear(3, 3)»,
            )  # both
        """,
        """
        from torch import nn


        def Net():
            model = nn.Sequential(
                nn.Linear(3, 3),  # first
                nn.ReLU(),
                nn.Linear(3, 3),
            )  # both
            nn.init.zeros_(model[0].weight)
            nn.init.zeros_(model[2].weight)
            return model
        """,
    ),
    instead(
        "returned by a method",
        ("fc.weight",),
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = self._made(3)

            def _made(self, n):
                if n == 2:
                    return nn.Linear(2, 2)
                return «nn.Linear(n, n)»
        """,
        """
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = self._made(3)

            def _made(self, n):
                if n == 2:
                    return nn.Linear(2, 2)
                layer = nn.Linear(n, n)
                nn.init.zeros_(layer.weight)
                return layer
        """,
    ),
    at_end(
        "made after the others were frozen",
        ("head.weight",),
        """
        self.fc = nn.Linear(3, 4)
        for p in self.parameters():
            p.requires_grad = False
        self.head = «nn.Linear(4, 2)»
        """,
        "nn.init.zeros_(self.head.weight)",
    ),
]
