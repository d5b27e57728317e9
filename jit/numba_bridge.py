"""From the Python source of a kernel to portable scalar LLVM IR: the one module that knows Numba.

Numba types and lowers a function once for all CPU levels: without its runtime, its wrappers and
its optimiser.  The text that comes out holds ``define hidden <ret> @name(args)`` of the C ABI,
over an internal body, and calls of declared symbols.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import functools
import linecache
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import codegen, compiler, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from eager.ops.errors import CompileError
from eager.ops.types import NATIVE
from jit.kernels.instructions import instruction
from jit.kernels.loops import LOOPS
from jit.kernels.straight import LLVM, abi

_SCALARS = {
    "void": types.none, "bool": types.boolean, "u8": types.uint8, "i8": types.int8,
    "i16": types.int16, "i32": types.int32, "i64": types.int64, "u32": types.uint32,
    "u64": types.uint64, "f32": types.float32, "f64": types.float64,
    "ptr": types.CPointer(types.uint8),
}


@dataclass(frozen=True)
class Extern:
    """A function of another object: type names of its result and arguments."""

    returns: str
    operands: tuple[str, ...]


@functools.cache
def numba_type(name: str) -> Any:
    """``f32`` a number, ``f32*`` a pointer to them, ``ptr`` an untyped address."""
    if name.endswith("*"):
        return types.CPointer(numba_type("u8" if name == "bool*" else name[:-1]))
    try:
        return _SCALARS[name]
    except KeyError:
        raise CompileError(f"no type of the native boundary is named {name!r}; there are "
                           f"{', '.join(_SCALARS)} and pointers to them") from None


# --- lowering ----------------------------------------------------------------------------------
#: No wrappers, no runtime, no checks; division as IEEE has it; no fast-math, so NaN, infinities
#: and signed zeros stay what they are.
_FLAGS = {"no_compile": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "nrt": False,
          "boundscheck": False, "enable_pyobject": False, "force_pyobject": False,
          "release_gil": False, "error_model": "numpy", "fastmath": False}


class _Library(codegen.AOTCodeLibrary):
    """Numba's library without its optimiser: LLVM optimises later, once a level."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass


class _Codegen(codegen.AOTCPUCodegen):
    _library_class = _Library


def lower(source: str, name: str, signature: Sequence[str], *, returns: str = "void",
          noalias: bool = True, externs: Mapping[str, Extern] | None = None,
          forks: Mapping[str, Sequence[str]] | None = None) -> str:
    """Portable IR of the one function ``name`` that ``source`` defines.

    ``signature`` names the parameters' types (``"f32*"``, ``"i64"``, ``"ptr"``), ``returns`` is
    ``void`` or ``i64``.  ``noalias``: no memory is reached through two of the pointers.
    ``externs`` are functions of other objects, called by their names; ``forks`` are tasks, by
    kernel, with the types of their tables: ``fork_<kernel>(pool, ntasks, *table)``.
    CompileError, with the line, where Numba cannot type or lower the source.
    """
    function = _executed(source, name, dict(externs or {}), dict(forks or {}))
    try:
        text, symbol = _compiled(function, name, signature, returns, noalias)
    except Exception as e:  # Numba raises its own errors and, inside lowering, any other
        raise _worded(e, source, name, signature) from None
    text = _tidy(text, symbol, name) + _entry(name, signature, returns)
    for symbol, body in LOOPS.items():
        if f"@{symbol}(" in text:
            text = re.sub(rf"^declare \w+ @{symbol}\(.*$", "", text, flags=re.M) + body
    check_portable(text, name)
    return text


@global_compiler_lock  # type: ignore[untyped-decorator]
def _compiled(function: Any, name: str, signature: Sequence[str], returns: str,
              noalias: bool) -> tuple[str, str]:
    """Numba's module as text, and the symbol of the function in it."""
    flags = compiler.Flags()
    for option, value in {**_FLAGS, "noalias": noalias}.items():
        setattr(flags, option, value)
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    context = cpu_target.target_context.subtarget(_internal_codegen=_Codegen("m"), aot_mode=True)
    result = compiler.compile_extra(
        cpu_target.typing_context, context, function, tuple(map(numba_type, signature)),
        numba_type(returns), flags, {})
    result.library._ensure_finalized()
    return str(result.library._final_module), result.fndesc.llvm_func_name


