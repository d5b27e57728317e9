"""Drivers as IR text.  They are long, and of few forms: Numba would take seconds for some.

A driver is Python text (`jit.kernels.driver`): addresses, calls, loops over a size, branches on
one number.  What a user's own text has beside that is no driver of ours: Numba lowers it.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

#: How the types of the native boundary are written in IR; pointers are ``ptr``.
LLVM = {"void": "void", "u8": "i8", "i8": "i8", "i16": "i16", "i32": "i32", "i64": "i64",
        "u32": "i32", "u64": "i64", "f32": "float", "f64": "double"}


def abi(name: str) -> str:
    """How a type is written in IR text."""
    return "ptr" if name == "ptr" or name.endswith("*") else LLVM[name]


class NotStraight(Exception):
    """The text has a form that drivers do not have."""


class _Value(NamedTuple):
    """An operand as it is written, and its type's name."""

    text: str
    type: str


def lower(source: str, signature: Sequence[tuple[str, str]],
          externs: Mapping[str, tuple[str, tuple[str, ...]]],
          forks: Mapping[str, tuple[str, ...]]) -> str:
    """IR of the one function that ``source`` defines, which gives an i64.

    ``signature`` has names and types of its parameters, ``externs`` results and operands of
    functions, ``forks`` the tables of tasks.  NotStraight where it must be Numba's.
    """
    (function,) = ast.parse(source).body
    if not isinstance(function, ast.FunctionDef):
        raise NotStraight
    return _Lowering(externs, forks).function(function, signature)


