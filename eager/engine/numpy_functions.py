"""NumPy's functions of tensors: each row is NumPy's signature in terms of ours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from eager.engine.interop import as_array, dtype_named, function

#: NumPy's functions that read tensors as arrays: they write, print, compare or look at memory.
_ON_ARRAYS = {"save", "savez", "savez_compressed", "savetxt", "copyto", "array2string",
              "array_repr", "array_str", "may_share_memory", "shares_memory", "put", "putmask",
              "place", "result_type", "can_cast", "common_type", "min_scalar_type", "histogram",
              "unique", "testing"}
_NO = np._NoValue


def call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``func(*args, **kwargs)`` by our functions.  TypeError where there is none."""
    name, module = func.__name__, (func.__module__ or "numpy").removeprefix("numpy").strip(".")
    row = ROWS.get(f"{module}.{name}" if module else name)
    if row is None and name in _ON_ARRAYS:
        return func(*map(_arrays, args), **{k: _arrays(v) for k, v in kwargs.items()})
    if row is None:
        words = f"np.{module + '.' if module else ''}{name}"
        raise TypeError(f"{words} of tensors is not supported; use eager's functions, or convert "
                        f"the tensors by .numpy() first")
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{name}: out= is not supported with tensors; use t.copy_(...)")
    kwargs = {k: v for k, v in kwargs.items() if v is not _NO and k != "out"}
    return row(*args, **kwargs)


