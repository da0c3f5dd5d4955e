"""The reader: what is kept while files are read. It evaluates nothing itself."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from initlint.graph.ops import Graph, Op
from initlint.reading.abstract.frames import Code, Frame, Step
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.operands import flat_tensors
from initlint.reading.abstract.parts import contents_of, count_parts
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Fresh, Slot, Tensor, Value
from initlint.reading.budget import PARTS, Budget, TooMuchError
from initlint.reading.models.life import Life
from initlint.reading.sources.resolve import Program
from initlint.records import Site, Test
from initlint.torchlib.draws import Draw


@dataclass(slots=True, eq=False)
class Walk:
    """A walk over the modules or parameters of `whole`.

    `item` is the module or parameter that it has reached, `known` the number of modules of `whole`
    once that was asked.
    """

    whole: Instance
    item: Value = None
    known: int = 0

    def count(self) -> int:
        """The number of modules of `whole`."""
        self.known = self.known or len(modules_of(self.whole))
        return self.known


# What compiles a kind of expression or of statement, and what calls a kind of value: with the
# arguments, and where the call stands.
Compiler = Callable[["Reader", Any], Code]
Stepper = Callable[["Reader", Any], Step | None]
Caller = Callable[["Reader", Any, Sequence[Value], Mapping[str, Value], "ast.AST | None"], Value]


class Reader:
    """What is kept while files are read, and what evaluates each kind of expression and value.

    Functions that evaluate take it as their first argument.
    """

    def __init__(
        self,
        program: Program,
        expressions: Mapping[type[ast.AST], Compiler],
        statements: Mapping[type[ast.AST], Stepper],
        callers: Mapping[type, Caller],
    ) -> None:
        self.expressions, self.statements, self.callers = expressions, statements, callers
        self.codes: dict[ast.AST, Code] = {}
        self.bodies: dict[ast.AST, Code] = {}
        # By the `id` of a list of statements, which its step keeps alive.
        self.blocks: dict[int, Step] = {}
        # What looks up a name, by the name.
        self.names: dict[str, Code] = {}
        self.classes: dict[ast.ClassDef, UserClass] = {}
        self.enumerations: dict[tuple[UserClass, str], Instance] = {}
        # The names of all classes that others inherit from, once somebody asks.
        self.bases: set[str] | None = None
        # Where a name of a file's top level is set within a function.
        self.globals: set[ast.Name] = set()
        self.program = program
        self.budget = Budget(program.sizes)
        self.graph = Graph(self.budget)
        self.constructing: Instance | None = None
        self.arms: tuple[int, ...] = ()
        self.frames: list[Frame] = []
        self.active: list[object] = []
        # What of the present class or function was not followed; empty where all of it was.
        self.unfollowed = ""
        self.memo: dict[object, Instance] = {}
        # What modules held when their constructors had ended.
        self.contents: dict[Instance, Sequence[object]] = {}
        # How often code has filled or changed a part of another module, and how often it had when
        # a module was last found to be as its constructor left it.
        self.altered = 0
        self.unaltered: dict[Instance, int] = {}
        # The modules whose constructors are running, outermost first.
        self.builders: list[Instance] = []
        self.results: dict[object, Value] = {}
        # Initialising calls that are made outside of constructors, on what no module holds.
        self.loose: list[Any] = []
        # Names of the project that code calls and whose module was not found, by file and name.
        self.astray: dict[tuple[str, str], None] = {}
        # For the condition of an `elif`, those before it, each of one question.
        self.earlier: dict[ast.expr, tuple[ast.expr, ...]] = {}
        # Calls that are a statement of their own, so that nothing keeps their results.
        self.alone: set[ast.AST | None] = set()
        # Of names that are filled, whether they are copies that nothing else uses.
        self.lost_copies: dict[ast.AST, bool] = {}
        # Of classes, whether something wraps their constructor, and whether they wrap their heirs'.
        self.altering: dict[UserClass, tuple[bool, bool]] = {}
        # Of class decorators, and of functions that make such, whether they only look at the class.
        self.looking: dict[tuple[ast.AST, bool], bool] = {}
        # What code has put in the place of names outside the files: `nn.Linear = Quiet`.
        self.replaced: dict[str, Value] = {}
        # Methods that code calls of models of which nobody knows the class, with a place; under the
        # empty name, a place that fills one.
        self.strangers: dict[str, Site | None] = {}
        # The classes that fill a part of theirs of which nobody knows the class, with a place.
        self.hosts: dict[UserClass | None, Site | None] = {}
        # Around what is read, how many `with` may switch gradients off.
        self.ungraded = 0
        # The classes of which code makes models from checkpoints: `Net.load_from_checkpoint(path)`.
        self.loaded: set[UserClass] = set()
        # How often code was gone both ways, because nothing decides a condition.
        self.forks = 0
        # How many writes, and calls of unknown functions, there were.
        self.acts = 0
        # The calls that have filled something, at least once, and are statements of their own.
        self.acting: set[Site | None] = set()
        # Questions that a function asked of what it is handed, and that were answered with no.
        self.denied: list[tuple[Any, str]] = []
        # What loops over modules and parameters, and callbacks, are at, outermost first.
        self.visits: list[Any] = []
        # How many models are followed as data goes through them: what they ask fills nothing.
        self.drawing = 0
        # Keeps what is asked of modules that lie in no model.
        self.nowhere = Instance(None, "")
        self.life = Life(self.budget)
        # Whether scripts and functions are followed that make models, and not the data of a model.
        self.living = False
        # Whether nothing that is written counts, because a method of unknown use is followed.
        self.still = False
        # What was written under undecided conditions: what the parameter holds then, as far as is
        # known, and what it holds where the condition is true.
        self.undecided: list[tuple[Slot, Draw, Draw]] = []
        # Branches and functions that are named after a scheme.
        self.options: list[Test] = []
        # Parameters that are loaded under a condition.
        self.resumed: list[Slot] = []
        # Whether there are layers that stand for those of modules which are not read.
        self.has_samples = False
        # The loops and calls of `apply` that go through a module and are running, outermost first.
        self.walks: list[Walk] = []
        # How many `try` with handlers are around what is read.
        self.trying = 0
        # How many loops go through elements that need not be there.
        self.doubtful = 0
        # How many `try`, and `with suppress`, around it catch the errors that initialisers raise.
        self.guarded = 0
        # Each `try` in a loop that is left only from its body.
        self.retried: set[ast.Try] = set()
        # Models, each with a module that a framework's hook has initialised for it.
        self.hooked: set[tuple[Instance, Instance]] = set()
        # The model whose hook is running; of each model, what its hook has written.
        self.hooking: Instance | None = None
        self.covered: defaultdict[Instance, set[Slot | Fresh]] = defaultdict(set)
        # Functions that are not read, by the parameters that they could reach.
        self.released: dict[Slot, str] = {}
        # Functions of the files that were followed while models were made.
        self.followed: set[ast.AST] = set()
        # Functions that constructors of modules have called: what these give is a part.
        self.makers: set[ast.AST] = set()
        # All functions of the files that were followed.
        self.reached: set[ast.AST] = set()
        self._arm = 0

    @property
    def outside(self) -> bool:
        """Whether code is read that makes and fills models, and not a constructor or forward."""
        return self.living and self.constructing is None

    def new_arm(self) -> tuple[int, ...]:
        """The present undecided conditions, and one more."""
        self._arm += 1
        return (*self.arms, self._arm)

    def site(self, node: ast.AST | None) -> Site | None:
        """Where an expression stands."""
        if node is None or not self.frames:
            return None
        return self.frames[-1].module.source.site(node)

    def within(self) -> str:
        """The name of the function that is read; empty at the top level of a file."""
        for node in reversed(self.active):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return node.name
        return ""

    def is_certain(self, slot: Slot | Fresh) -> bool:
        """Whether the present code runs wherever this parameter has been made."""
        return slot.arms[: len(self.arms)] == self.arms

    def drawn(self, slot: Slot | Fresh) -> Draw:
        """What a parameter, or a tensor that may become one, holds now."""
        if self.constructing is None or isinstance(slot, Fresh):
            return slot.draw
        return self.constructing.overrides.get(slot, slot.draw)

    def nodes_in(self, values: Iterable[Value]) -> list[Op]:
        """The nodes of all tensors in values, each once."""
        budget = self.budget
        return list(dict.fromkeys(n for value in values for n in flat_tensors(value, budget)))

    def replace(self, name: str, value: Value) -> None:
        """Note that code puts a value in the place of a name outside the files."""
        self.replaced[name] = value
        # What was made before is made in another way from now on.
        self.memo.clear()

    def weigh(self, values: Iterable[Value]) -> None:
        """Charge all that lies within values; raises TooMuchError where that is too much."""
        for value in values:
            if type(value) is not Tensor and contents_of(value):
                count = count_parts(value, PARTS)
                if count > PARTS:
                    raise TooMuchError("gave up at a value of too many parts")
                self.budget.elements(count)

    def node(self, role: str, inputs: Sequence[Op] = (), name: str = "") -> Tensor:
        """The result of a new operation."""
        return Tensor(self.graph.add(Op(role, tuple(inputs), name)))

    def unclear(self, inputs: Sequence[Op] = (), by: str = "") -> Tensor:
        """The result of an operation of which nothing is known: `by` is the user's name for it."""
        # It is no name of torch's: what recognises a mul, or a sin, must not see it as one.
        return Tensor(self.graph.add(Op("unknown", tuple(inputs), args={"by": by} if by else {})))