class _Lowering:
    """Writes one function; ``names`` are the values that its variables have."""

    def __init__(self, externs: Mapping[str, tuple[str, tuple[str, ...]]],
                 forks: Mapping[str, tuple[str, ...]]) -> None:
        self.externs, self.forks = externs, forks
        self.names: dict[str, _Value] = {}
        self.room: list[str] = []  #: what the entry block allocates
        self.lines: list[str] = []
        self.declared: dict[str, str] = {}
        self.ends: list[str] = []  #: labels behind the loops round this place
        self.count = 0

    def function(self, f: ast.FunctionDef, signature: Sequence[tuple[str, str]]) -> str:
        self.names = {name: _Value(f"%{name}", kind) for name, kind in signature}
        if [a.arg for a in f.args.args] != list(self.names):
            raise NotStraight
        self.body(f.body)
        parameters = ", ".join(f"{abi(kind)} %{name}" for name, kind in signature)
        return "\n".join([*self.declared.values(),
                          f"define hidden i64 @{f.name}({parameters}) {{", "entry:", *self.room,
                          " br label %start", "start:", *self.lines, " unreachable", "}", ""])

    # --- writing -------------------------------------------------------------------------------
    def fresh(self, stem: str = "v") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def emit(self, text: str, kind: str) -> _Value:
        name = f"%{self.fresh()}"
        self.lines.append(f" {name} = {text}")
        return _Value(name, kind)

    def label(self, name: str) -> None:
        """Start a block, where the one before may end without a jump."""
        self.lines += [f" br label %{name}", f"{name}:"]

    def leave(self, text: str) -> None:
        """End a block; what is written behind it is never run."""
        self.lines += [f" {text}", f"{self.fresh('after')}:"]

    def declare(self, name: str, returns: str, operands: Sequence[str]) -> None:
        self.declared[name] = f"declare {abi(returns)} @{name}({', '.join(map(abi, operands))})"

    # --- statements ----------------------------------------------------------------------------
    def body(self, statements: Sequence[ast.stmt]) -> None:
        for s in statements:
            match s:
                case ast.Assign([ast.Name(name)], value):
                    if name in self.names:
                        raise NotStraight
                    self.names[name] = self.value(value)
                case ast.Assign([ast.Subscript(to, at)], value):
                    place, found = self.element(to, at), self.value(value)
                    if place.type != found.type:
                        raise NotStraight
                    self.lines.append(f" store {abi(found.type)} {found.text}, ptr {place.text}")
                case ast.Expr(ast.Call() as call):
                    self.call(call)
                case ast.If(test, yes, no):
                    self.branch(test, yes, no)
                case ast.For(ast.Name(name), ast.Call(ast.Name("range"), [stop]), inside, []):
                    self.loop(name, stop, inside)
                case ast.While(ast.Constant(True), inside, []):
                    self.loop("", None, inside)
                case ast.Break() if self.ends:
                    self.leave(f"br label %{self.ends[-1]}")
                case ast.Return(value) if value is not None:
                    self.leave(f"ret i64 {self.whole(value).text}")
                case ast.Pass():
                    pass
                case _:
                    raise NotStraight

    def branch(self, test: ast.expr, yes: Sequence[ast.stmt], no: Sequence[ast.stmt]) -> None:
        relations = {ast.NotEq: "ne", ast.Eq: "eq"}
        if not (isinstance(test, ast.Compare) and len(test.ops) == 1
                and type(test.ops[0]) in relations):
            raise NotStraight
        left, right = self.value(test.left), self.value(test.comparators[0])
        holds = self.emit(f"icmp {relations[type(test.ops[0])]} {abi(left.type)} {left.text}, "
                          f"{right.text}", "bool")
        then, other, end = (self.fresh(stem) for stem in ("then", "else", "end"))
        self.lines += [f" br i1 {holds.text}, label %{then}, label %{other}", f"{then}:"]
        known = dict(self.names)
        self.body(yes)
        self.lines += [f" br label %{end}", f"{other}:"]
        self.names = dict(known)
        self.body(no)
        self.label(end)
        self.names = known

    def loop(self, name: str, stop: ast.expr | None, inside: Sequence[ast.stmt]) -> None:
        """``for name in range(stop)``, or without an end."""
        top, into, end, slot = (self.fresh(stem) for stem in ("top", "into", "end", "slot"))
        self.room.append(f" %{slot} = alloca i64")
        limit = None if stop is None else self.whole(stop)
        self.lines.append(f" store i64 0, ptr %{slot}")
        self.label(top)
        at = self.emit(f"load i64, ptr %{slot}", "i64")
        if limit is not None:
            more = self.emit(f"icmp slt i64 {at.text}, {limit.text}", "bool")
            self.lines += [f" br i1 {more.text}, label %{into}, label %{end}", f"{into}:"]
        known = dict(self.names)
        if name:
            self.names[name] = at
        self.ends.append(end)
        self.body(inside)
        self.ends.pop()
        self.names = known
        following = self.emit(f"add i64 {at.text}, 1", "i64")
        self.lines += [f" store i64 {following.text}, ptr %{slot}", f" br label %{top}", f"{end}:"]

    # --- values --------------------------------------------------------------------------------
    def value(self, e: ast.expr) -> _Value:
        match e:
            case ast.Name(name) if name in self.names:
                return self.names[name]
            case ast.Constant(int(number)) if type(number) is int:
                return _Value(str(number), "i64")
            case ast.UnaryOp(ast.USub(), operand):
                found = self.whole(operand)
                return self.emit(f"sub i64 0, {found.text}", "i64")
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                a, b = self.whole(left), self.whole(right)
                return _ARITHMETIC[type(op)](self, a.text, b.text)
            case ast.Subscript(of, at):
                place = self.element(of, at)
                return self.emit(f"load {abi(place.type)}, ptr {place.text}", place.type)
            case ast.Call():
                return self.call(e)
        raise NotStraight

    def whole(self, e: ast.expr) -> _Value:
        """A value that is an integer."""
        found = self.value(e)
        if found.type != "i64":
            raise NotStraight
        return found

    def element(self, of: ast.expr, at: ast.expr) -> _Value:
        """The address of an element, under the type of what lies there."""
        base, index = self.value(of), self.whole(at)
        if not base.type.endswith("*"):
            raise NotStraight
        kind = base.type[:-1]
        return self.emit(f"getelementptr inbounds {abi(kind)}, ptr {base.text}, i64 {index.text}",
                         kind)

    def call(self, e: ast.Call) -> _Value:
        if not isinstance(e.func, ast.Name):
            raise NotStraight
        name = e.func.id
        if name in ("float32", "float64"):
            return _Value(_number(name, e.args[0]), {"float32": "f32", "float64": "f64"}[name])
        args = [self.value(a) for a in e.args]
        stem, _, kind = name.partition("_")
        if name in self.externs:
            return self._extern(name, args)
        if stem == "fork" and kind in self.forks:
            return self._fork(kind, args)
        if stem == "null" and kind in LLVM:
            return _Value("null", f"{kind}*")
        if stem in ("view", "at") and kind in LLVM and len(args) == 2:
            unit = "i8" if stem == "view" else abi(kind)
            return self.emit(f"getelementptr inbounds {unit}, ptr {args[0].text}, i64 "
                             f"{args[1].text}", f"{kind}*")
        if name in ("imin", "imax") and len(args) == 2:
            relation = {"imin": "slt", "imax": "sgt"}[name]
            first = self.emit(f"icmp {relation} i64 {args[0].text}, {args[1].text}", "bool")
            return self.emit(f"select i1 {first.text}, i64 {args[0].text}, i64 {args[1].text}",
                             "i64")
        raise NotStraight

    def _passed(self, args: Sequence[_Value], operands: Sequence[str]) -> str:
        if [abi(a.type) for a in args] != [abi(t) for t in operands]:
            raise NotStraight
        return ", ".join(f"{abi(a.type)} {a.text}" for a in args)

    def _extern(self, name: str, args: Sequence[_Value]) -> _Value:
        returns, operands = self.externs[name]
        self.declare(name, returns, operands)
        text = f"call {abi(returns)} @{name}({self._passed(args, operands)})"
        if returns == "void":
            self.lines.append(f" {text}")
            return _Value("", "void")
        return self.emit(text, returns)

    def _fork(self, kernel: str, args: Sequence[_Value]) -> _Value:
        """The arguments into a table on the stack, then tasks: see `jit.numba_bridge`."""
        table, operands = f"%{self.fresh('table')}", self.forks[kernel]
        self._passed(args, ("ptr", "i64", *operands))
        self.room.append(f" {table} = alloca [{max(1, len(operands))} x i64]")
        for k, a in enumerate(args[2:]):
            place = self.emit(f"getelementptr inbounds i64, ptr {table}, i64 {k}", "i64*")
            self.lines.append(f" store {abi(a.type)} {a.text}, ptr {place.text}")
        self.declare(f"{kernel}.task", "void", ("ptr", "i64", "i64"))
        self.declare("ej_parallel_for", "void", ("ptr", "ptr", "ptr", "i64"))
        self.lines.append(f" call void @ej_parallel_for(ptr {args[0].text}, ptr @{kernel}.task, "
                          f"ptr {table}, i64 {args[1].text})")
        return _Value("", "void")


