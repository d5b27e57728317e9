"""The driver of a program as Python text: addresses, then one call after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from eager.ops.types import BOOL, DType
from jit.kernels.index import Index
from jit.kernels.steps import Action, Arg, Branch, Loop, Memory, Pointer, Repeat, Step
from jit.passes.planning import Plan

#: The parameters of every program, and their types.
PARAMETERS = (("weights", "ptr"), ("state", "ptr*"), ("arena", "ptr"), ("ins", "ptr*"),
              ("outs", "ptr*"), ("dims", "i64*"), ("pool", "ptr"), ("error", "i64*"))


def pointer_type(dtype: DType) -> str:
    """How a buffer's element type is called in signatures: a bool is a byte."""
    return "u8" if dtype is BOOL else dtype.name


class Printer:
    """Prints one driver; ``place`` gives the address expression of memory outside the arena."""

    def __init__(self, plan: Plan, place: Callable[[Memory], str | None],
                 node_index: Callable[[Step], int]) -> None:
        self.plan, self.place, self.node_index = plan, place, node_index
        self.names: dict[tuple[Memory, str], str] = {}
        self.addresses: list[str] = []

    def pointer(self, p: Pointer) -> str:
        """An argument that is an address."""
        kind = pointer_type(p.dtype)
        if p.memory is None:
            return f"null_{kind}()"
        key = (p.memory, kind)
        if key not in self.names:
            self.names[key] = f"m{len(self.names)}"
            self.addresses.append(f"{self.names[key]} = view_{kind}({self._base(p.memory)})")
        name = self.names[key]
        return name if p.offset == Index(()) else f"at_{kind}({name}, {p.offset})"

    def _base(self, memory: Memory) -> str:
        outside = self.place(memory)
        if outside is not None:
            return outside
        room = self.plan.rooms[memory]
        offset = Index.of(room.coefficient) * self.plan.units[room.region]
        base = f"region{room.region}" if room.region else ""
        words = " + ".join(w for w in (base, str(offset) if offset != Index(()) else "") if w)
        return f"arena, {words or 0}"

    def argument(self, arg: Arg) -> str:
        if isinstance(arg, Pointer):
            return self.pointer(arg)
        return str(arg)

    def lines(self, actions: Iterable[Action], pad: str) -> Iterator[str]:
        for action in actions:
            match action:
                case Step():
                    yield from self.step(action, pad)
                case Loop():
                    yield f"{pad}for {action.variable.name} in range({action.variable.size}):"
                    inside = list(self.lines(action.body, pad + "    "))
                    yield from inside or [f"{pad}    pass"]
                case Repeat():
                    rounds = f"for {action.variable.name} in range({action.variable.size})"
                    yield f"{pad}{rounds if action.limited else 'while True'}:"
                    yield from self.lines(action.test, pad + "    ")
                    yield f"{pad}    if {self.pointer(action.predicate)}[0] == 0:"
                    yield f"{pad}        break"
                    yield from self.lines(action.body, pad + "    ")
                case Branch():
                    yield f"{pad}if {self.pointer(action.predicate)}[0] != 0:"
                    for k, arm in enumerate(action.arms):
                        if k:
                            yield f"{pad}else:"
                        inside = list(self.lines(arm, pad + "    "))
                        yield from inside or [f"{pad}    pass"]

    def step(self, step: Step, pad: str) -> Iterator[str]:
        args = [self.argument(a) for a in step.args]
        if step.reports:
            args.append("error")
        note = f"  # {step.node.location}" if step.node is not None and str(
            step.node.location) else ""
        if step.kernel is not None:
            call = f"fork_{step.function}(pool, {step.tasks or 1}, {', '.join(args)}, {step.total})"
        elif step.tasks is not None:
            call = f"fork_{step.function}(pool, {step.tasks}, {', '.join(args)})"
        else:
            call = f"{step.function}({', '.join(args)})"
        yield f"{pad}{call}{note}"
        if step.reports:
            yield f"{pad}if error[0] != 0:"
            yield f"{pad}    error[1] = {self.node_index(step)}"
            yield f"{pad}    return error[0]"


def print_driver(actions: Sequence[Action], plan: Plan, dims: Sequence[str],
                 place: Callable[[Memory], str | None],
                 node_index: Callable[[Step], int]) -> str:
    """The source of ``ej_program``."""
    printer = Printer(plan, place, node_index)
    body = list(printer.lines(actions, "    "))
    lines = [f"def ej_program({', '.join(n for n, _ in PARAMETERS)}):"]
    lines += [f"    {name} = dims[{k}]" for k, name in enumerate(dims)]
    start = "0"
    for k in range(1, len(plan.units)):
        previous = Index.of(plan.lengths[k - 1]) * plan.units[k - 1]
        start = f"region{k - 1} + {previous}" if k > 1 else str(previous)
        lines.append(f"    region{k} = {start}")
    lines += [f"    {a}" for a in printer.addresses]
    return "\n".join([*lines, *body, "    return 0"]) + "\n"