def _worded(e: Exception, source: str, name: str, signature: Sequence[str]) -> CompileError:
    """Numba's first sentence, and the source with the line that it means."""
    places = re.findall(r'File "<kernel [^"]*", line (\d+)|at <kernel [^>]*> \((\d+)\)', str(e))
    line = getattr(getattr(e, "loc", None), "line", None)
    if places:
        line = int(places[-1][0] or places[-1][1])
    lines = source.splitlines()
    marked = "\n".join(("-> " if k == line else "   ") + text
                       for k, text in enumerate(lines, 1))
    words = re.sub(r"\x1b\[[0-9;]*m", "", str(e)).strip().splitlines()
    why = next((w.strip() for w in words if w.strip() and "nopython" not in w), "no reason given")
    return CompileError(f"kernel {name}({', '.join(signature)}) does not compile: {why}\n{marked}")


# --- text --------------------------------------------------------------------------------------
def _tidy(text: str, symbol: str, name: str) -> str:
    """The function under its own name and nothing of Numba's beside it.

    Mangled names count the functions of a process; no text of ours may depend on that.  Numba
    says that pointers are not captured, which the tables of tasks belie.
    """
    text = text.replace(" captures(none)", "")
    text = re.sub(rf'@"?{re.escape(symbol)}"?(?=\()', f"@{name}.body", text)
    text = re.sub(rf"^define (?=.*@{re.escape(name)}\.body\()", "define internal ", text,
                  flags=re.M)
    text = re.sub(r'^@"?_ZN08NumbaEnv.*$\n?', "", text, flags=re.M)
    text = re.sub(r"^(; ModuleID|source_filename|target ).*$\n?", "", text, flags=re.M)
    return text.lstrip("\n")


def _entry(name: str, signature: Sequence[str], returns: str) -> str:
    """The C function over Numba's convention: a status, results through a pointer."""
    parameters = ", ".join(f"{abi(t)} %a{k}" for k, t in enumerate(signature))
    result = abi(returns)
    slot = "ptr" if returns == "void" else result
    end = (" ret void" if returns == "void" else
           f" %value = load {result}, ptr %result\n ret {result} %value")
    return f"""
define hidden {result} @{name}({parameters}) {{
 %result = alloca {slot}
 %excinfo = alloca ptr
 %status = call i32 @{name}.body({", ".join(filter(None, ["ptr %result", "ptr %excinfo",
                                                          parameters]))})
{end}
}}
"""


_FORBIDDEN = (
    (r"<\d+ x ", "a vector type"), (r"llvm\.x86", "an intrinsic of one CPU"),
    (r"@NRT_", "Numba's runtime"), (r"@Py[A-Z_]", "Python's API"),
    (r"@_?numba_", "Numba's runtime"), (r"^define linkonce", "a copy of a library function"),
    (r"@fmaf?\(", "a call of libm"), (r"@\"?_ZN08NumbaEnv", "Numba's environment"),
)


def check_portable(text: str, name: str) -> None:
    """CompileError where IR text holds what not every level has."""
    for pattern, what in _FORBIDDEN:
        found = re.search(pattern, text, re.M)
        if found:
            line = text[text.rfind("\n", 0, found.start()) + 1:].split("\n", 1)[0]
            raise CompileError(f"kernel {name}: portable IR must not hold {what}, got: "
                               f"{line.strip()[:200]}")


# --- tasks -------------------------------------------------------------------------------------
def task_wrapper(name: str, arguments: Sequence[str], granule: int) -> str:
    """IR of ``void @name.task(ptr table, i64 task, i64 ntasks)`` over ``@name(args..., lo, hi)``.

    The table holds the arguments, 8 bytes each, then the total; a task's range ``[lo, hi)`` is
    its near-equal share of the total, in multiples of ``granule``.
    """
    total = len(arguments)
    return f"""
define hidden void @{name}.task(ptr %table, i64 %task, i64 %ntasks) {{
{_loads((*arguments, "i64"))}
 %padded = add i64 %v{total}, {granule - 1}
 %units = sdiv i64 %padded, {granule}
 %before = mul i64 %units, %task
 %first = sdiv i64 %before, %ntasks
 %lo = mul i64 %first, {granule}
 %next = add i64 %task, 1
 %through = mul i64 %units, %next
 %last = sdiv i64 %through, %ntasks
 %end = mul i64 %last, {granule}
 %inside = icmp slt i64 %end, %v{total}
 %hi = select i1 %inside, i64 %end, i64 %v{total}
 call void @{name}({_values(arguments)}i64 %lo, i64 %hi)
 ret void
}}
"""


def raw_task(name: str, arguments: Sequence[str]) -> str:
    """IR of the task form of ``@name(args..., task, ntasks)``, which splits its work itself."""
    return f"""
define hidden void @{name}.task(ptr %table, i64 %task, i64 %ntasks) {{
{_loads(arguments)}
 call void @{name}({_values(arguments)}i64 %task, i64 %ntasks)
 ret void
}}
"""