def _number(kind: str, e: ast.expr) -> str:
    """A float constant; LLVM writes a float32, too, as the bits of a float64."""
    match e:
        case ast.UnaryOp(ast.USub(), inner):
            negative, e = True, inner
        case _:
            negative = False
    match e:
        case ast.Constant(value) if type(value) in (int, float):
            number = float(cast(float, value))
        case ast.Name("inf" | "nan" as word):
            number = float(word)
        case _:
            raise NotStraight
    number = -number if negative else number
    if kind == "float32":
        (number,) = struct.unpack("f", struct.pack("f", number))
    return "0x" + struct.pack(">d", number).hex().upper()


def _simple(instruction: str) -> Callable[[_Lowering, str, str], _Value]:
    return lambda at, a, b: at.emit(f"{instruction} i64 {a}, {b}", "i64")


def _floor(at: _Lowering, a: str, b: str) -> tuple[_Value, _Value]:
    """Quotient and remainder as Python has them: rounded down."""
    quotient, rest = (at.emit(f"{i} i64 {a}, {b}", "i64") for i in ("sdiv", "srem"))
    signs = at.emit(f"xor i64 {rest.text}, {b}", "i64")
    unlike = at.emit(f"icmp slt i64 {signs.text}, 0", "bool")
    some = at.emit(f"icmp ne i64 {rest.text}, 0", "bool")
    off = at.emit(f"and i1 {unlike.text}, {some.text}", "bool")
    less = at.emit(f"sext i1 {off.text} to i64", "i64")
    more = at.emit(f"select i1 {off.text}, i64 {b}, i64 0", "i64")
    return (at.emit(f"add i64 {quotient.text}, {less.text}", "i64"),
            at.emit(f"add i64 {rest.text}, {more.text}", "i64"))


_ARITHMETIC: dict[Any, Callable[[_Lowering, str, str], _Value]] = {
    ast.Add: _simple("add"), ast.Sub: _simple("sub"), ast.Mult: _simple("mul"),
    ast.FloorDiv: lambda at, a, b: _floor(at, a, b)[0],
    ast.Mod: lambda at, a, b: _floor(at, a, b)[1],
}
