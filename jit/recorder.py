"""The recorder: turns what passes the engine's choke point into nodes of a graph.

Nothing is computed.  A traced tensor has a type and stands for a value of the graph; every
read of its data by Python is an error that says where and what to write instead.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import walk_tb
from typing import Any

import numpy as np

from eager.engine.mode import MODE
from eager.engine.tape import Storage
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError, TraceError
from eager.ops.op import Op
from eager.ops.table import TABLE
from eager.ops.types import NATIVE, DType, Type, scalar_dtype
from jit.grads import Grads
from jit.graph import Const, Input, Location, Node, Value
from jit.passes.splitting import has_rule
from jit.strides import is_row_major, reshaped, strides_of
from jit.typed import TypedTensor

PACKAGES = tuple(str(Path(__file__).resolve().parent.parent / name) + "/"
                  for name in ("eager", "jit"))
STDLIB = sysconfig.get_path("stdlib") + "/"
_NUMPY = str(Path(np.__file__).parent) + "/"

_REWRITES = {
    "bool": "a branch on data is jit.cond(predicate, if_true, if_false), or eager.where",
    "item": "keep it a tensor (0-d tensors do arithmetic), or return it from the program",
    "int": "keep it a tensor, or pass the number as an argument of its own",
    "float": "keep it a tensor (0-d tensors do arithmetic), or return it from the program",
    "numpy": "use eager's functions instead of NumPy's, or do this outside of the trace",
    "tolist": "return the tensor and call tolist() on the result",
    "nonzero": "how many elements are meant depends on the data: x[mask] += y is "
               "x.copy_(eager.where(mask, x + y, x)), and a mean over a mask is a sum over "
               "eager.where divided by mask.sum()",
    "len": "the size is dynamic: use x.shape[0], which stays symbolic; a loop over the rows is "
           "jit.map or jit.scan",
}


_APART = "do it outside of the traced function, or by eager.real and eager.imag"


class TracedTensor(TypedTensor):
    """A tensor inside a trace: a type, and a value of the graph being recorded."""

    __slots__ = ("recorder",)

    recorder: Recorder

    @property
    def _array(self) -> Any:  # type: ignore[override]
        raise TraceError(f"{self.recorder.location()}: the data of {self!r} were asked for, and a "
                         f"traced tensor has none: it lives only while its function is traced, "
                         f"and must not be kept after it")

    def stride(self, dim: int | None = None) -> Any:
        steps = strides_of(self)
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return is_row_major(self)

    def __repr__(self) -> str:
        return f"tensor(traced, {self._type})"


def traced(kind: Type, recorder: Recorder) -> TracedTensor:
    """A new handle."""
    t = TracedTensor.of(kind)
    t.recorder = recorder
    return t


@dataclass(frozen=True)
class Finding:
    """Something a reader of the trace should know: ``kind`` is its section of the report."""

    kind: str
    text: str


@dataclass
class _Saved:
    """A real tensor as the trace found it."""

    tensor: Tensor
    grad: Any
    node: Any
    needs: bool
    view: Any
    seen: int  #: the write up to which the view had followed
    storage: Any

    @classmethod
    def of(cls, t: Tensor) -> _Saved:
        return cls(t, t.grad, t._node, t._needs, t._view,
                   0 if t._view is None else t._view.version, t._storage)

    def restore(self) -> None:
        t = self.tensor
        t.grad, t._node, t._needs, t._view = self.grad, self.node, self.needs, self.view
        t._storage = self.storage
        if self.view is not None:
            self.view.version = self.seen


@dataclass(frozen=True)
class Outer:
    """A handle from outside, as a region found it."""

    handle: Tensor
    inner: Value  #: in the region
    value: Value  #: outside
    node: Any
    needs: bool


@dataclass(eq=False)
class Recorder:
    """Records one graph, or one region of it (then ``parent`` is the recorder outside)."""

    names: Mapping[int, tuple[str, str]]  #: id of a state tensor -> (role, name)
    parent: Recorder | None = None
    nodes: list[Node] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)  #: id of a handle -> its value
    handles: dict[int, Tensor] = field(default_factory=dict)  #: keeps ids alive
    state: dict[int, tuple[Input, Tensor]] = field(default_factory=dict)
    outer: dict[int, Outer] = field(default_factory=dict)  #: of a region: what came in
    inputs: dict[Value, Input] = field(default_factory=dict)  #: by the value outside
    fresh: dict[int, Tensor] = field(default_factory=dict)  #: made of arrays inside the trace
    written: set[int] = field(default_factory=set)  #: ids of the handles written in place
    findings: list[Finding] = field(default_factory=list)
    saved: dict[int, _Saved] = field(default_factory=dict)
    storages: dict[int, tuple[Storage, int]] = field(default_factory=dict)  #: and their versions
    numbers: list[bool | int | float] = field(default_factory=list)  #: that Python gave, in order
    looked: list[tuple[Tensor, str]] = field(default_factory=list)  #: into, by Python; and where
    refused: TraceError | None = None  #: a read that was refused, though the function went on

    # --- the protocol of the engine ------------------------------------------------------------
    def apply(self, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
        """Type one op and record it."""
        beside = next((a.dtype for a in args[op.promote == "where":] if isinstance(a, Tensor)),
                      None)
        values = tuple(self.value_of(a, beside) for a in args)
        attrs = dict(attrs)
        try:
            kind = op.result_type([v.type for v in values], attrs)
        except OpError as error:
            raise OpError(f"{error} (at {self.location()})") from None
        if op.not_compiled:
            raise TraceError(f"{self.location()}: {op.name} cannot be traced: {op.not_compiled}")
        for type in (kind, *(v.type for v in values)):
            if isinstance(type, Type):
                self._refuse_dtype(op, type.dtype)
        return self.emit(Node(op, values, attrs, kind, location=self.location()))

    def _refuse_dtype(self, op: Op, dtype: DType) -> None:
        """Raise TraceError where no kernel computes an op in a dtype."""
        if dtype.name in NATIVE or (dtype.kind == "c" and has_rule(op)):
            return
        words = (f"its row says nothing of real and imaginary parts; {_APART}"
                 if dtype.kind == "c" else
                 f"kernels compute in {', '.join(d.public for d in NATIVE.values())}; convert with "
                 f"to()")
        raise TraceError(f"{self.location()}: {op.name} of {dtype.public} cannot be traced: "
                         f"{words}")

    def write(self, target: Tensor, value: Tensor) -> None:
        """``target`` stands for another value from now on."""
        self.value_of(target)
        self.values[id(target)] = self.value_of(value)
        self.root.written.add(id(target))

    def read(self, tensor: Tensor, how: str) -> Any:
        """Data asked for by Python: refused, but for constants that no trace knows."""
        if self.knows(tensor):
            kind = tensor.spec
            rewrite = _REWRITES.get(how, "keep it a tensor")
            self.root.refused = TraceError(
                f"{self.location()}: {how}() of a traced tensor {kind} would bake one value into "
                f"the program; {rewrite}")
            raise self.root.refused
        if id(tensor) not in self.root.fresh:
            self.root.looked.append((tensor, f"{self.location()}"))
        return tensor._array

    def made(self, tensor: Tensor) -> None:
        """A tensor that Python makes of an array inside the trace is a constant."""
        self.root.fresh[id(tensor)] = tensor

    def size(self, size: Any) -> Tensor:
        """A symbolic size as a 0-d tensor of the program's."""
        return self.apply(TABLE["dim"], (), {"value": size})

    def aliases(self, op: Op, source: Tensor, result: Tensor) -> bool:
        """Whether a view is one: a reshape that has to move elements is a copy."""
        return op.name != "reshape" or reshaped(
            source.shape, strides_of(source), result.shape) is not None

    # --- handles -------------------------------------------------------------------------------
    @property
    def root(self) -> Recorder:
        return self if self.parent is None else self.parent.root

    def emit(self, node: Node) -> TracedTensor:
        """A node and the handle that stands for it."""
        self.nodes.append(node)
        return self.handle(node)

    def handle(self, value: Value) -> TracedTensor:
        t = traced(value.type, self)
        self.bind(t, value)
        return t

    def current(self, t: Tensor) -> Value:
        """The value of a tensor that leaves the function; a view first follows its source."""
        if t._view is not None:
            t._view.refresh(t)
        return self.value_of(t)

    def bind(self, t: Tensor, value: Value) -> None:
        self.values[id(t)] = value
        self.handles[id(t)] = t

    def note(self, kind: str, text: str) -> None:
        """Add to what the report says."""
        self.root.findings.append(Finding(kind, text))

    def knows(self, t: Tensor) -> bool:
        """Whether a tensor belongs to the trace: a handle, state, or written in it."""
        if id(t) in self.root.fresh:
            return id(t) in self.root.written
        if isinstance(t, TracedTensor) or id(t) in self.names or id(t) in self.values:
            return True
        return self.parent is not None and self.parent.knows(t)

    def value_of(self, a: Any, beside: DType | None = None) -> Value:
        """The value that an operand stands for; a number has the dtype of the tensor beside it."""
        if not isinstance(a, Tensor):
            self.root.numbers.append(a)
            return Const(np.asarray(a, (beside or scalar_dtype(a)).numpy))
        found = self.values.get(id(a))
        if found is not None:
            return found
        if self.parent is not None:
            return self._capture(a, self.parent.value_of(a))
        if isinstance(a, TracedTensor):
            raise TraceError(f"{self.location()}: {a!r} was made in another trace, or in a branch "
                             f"of cond, and kept; return it from there")
        return self._adopt(a)

    def _capture(self, a: Tensor, value: Value) -> Value:
        """A value of the graph outside becomes an input of the region; a number stays one."""
        inner: Value = value
        if not (isinstance(value, Const) and value.array.ndim == 0):
            inner = self.inputs.setdefault(value, Input(f"operand{len(self.inputs)}", value.type))
        self.outer[id(a)] = Outer(a, inner, value, a._node, a._needs)
        self.bind(a, inner)
        return inner

    def _adopt(self, t: Tensor) -> Value:
        """A real tensor becomes a constant (if it was made in the trace), a view of the tensor
        that it looks into, or an input: state by its name, or a captured tensor.
        """
        self.remember(t)
        value = (self._constant(t) if id(t) in self.fresh else
                 self._view(t) if t._view is not None else self._input(t))
        self.bind(t, value)
        return value

    def _constant(self, t: Tensor) -> Const:
        self.note("captured", f"a constant {t.spec} made in the trace, first used at "
                              f"{self.location()}")
        return Const(np.array(t._array, order="C"))

    def _view(self, t: Tensor) -> Node:
        view = t._view
        assert view is not None
        node = Node(view.op, (self.value_of(view.parent),), dict(view.attrs), t.spec,
                    location=self.location())
        self.nodes.append(node)
        return node

    def _input(self, t: Tensor) -> Input:
        role, name = self.names.get(id(t), ("", ""))
        if not role:
            role, name = "buffer", f"captured.{len(self.state)}"
            self.note("captured", f"{name}: a tensor {t.spec} from outside the arguments, first "
                                  f"used at {self.location()}; the program reads the live tensor")
        made = Input(name, t.spec, role)
        self.state[id(t)] = (made, t)
        return made

    def remember(self, t: Tensor) -> None:
        """Keep how a real tensor was found."""
        if not isinstance(t, TracedTensor):
            self.root.saved.setdefault(id(t), _Saved.of(t))
            if t._storage is not None:
                self.root.storages.setdefault(id(t._storage), (t._storage, t._version))

    def leave_grads(self) -> Grads:
        """What became of the gradients that were found.  One that was added to is a write to it."""
        kept, cleared, lost = [], [], []
        for s in list(self.saved.values()):
            now, name = s.tensor.grad, self.names.get(id(s.tensor), ("", "a tensor"))[1]
            if s.node is None and s.tensor._node is None and s.tensor._needs is not s.needs:
                self.note("side effect", f"the function sets requires_grad of {name}; the program "
                                         f"does not")
            held = s.grad is not None and id(s.grad) in self.state
            if held:
                kept.append((s.tensor, s.grad))
                self.note("guard", f"{name} has a .grad, which the program reads or adds to")
            if now is s.grad:
                continue
            if now is None:
                cleared.append(s.tensor)
            elif held:
                self.write(s.grad, now)
            else:
                lost.append(s.tensor)
                self.note("side effect", f"the function leaves a gradient in .grad of {name}; the "
                                         f"program does not keep it")
        return Grads(tuple(kept), (), tuple(cleared), tuple(lost))

    def replaced(self, before: Any, after: Any) -> bool:
        """Whether a name was bound to a traced tensor in place of a real one like it: from then on
        that is a write, and the program keeps it from call to call.
        """
        if not (isinstance(after, TracedTensor) and isinstance(before, Tensor)) or (
                isinstance(before, TracedTensor) or before._needs or before.spec != after.spec):
            return False
        self.write(before, after)
        return True

    def holds_data(self, handle: Tensor) -> bool:
        """Whether a value follows from arguments, state or random draws, not from numbers alone."""
        waiting, seen = [self.values.get(id(handle))], set()
        while waiting:
            value = waiting.pop()
            if value is None or isinstance(value, Input):
                return True
            if isinstance(value, Node) and value not in seen:
                seen.add(value)
                waiting += value.args
        return False

    def restore(self) -> None:
        """Leave every real tensor as it was found."""
        for s in self.saved.values():
            s.restore()
        for storage, version in self.storages.values():
            storage.version = version

    # --- places --------------------------------------------------------------------------------
    def location(self) -> Location:
        """The innermost frame that is the user's, and the module path there."""
        return location_here()


def location_here() -> Location:
    """The innermost frame that is the user's, and the module path there."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (is_passed_over(frame.f_code.co_filename)
                                        or frame.f_code.co_filename.startswith(_NUMPY)):
        frame = frame.f_back
    code = frame.f_code
    return Location(Path(code.co_filename).name, frame.f_lineno, code.co_name, MODE.get().scope)


@contextmanager
def located() -> Iterator[None]:
    """A block of a user's: a refusal that comes out of it names a line."""
    try:
        yield
    except TraceError as error:
        if ".py:" in str(error):
            raise
        places = [f"{Path(f.f_code.co_filename).name}:{line} {f.f_code.co_name}"
                  for f, line in walk_tb(error.__traceback__)
                  if not is_passed_over(f.f_code.co_filename)]
        raise TraceError(": ".join([*places[-1:], str(error)])) from None


def is_passed_over(file: str) -> bool:
    """Whether code of a file is this package's or the standard library's, and no user's."""
    return file.startswith(PACKAGES) or (file.startswith(STDLIB) and "-packages" not in file)


def recorder_here() -> Recorder | None:
    """The recorder of the current context, if a trace is going on."""
    found = MODE.get().recorder
    return found if isinstance(found, Recorder) else None


Function = Callable[..., Any]