def _loads(arguments: Sequence[str]) -> str:
    return "\n".join(f" %p{k} = getelementptr inbounds i64, ptr %table, i64 {k}\n"
                     f" %v{k} = load {abi(t)}, ptr %p{k}" for k, t in enumerate(arguments))


def _values(arguments: Sequence[str]) -> str:
    return "".join(f"{abi(t)} %v{k}, " for k, t in enumerate(arguments))


# --- the namespace of kernels ------------------------------------------------------------------
def _executed(source: str, name: str, externs: dict[str, Extern],
              forks: dict[str, Sequence[str]]) -> Any:
    """The Python function of a source, in the namespace of what it names."""
    namespace: dict[str, Any] = {d.public: numba_type(d.name) for d in NATIVE.values()
                                 if d.kind != "b"}
    namespace.update(uint32=types.uint32, uint64=types.uint64, inf=float("inf"),
                     nan=float("nan"))
    for word in sorted(set(re.findall(r"\b[A-Za-z_]\w*(?=\()", source))):
        if word in namespace or word == name:
            continue
        made = _named(word, externs, forks)
        if made is not None:
            namespace[word] = made
    filename = f"<kernel {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    try:
        exec(compile(source, filename, "exec"), namespace)
    except SyntaxError as e:
        raise CompileError(f"kernel {name} is no Python: {e}\n{source}") from None
    if name not in namespace:
        raise CompileError(f"the source defines no function {name}:\n{source}")
    return namespace[name]


def _named(word: str, externs: dict[str, Extern], forks: dict[str, Sequence[str]]) -> Any:
    """The intrinsic of a name that a kernel calls; None for Python's own."""
    if word in externs:
        return _call(word, externs[word].returns, tuple(externs[word].operands))
    if word.startswith("fork_") and word.removeprefix("fork_") in forks:
        kernel = word.removeprefix("fork_")
        return _fork(kernel, tuple(forks[kernel]))
    return _builtin(word)


@functools.cache
def _builtin(word: str) -> Any:
    found = instruction(word)
    if found is not None:
        return _intrinsic(word, found.result, found.operands,
                          lambda b, a, _: found.emit(b, list(a)))
    if word in _FIXED:
        return _FIXED[word]()
    stem, _, suffix = word.partition("_")
    if stem in ("lanes", "stack"):
        kind, _, count = suffix.partition("_")
        if (kind in NATIVE or kind in ("u32", "u64")) and count.isdigit():
            return _stack(word, kind, int(count))
    elif stem in _POINTERS and suffix in LLVM and suffix != "void":
        return _POINTERS[stem](word, suffix)
    return None


def _intrinsic(name: str, returns: str, operands: Sequence[str], emit: Any) -> Any:
    """A Numba intrinsic: ``emit(builder, values, result type)`` gives an IR value or None."""
    signature = numba_type(returns)(*map(numba_type, operands))

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        made = emit(builder, values, context.get_value_type(signature.return_type))
        return context.get_dummy_value() if returns == "void" else made

    parameters = ", ".join(f"a{k}" for k in range(len(operands)))
    namespace: dict[str, Any] = {"signature": signature, "generate": generate}
    exec(f"def {name}(context, {parameters}):\n    return signature, generate", namespace)
    function = namespace[name]
    function.__module__ = __name__
    return intrinsic(function)


# Pointers cross calls of symbols as bytes' addresses: a symbol has one IR type in a module.
_BYTES = ir.IntType(8).as_pointer()
_IR = {"i8": ir.IntType(8), "i16": ir.IntType(16), "i32": ir.IntType(32), "i64": ir.IntType(64),
       "float": ir.FloatType(), "double": ir.DoubleType(), "void": ir.VoidType(), "ptr": _BYTES}
_I64 = _IR["i64"]


def _ir(name: str) -> Any:
    return _IR[abi(name)]


def _passed(builder: Any, value: Any, name: str) -> Any:
    return builder.bitcast(value, _BYTES) if abi(name) == "ptr" else value


def _declared(builder: Any, name: str, returns: Any, operands: Sequence[Any]) -> Any:
    return builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(returns, operands), name)


def _call(name: str, returns: str, operands: tuple[str, ...]) -> Any:
    """A call of another object's symbol."""

    def emit(builder: Any, values: Any, kind: Any) -> Any:
        f = _declared(builder, name, _ir(returns), [_ir(t) for t in operands])
        made = builder.call(f, [_passed(builder, v, t) for v, t in zip(values, operands)])
        return builder.bitcast(made, kind) if abi(returns) == "ptr" else made
    return _intrinsic(name, returns, operands, emit)