def _arrays(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(map(_arrays, value))
    return as_array(value)


def _ours(name: str, np_name: str = "") -> Callable[..., Any]:
    """Our function under NumPy's name for it, taking the same arguments by position."""
    def run(*args: Any, **kwargs: Any) -> Any:
        return function(name, f"np.{np_name or name}")(*args, **kwargs)
    return run


def _tensor(a: Any) -> Any:
    return a if hasattr(a, "_needs") else function("tensor", "np")(a)


# --- folds -------------------------------------------------------------------------------------
def _fold(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        t = _tensor(a) if dtype is None else _tensor(a).to(dtype_named(dtype))
        if axis is None:
            axis = tuple(range(t.ndim))
        if name == "prod":
            for d in sorted((d % t.ndim for d in _tuple(axis)), reverse=True):
                t = t.prod(d, keepdim=keepdims)
            return t
        return function(name, f"np.{name}")(t, axis, keepdim=keepdims)
    return run


def _tuple(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)


def _spread(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False,
            correction: Any = None) -> Any:
        t = _tensor(a) if dtype is None else _tensor(a).to(dtype_named(dtype))
        dims = tuple(range(t.ndim)) if axis is None else axis
        return function(name, f"np.{name}")(
            t, dims, correction=ddof if correction is None else correction, keepdim=keepdims)
    return run


def _position(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return function(name, f"np.{name}")(a, axis, keepdims)
    return run


def _scan(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        t = _tensor(a) if dtype is None else _tensor(a).to(dtype_named(dtype))
        return function(name, f"np.{name}")(*((t.reshape(-1), 0) if axis is None else (t, axis)))
    return run


# --- shapes ------------------------------------------------------------------------------------
def _concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Any:
    parts = [_tensor(a) for a in arrays]
    if axis is None:
        parts, axis = [p.reshape(-1) for p in parts], 0
    out = function("cat", "np.concatenate")(parts, axis)
    return out if dtype is None else out.to(dtype_named(dtype))


def _stack(arrays: Any, axis: int = 0) -> Any:
    return function("stack", "np.stack")([_tensor(a) for a in arrays], axis)


def _transpose(a: Any, axes: Any = None) -> Any:
    return a.permute(tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _reshape(a: Any, shape: Any = None, order: str = "C", newshape: Any = None) -> Any:
    if order != "C":
        raise TypeError("np.reshape of tensors has order='C'")
    shape = newshape if shape is None else shape
    return a.reshape(shape if isinstance(shape, (tuple, list)) else (shape,))


def _squeeze(a: Any, axis: Any = None) -> Any:
    return a.squeeze() if axis is None else a.squeeze(axis)


def _expand_dims(a: Any, axis: Any) -> Any:
    n = a.ndim + len(_tuple(axis))
    for d in sorted(d % n for d in _tuple(axis)):
        a = a.unsqueeze(d)
    return a


def _flip(a: Any, axis: Any = None) -> Any:
    return a.flip(tuple(range(a.ndim)) if axis is None else _tuple(axis))


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    size = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        if size % indices_or_sections:
            raise ValueError(f"array split does not result in an equal division: {size} into "
                             f"{indices_or_sections}")
        return list(ary.split(size // indices_or_sections, axis))
    ends = [0, *(min(i, size) for i in indices_or_sections), size]
    return list(ary.split([b - a for a, b in pairwise(ends)], axis))


def _broadcast_to(array: Any, shape: Any) -> Any:
    return array.expand(shape if isinstance(shape, (tuple, list)) else (shape,))


def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    rolled = function("roll", "np.roll")
    return rolled(a, shift) if axis is None else rolled(a, shift, axis)


# --- choices, products, and the like -----------------------------------------------------------
def _where(condition: Any, *choices: Any) -> Any:
    if not choices:
        return tuple(function("nonzero", "np.where")(condition, as_tuple=True))
    condition = _tensor(condition)
    x, y = (c if isinstance(c, (int, float, bool)) else _tensor(c) for c in choices)
    return function("where", "np.where")(condition, x, y)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None,
          max: Any = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    return function("clamp", "np.clip")(a, low, high)


def _dot(a: Any, b: Any) -> Any:
    a, b = _tensor(a), _tensor(b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim > 2:
        return function("tensordot", "np.dot")(a, b, ([a.ndim - 1], [b.ndim - 2]))
    return a @ b


def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    t, index = (a.reshape(-1), 0) if axis is None else (a, axis)
    at = _tensor(indices)
    picked = t.index_select(index % t.ndim, at.reshape(-1))
    shape = tuple(t.shape)
    return picked.reshape((*shape[:index % t.ndim], *at.shape, *shape[index % t.ndim + 1:]))


def _sorted(name: str, index: int) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Any:
        t, dim = (a.reshape(-1), 0) if axis is None else (a, axis)
        return function("sort", f"np.{name}")(t, dim=dim, stable=True)[index]
    return run


def _round(a: Any, decimals: int = 0) -> Any:
    return a.round() if decimals == 0 else a.round(decimals=decimals)


def _like(value: float | None) -> Callable[..., Any]:
    def run(a: Any, *fill: Any, dtype: Any = None, shape: Any = None) -> Any:
        t = a if dtype is None else a.to(dtype_named(dtype))
        size = tuple(t.shape) if shape is None else shape
        return t.new_full(size, fill_value=fill[0] if value is None else value)
    return run


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    import eager

    return eager.linalg.norm(x, ord, axis, keepdims)


def _allclose(name: str) -> Callable[..., Any]:
    def run(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
        return getattr(np, name)(as_array(a), as_array(b), rtol, atol, equal_nan)
    return run


def _linalg(name: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        import eager

        return getattr(eager.linalg, name)(*args, **kwargs)
    return run


ROWS: dict[str, Callable[..., Any]] = {
    **{n: _fold(n) for n in ("sum", "prod", "mean", "amax", "amin", "any", "all")},
    "max": _fold("amax"), "min": _fold("amin"),
    "std": _spread("std"), "var": _spread("var"),
    "argmax": _position("argmax"), "argmin": _position("argmin"),
    "cumsum": _scan("cumsum"), "cumprod": _scan("cumprod"),
    "concatenate": _concatenate, "stack": _stack, "transpose": _transpose, "reshape": _reshape,
    "ravel": lambda a: a.reshape(-1), "squeeze": _squeeze, "expand_dims": _expand_dims,
    "swapaxes": lambda a, axis1, axis2: a.transpose(axis1, axis2),
    "moveaxis": lambda a, source, destination: a.movedim(source, destination),
    "flip": _flip, "fliplr": lambda m: _flip(m, 1), "flipud": lambda m: _flip(m, 0),
    "split": _split, "broadcast_to": _broadcast_to, "roll": _roll,
    **{n: _ours(n) for n in ("vstack", "hstack", "dstack", "tril", "triu", "diag", "outer",
                             "kron", "einsum", "real", "imag", "sinc", "nan_to_num", "tile",
                             "trace", "tensordot", "inner", "isreal", "rot90", "diff")},
    "repeat": lambda a, repeats, axis=None: function("repeat_interleave", "np.repeat")(
        a, repeats, axis),
    "where": _where, "clip": _clip, "dot": _dot, "take": _take, "vdot": _dot,
    "take_along_axis": lambda arr, indices, axis=-1: arr.gather(axis % arr.ndim, indices),
    "nonzero": lambda a: tuple(function("nonzero", "np.nonzero")(a, as_tuple=True)),
    "sort": _sorted("sort", 0), "argsort": _sorted("argsort", 1),
    "round": _round, "around": _round, "copy": lambda a, **_: a.clone(),
    "zeros_like": _like(0), "ones_like": _like(1), "empty_like": _like(0), "full_like": _like(None),
    "shape": lambda a: tuple(a.shape), "ndim": lambda a: a.ndim,
    "size": lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
    "isclose": _allclose("isclose"), "allclose": _allclose("allclose"),
    "array_equal": lambda a1, a2, equal_nan=False: np.array_equal(
        as_array(a1), as_array(a2), equal_nan),
    "iscomplexobj": lambda x: x.dtype.kind == "c", "isrealobj": lambda x: x.dtype.kind != "c",
    "atleast_1d": lambda a: a.reshape(1) if a.ndim == 0 else a,
    "linalg.norm": _norm,
    **{f"linalg.{n}": _linalg(n) for n in ("inv", "det", "solve", "cholesky", "pinv", "slogdet",
                                           "matrix_power", "eigh", "eigvalsh", "qr", "svd",
                                           "matrix_rank", "lstsq")}}
