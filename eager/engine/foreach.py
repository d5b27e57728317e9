"""``_foreach_*``: one operation on every tensor of a list, under torch's names.

Each is made from the method of the same name, so the results, dtypes and refusals are its own;
the forms with ``_`` write in place and return nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eager.engine.tensor import Tensor
from eager.ops.errors import OpError

_ONE = ("abs", "acos", "asin", "atan", "ceil", "clone", "cos", "cosh", "erf", "erfc", "exp",
        "expm1", "floor", "frac", "lgamma", "log", "log10", "log1p", "log2", "neg", "reciprocal",
        "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc")
_TWO = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow",
        "maximum": "maximum", "minimum": "minimum", "clamp_min": "clamp_min",
        "clamp_max": "clamp_max"}
_THREE = ("addcmul", "addcdiv")


def _list(name: str, tensors: Any, count: int | None = None) -> list[Any]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence):
        raise OpError(f"{name}: wanted a list of tensors, got {type(tensors).__name__}")
    if count is not None and len(tensors) != count:
        raise OpError(f"{name}: lists of one length, got {count} and {len(tensors)}")
    return list(tensors)


def _each(name: str, value: Any, count: int) -> list[Any]:
    """A list as it is; one number or tensor for each."""
    if isinstance(value, (list, tuple)):
        return _list(name, value, count)
    return [value] * count


def _apply(kind: str, x: Any, *args: Any, **kwargs: Any) -> Any:
    """The method of a name on one tensor."""
    if kind in ("maximum", "minimum") and not isinstance(args[0], Tensor):
        kind = {"maximum": "clamp_min", "minimum": "clamp_max"}[kind]
    if kind in ("clamp_min", "clamp_max"):
        return x.clamp(**{kind.removeprefix("clamp_"): args[0]})
    return getattr(x, kind)(*args, **kwargs)


def _made(name: str, kind: str, call: Callable[..., list[Any]]) -> dict[str, Callable[..., Any]]:
    """A function and its form in place."""
    def out_of_place(self: Any, *args: Any, **kwargs: Any) -> list[Tensor]:
        return call(name, kind, _list(name, self), *args, **kwargs)

    def in_place(self: Any, *args: Any, **kwargs: Any) -> None:
        tensors = _list(f"{name}_", self)
        for t, value in zip(tensors, call(f"{name}_", kind, tensors, *args, **kwargs)):
            if value.dtype.kind in "fc" and t.dtype.kind not in "fc":
                raise OpError(f"{name}_: the result is {value.dtype.public}, which cannot be "
                              f"stored in place in a {t.dtype.public} tensor")
            t.copy_(value)

    for fn, called in ((out_of_place, name), (in_place, f"{name}_")):
        fn.__name__ = fn.__qualname__ = called
        fn.__doc__ = f"`{kind}` of every tensor{'' if fn is out_of_place else ', in place'}."
    return {name: out_of_place, f"{name}_": in_place}


def _one(name: str, kind: str, tensors: list[Any]) -> list[Any]:
    return [_apply(kind, t) for t in tensors]


def _two(name: str, kind: str, tensors: list[Any], other: Any, **kwargs: Any) -> list[Any]:
    others = _each(name, other, len(tensors))
    return [_apply(kind, t, o, **kwargs) for t, o in zip(tensors, others, strict=True)]


def _three(name: str, kind: str, tensors: list[Any], tensor1: Any, tensor2: Any, value: Any = 1,
           scalars: Any = None) -> list[Any]:
    count = len(tensors)
    factors = value if scalars is None else scalars
    if isinstance(factors, Tensor) and factors.ndim == 1:
        factors = factors.tolist()
    rows = zip(tensors, _list(name, tensor1, count), _list(name, tensor2, count),
               _each(name, factors, count), strict=True)
    if kind == "addcmul":
        return [t + a * b * v for t, a, b, v in rows]
    return [t + a / b * v for t, a, b, v in rows]


def _lerp(name: str, kind: str, tensors: list[Any], tensors1: Any, weight: Any) -> list[Any]:
    count = len(tensors)
    rows = zip(tensors, _list(name, tensors1, count), _each(name, weight, count), strict=True)
    return [t + (end - t) * w for t, end, w in rows]


def _copy(name: str, kind: str, tensors: list[Any], src: Any, non_blocking: bool = False,
          ) -> list[Any]:
    return [t.copy_(s) for t, s in zip(tensors, _list(name, src, len(tensors)), strict=True)]


def _foreach_norm(self: Any, ord: Any = 2, dtype: Any = None) -> list[Tensor]:
    """The norm of every tensor, over all its elements."""
    from eager import linalg

    return [linalg.vector_norm(t, ord, dtype=dtype) for t in _list("_foreach_norm", self)]


def _foreach_powsum(self: Any, ord: Any = 2, dtype: Any = None) -> list[Tensor]:
    """The sum of ``|x| ** ord`` of every tensor."""
    tensors = _list("_foreach_powsum", self)
    return [(t if dtype is None else t.to(dtype)).abs().pow(ord).sum() for t in tensors]


def _foreach_max(self: Any) -> list[Tensor]:
    """The largest element of every tensor."""
    return [t.max() for t in _list("_foreach_max", self)]


def _foreach_mm(self: Any, mat2: Any) -> list[Tensor]:
    """The product of every pair of matrices."""
    tensors = _list("_foreach_mm", self)
    return [a @ b for a, b in zip(tensors, _list("_foreach_mm", mat2, len(tensors)))]


def _foreach_zero_(self: Any) -> None:
    """Fill every tensor with zeros."""
    for t in _list("_foreach_zero_", self):
        t.zero_()


def _foreach_copy_(self: Any, src: Any, non_blocking: bool = False) -> None:
    """Copy every tensor of ``src`` into the one at its place."""
    _copy("_foreach_copy_", "copy", _list("_foreach_copy_", self), src, non_blocking)


FOREACH: dict[str, Callable[..., Any]] = {
    **{n: fn for kind in _ONE for n, fn in _made(f"_foreach_{kind}", kind, _one).items()},
    **{n: fn for kind, op in _TWO.items() for n, fn in _made(f"_foreach_{kind}", op, _two).items()},
    **{n: fn for kind in _THREE for n, fn in _made(f"_foreach_{kind}", kind, _three).items()},
    **_made("_foreach_lerp", "lerp", _lerp),
    "_foreach_norm": _foreach_norm, "_foreach_powsum": _foreach_powsum,
    "_foreach_max": _foreach_max, "_foreach_mm": _foreach_mm,
    "_foreach_zero_": _foreach_zero_, "_foreach_copy_": _foreach_copy_,
}
del FOREACH["_foreach_clone_"]