def _call_pointer(name: str, operands: tuple[str, ...]) -> Any:
    """A call through the pointer that comes first."""

    def emit(builder: Any, values: Any, _: Any) -> None:
        kind = ir.FunctionType(ir.VoidType(), [_ir(t) for t in operands])
        builder.call(builder.bitcast(values[0], kind.as_pointer()),
                     [_passed(builder, v, t) for v, t in zip(values[1:], operands)])
    return _intrinsic(name, "void", ("ptr", *operands), emit)


def _fork(kernel: str, table: tuple[str, ...]) -> Any:
    """``fork_kernel(pool, ntasks, *table)``: the arguments into a table on the stack, then tasks.

    ``void ej_parallel_for(ptr pool, ptr task, ptr table, i64 ntasks)`` returns when all are done.
    """

    def emit(builder: Any, values: Any, _: Any) -> None:
        pool, ntasks, *arguments = values
        with builder.goto_entry_block():
            slots = builder.alloca(ir.ArrayType(_I64, max(1, len(table))))
        for k, (v, t) in enumerate(zip(arguments, table)):
            slot = builder.gep(slots, [_IR["i32"](0), _IR["i32"](k)])
            builder.store(_passed(builder, v, t), builder.bitcast(slot, _ir(t).as_pointer()))
        task = _declared(builder, f"{kernel}.task", ir.VoidType(), [_BYTES, _I64, _I64])
        run = _declared(builder, "ej_parallel_for", ir.VoidType(),
                        [_BYTES, _BYTES, _BYTES, _I64])
        builder.call(run, [builder.bitcast(pool, _BYTES), builder.bitcast(task, _BYTES),
                           builder.bitcast(slots, _BYTES), ntasks])
    return _intrinsic(f"fork_{kernel}", "void", ("ptr", "i64", *table), emit)


def _constant(name: str) -> Any:
    """A number that another object defines."""

    def emit(builder: Any, _: Any, __: Any) -> Any:
        return builder.load(_external(builder, name, _I64))
    return _intrinsic(name, "i64", (), emit)


def _table(name: str, element: str) -> Any:
    """An entry of a constant table that another object defines."""

    def emit(builder: Any, values: Any, kind: Any) -> Any:
        table = _external(builder, name, ir.ArrayType(_ir(element), 64))
        made = builder.load(builder.gep(table, [_I64(0), values[0]]))
        return builder.bitcast(made, kind) if element == "ptr" else made
    return _intrinsic(name, element, ("i64",), emit)


def _external(builder: Any, name: str, kind: Any) -> Any:
    found = builder.module.globals.get(name)
    if found is None:
        found = ir.GlobalVariable(builder.module, kind, name)
        found.global_constant = True
    return found


def _stack(word: str, kind: str, count: int) -> Any:
    """An array on the stack, of one function call; costs nothing in a loop."""
    element = "u8" if kind == "bool" else kind

    def emit(builder: Any, _: Any, result: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(_ir(element), count))
            room.align = 64
        return builder.bitcast(room, result)
    return _intrinsic(word, f"{element}*", (), emit)


#: ``at_f32(p, n)``: ``n`` elements on; ``view_f32(address, bytes)``; ``null_f32()``;
#: ``nonnull_f32(p)``.
_POINTERS = {
    "at": lambda word, t: _intrinsic(
        word, f"{t}*", (f"{t}*", "i64"),
        lambda b, a, _: b.gep(a[0], [a[1]], inbounds=True)),
    "view": lambda word, t: _intrinsic(
        word, f"{t}*", ("ptr", "i64"),
        lambda b, a, kind: b.bitcast(b.gep(a[0], [a[1]], inbounds=True), kind)),
    "null": lambda word, t: _intrinsic(
        word, f"{t}*", (), lambda b, a, kind: ir.Constant(kind, None)),
    "nonnull": lambda word, t: _intrinsic(
        word, "bool", (f"{t}*",),
        lambda b, a, _: b.icmp_unsigned("!=", a[0], ir.Constant(a[0].type, None))),
}

#: Arguments of a microkernel after its address; see `jit.targets.microkernels`.
MICRO = ("f32*", "i64", "f32*", "i64", "i64", "f32*", "i64", "f32*", "i64", "f32")

# Numba's own min and max arrive as optimised copies of a library function.
_FIXED = {
    "imin": lambda: _intrinsic("imin", "i64", ("i64", "i64"), lambda b, a, _: b.select(
        b.icmp_signed("<", a[0], a[1]), a[0], a[1])),
    "imax": lambda: _intrinsic("imax", "i64", ("i64", "i64"), lambda b, a, _: b.select(
        b.icmp_signed(">", a[0], a[1]), a[0], a[1])),
    "isa_MR": lambda: _constant("isa_MR"),
    "isa_np": lambda: _table("isa_np", "i64"),
    "isa_tab": lambda: _table("isa_tab", "ptr"),
    "micro": lambda: _call_pointer("micro", MICRO),
}
