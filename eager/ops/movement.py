"""Operators that only move elements: views, padding, joining and writing into."""

from __future__ import annotations

from typing import Any

import numpy as np

from eager.ops import cartesian
from eager.ops.errors import OpError
from eager.ops.families import Concat, SliceUpdate, View
from eager.ops.op import Example, Op, Spelling
from eager.ops.types import Type, broadcast_shapes, normalize_dim, normalize_dims, product


# --- reshape -----------------------------------------------------------------------------------
def _reshaped(x: Type, /, *, shape: tuple[int, ...]) -> Type:
    if product(shape) != x.numel:
        raise OpError(f"{x} has {x.numel} elements, shape {list(shape)} has {product(shape)}")
    return Type(x.dtype, shape)


def _flat(index: Any, shape: Any) -> Any:
    total: Any = 0
    for i, d in zip(index, shape, strict=True):
        total = total * d + i
    return total


def _index_reshape(i: Any, source: Any, own: Any, *, shape: Any) -> tuple[Any, ...]:
    rest, result = _flat(i, own), []
    for k in range(len(source)):
        below = product(source[k + 1:])
        result.append(rest // below)
        rest = rest % below
    return tuple(result)


def resolve_shape(shape: Any, numel: Any) -> tuple[Any, ...]:
    """A shape with its one -1 (if any) worked out from the number of elements."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    sizes: tuple[Any, ...] = tuple(shape)
    unknown = [k for k, d in enumerate(sizes) if type(d) is int and d == -1]
    if len(unknown) > 1:
        raise OpError(f"reshape: only one size can be -1, got {list(sizes)}")
    if unknown:
        known = product(d for k, d in enumerate(sizes) if k != unknown[0])
        if type(known) is int and known == 0:
            raise OpError(f"reshape: -1 in {list(sizes)} is ambiguous beside a size of 0")
        if numel % known != 0:
            raise OpError(f"reshape: {numel} elements do not fill {list(sizes)}")
        sizes = sizes[:unknown[0]] + (numel // known,) + sizes[unknown[0] + 1:]
    return sizes


def _reshape(F: Any, input: Any, *shape: Any) -> Any:
    t = F.typeof(input)
    return F.reshape(input, shape=resolve_shape(shape, t.numel))


# --- permute and broadcast ---------------------------------------------------------------------
def _permuted(x: Type, /, *, dims: tuple[int, ...]) -> Type:
    if sorted(dims) != list(range(x.ndim)):
        raise OpError(f"dims {dims} are no permutation of the {x.ndim} dims of {x}")
    return Type(x.dtype, tuple(x.shape[d] for d in dims))


def _index_permute(i: Any, source: Any, own: Any, *, dims: Any) -> tuple[Any, ...]:
    return tuple(i[dims.index(k)] for k in range(len(source)))


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dims.index(k) for k in range(len(dims)))


def _permute(F: Any, input: Any, *dims: Any) -> Any:
    if len(dims) == 1 and isinstance(dims[0], (tuple, list)):
        dims = tuple(dims[0])
    n = F.typeof(input).ndim
    return F.permute(input, dims=tuple(normalize_dim(d, n) for d in dims))


def _batch_permute(F: Any, values: Any, mapped: Any, size: Any, *, dims: Any) -> Any:
    return F.permute(values[0], dims=(0, *(d + 1 for d in dims)))


def _batch_broadcast(F: Any, values: Any, mapped: Any, size: Any, *, shape: Any) -> Any:
    own = F.typeof(values[0]).shape[1:]
    wide = F.reshape(values[0], shape=(size, *(1,) * (len(shape) - len(own)), *own))
    return F.broadcast_to(wide, shape=(size, *shape))


def _broadcasted(x: Type, /, *, shape: tuple[int, ...]) -> Type:
    if len(shape) < x.ndim or broadcast_shapes(x.shape, shape) != shape:
        raise OpError(f"{x} does not broadcast to {list(shape)}")
    return Type(x.dtype, shape)


def _index_broadcast(i: Any, source: Any, own: Any, *, shape: Any) -> tuple[Any, ...]:
    extra = len(own) - len(source)
    return tuple(0 if _is_one(d) else i[k + extra] for k, d in enumerate(source))


def _run_broadcast(x: Any, *, shape: Any) -> Any:
    if shape == (1,) * (len(shape) - x.ndim) + x.shape:
        return x.reshape(shape)  # nothing is repeated, so it may be written to
    return np.broadcast_to(x, shape)


def _put_broadcast(F: Any, base: Any, value: Any, *, shape: Any) -> Any:
    if product(shape) != F.typeof(base).numel:
        raise OpError("expand: more than one element of the written tensor refers to a single "
                      "memory location; clone() the tensor before writing to it")
    return F.reshape(value, shape=F.typeof(base).shape)


def _is_one(d: Any) -> bool:
    constant = getattr(d, "constant", d)  # an index expression of a compiler says what it is
    return type(constant) is int and constant == 1


def _grad_broadcast(F: Any, g: Any, out: Any, x: Any, *, shape: Any) -> tuple[Any, ...]:
    source = F.typeof(x).shape
    extra = len(shape) - len(source)
    dims = tuple(range(extra)) + tuple(
        k + extra for k, d in enumerate(source) if _is_one(d) and not _is_one(shape[k + extra]))
    return (F.reshape(F.sum(g, dims=dims, keepdim=False), shape=source) if dims else g,)


def _expand(F: Any, input: Any, *size: Any) -> Any:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = F.typeof(input).shape
    extra = len(size) - len(shape)
    if extra < 0:
        raise OpError(f"expand: {list(shape)} has more dims than {list(size)}")
    full = tuple(shape[k - extra] if type(d) is int and d == -1 else d
                 for k, d in enumerate(size))
    return F.broadcast_to(input, shape=full)


# --- slice, flip, pad, dilate ------------------------------------------------------------------
def _sliced(x: Type, /, *, starts: tuple[int, ...], stops: tuple[int, ...],
            steps: tuple[int, ...]) -> Type:
    if not len(starts) == len(stops) == len(steps) == x.ndim:
        raise OpError(f"a slice of {x} has {x.ndim} starts, stops and steps")
    shape = []
    for a, b, s, d in zip(starts, stops, steps, x.shape, strict=True):
        if s < 1:
            raise OpError(f"steps are positive, got {steps}")
        if not (a >= 0 and b >= a and d >= b):
            raise OpError(f"the slice {a}:{b}:{s} does not lie in a dim of size {d}")
        shape.append((b - a + s - 1) // s)
    return Type(x.dtype, tuple(shape))


def _inside(x: Any, *, starts: Any, stops: Any, steps: Any) -> None:
    """NumPy clips a slice that leaves the array; the contract refuses it."""
    if not len(starts) == len(stops) == len(steps) == x.ndim:
        raise OpError(f"a slice of a {x.ndim}-d tensor has {x.ndim} starts, stops and steps")
    for a, b, s, d in zip(starts, stops, steps, x.shape, strict=True):
        if not 0 <= a <= b <= d or s < 1:
            raise OpError(f"the slice {a}:{b}:{s} does not lie in a dim of size {d}")


def _run_slice(x: Any, *, starts: Any, stops: Any, steps: Any) -> Any:
    return x[tuple(map(slice, starts, stops, steps))]


def _index_slice(i: Any, source: Any, own: Any, *, starts: Any, stops: Any,
                 steps: Any) -> tuple[Any, ...]:
    return tuple(k * s + a for k, a, s in zip(i, starts, steps, strict=True))


def _grad_slice(F: Any, g: Any, out: Any, x: Any, *, starts: Any, stops: Any,
                steps: Any) -> tuple[Any, ...]:
    shape = F.typeof(x).shape
    if any(s != 1 for s in steps):
        g = F.dilate(g, steps=steps)
    # a dilated gradient ends at its last element, which is short of stop where steps leave a rest
    have = F.typeof(g).shape
    high = tuple(d - a - h for d, a, h in zip(shape, starts, have, strict=True))
    return (F.pad(g, low=starts, high=high, value=0.0),)


def _flipped(x: Type, /, *, dims: tuple[int, ...]) -> Type:
    if any(not 0 <= d < x.ndim for d in dims) or len(set(dims)) != len(dims):
        raise OpError(f"dims {dims} are not distinct dims of {x}")
    return x


def _index_flip(i: Any, source: Any, own: Any, *, dims: Any) -> tuple[Any, ...]:
    return tuple(own[k] - 1 - v if k in dims else v for k, v in enumerate(i))


def _flip(F: Any, input: Any, *dims: Any) -> Any:
    if len(dims) == 1 and isinstance(dims[0], (tuple, list)):
        dims = tuple(dims[0])
    return F.flip(input, dims=normalize_dims(dims, F.typeof(input).ndim) if dims else ())


def _padded(x: Type, /, *, low: tuple[int, ...], high: tuple[int, ...], value: Any) -> Type:
    if not len(low) == len(high) == x.ndim:
        raise OpError(f"a pad of {x} has {x.ndim} numbers before and after")
    shape = tuple(a + d + b for a, d, b in zip(low, x.shape, high, strict=True))
    if any(not d >= 0 for d in shape):
        raise OpError(f"padding {low} and {high} leaves nothing of {x}")
    return Type(x.dtype, shape)


def _run_pad(x: Any, *, low: Any, high: Any, value: Any) -> Any:
    if min((*low, *high), default=0) < 0:  # a negative pad crops
        x = x[tuple(slice(max(-a, 0), d - max(-b, 0))
                    for a, b, d in zip(low, high, x.shape, strict=True))]
    widths = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    out = np.full([a + d + b for (a, b), d in zip(widths, x.shape, strict=True)], value, x.dtype)
    out[tuple(slice(a, a + d) for (a, _), d in zip(widths, x.shape, strict=True))] = x
    return out


def _index_pad(i: Any, source: Any, own: Any, *, low: Any, high: Any, value: Any) -> Any:
    return tuple(k - a for k, a in zip(i, low, strict=True))


def _valid_pad(i: Any, source: Any, own: Any, *, low: Any, high: Any, value: Any) -> Any:
    conditions: list[Any] = []
    for k, d, a, b in zip(i, source, low, high, strict=True):
        if not (type(a) is int and a <= 0):
            conditions.append((k - a, ">=", 0))
        if not (type(b) is int and b <= 0):
            conditions.append((k - a, "<", d))
    return tuple(conditions)


def _grad_pad(F: Any, g: Any, out: Any, x: Any, *, low: Any, high: Any,
              value: Any) -> tuple[Any, ...]:
    return (F.pad(g, low=tuple(-a for a in low), high=tuple(-b for b in high), value=0.0),)


def _dilated(x: Type, /, *, steps: tuple[int, ...]) -> Type:
    if len(steps) != x.ndim or any(s < 1 for s in steps):
        raise OpError(f"dilate of {x} has {x.ndim} positive steps, got {steps}")
    return Type(x.dtype, tuple(_spread(d, s) for d, s in zip(x.shape, steps, strict=True)))


def _spread(d: Any, s: Any) -> Any:
    if type(d) is int:
        return (d - 1) * s + 1 if d else 0
    return d if s == 1 else (d - 1) * s + 1


def _run_dilate(x: Any, *, steps: Any) -> Any:
    out = np.zeros([_spread(d, s) for d, s in zip(x.shape, steps, strict=True)], x.dtype)
    out[tuple(slice(None, None, s) for s in steps)] = x
    return out


def _index_dilate(i: Any, source: Any, own: Any, *, steps: Any) -> tuple[Any, ...]:
    return tuple(k if s == 1 else k // s for k, s in zip(i, steps, strict=True))


def _valid_dilate(i: Any, source: Any, own: Any, *, steps: Any) -> Any:
    return tuple((k % s, "==", 0) for k, s in zip(i, steps, strict=True) if s != 1)


def _grad_dilate(F: Any, g: Any, out: Any, x: Any, *, steps: Any) -> tuple[Any, ...]:
    shape = F.typeof(g).shape
    return (F.slice(g, starts=(0,) * len(shape), stops=shape, steps=steps),)


# --- joining and writing into ------------------------------------------------------------------
def _joined(*parts: Type, dim: int) -> Type:
    if not parts:
        raise OpError("nothing to join")
    first = parts[0]
    if not 0 <= dim < first.ndim:
        raise OpError(f"dim {dim} is out of range of {first}")
    total: Any = 0
    for p in parts:
        if p.dtype is not first.dtype or p.ndim != first.ndim or any(
                a != b for k, (a, b) in enumerate(zip(p.shape, first.shape, strict=True))
                if k != dim):
            raise OpError(f"parts differ outside of dim {dim}: {first} and {p}")
        total = total + p.shape[dim]
    return Type(first.dtype, first.shape[:dim] + (total,) + first.shape[dim + 1:])


def _grad_concat(F: Any, g: Any, out: Any, *parts: Any, dim: int) -> tuple[Any, ...]:
    grads, start = [], 0
    for p in parts:
        shape = F.typeof(p).shape
        n = len(shape)
        starts = tuple(start if k == dim else 0 for k in range(n))
        stops = tuple(start + shape[k] if k == dim else shape[k] for k in range(n))
        grads.append(F.slice(g, starts=starts, stops=stops, steps=(1,) * n))
        start = start + shape[dim]
    return tuple(grads)


def _is_nothing(shape: Any) -> bool:
    return len(shape) == 1 and type(shape[0]) is int and shape[0] == 0


def _cat(F: Any, tensors: Any, dim: int = 0) -> Any:
    tensors = tuple(tensors)
    if not tensors:
        raise OpError("cat: nothing to join")
    shapes = [F.typeof(t).shape for t in tensors]
    if any(len(s) == 0 for s in shapes):
        raise OpError("cat: 0-d tensors cannot be joined; use stack")
    if any(len(s) > 1 for s in shapes):  # an empty vector joins with anything, as in torch
        tensors = tuple(t for t, s in zip(tensors, shapes, strict=True) if not _is_nothing(s))
    return F.concat(*tensors, dim=normalize_dim(dim, F.typeof(tensors[0]).ndim))


def _updated(base: Type, value: Type, /, *, starts: tuple[int, ...], stops: tuple[int, ...],
             steps: tuple[int, ...]) -> Type:
    region = _sliced(base, starts=starts, stops=stops, steps=steps)
    if value != region:
        raise OpError(f"the region is {region}, the value {value}")
    return base


def _run_update(base: Any, value: Any, *, starts: Any, stops: Any, steps: Any) -> Any:
    out = base.copy()
    out[tuple(map(slice, starts, stops, steps))] = value
    return out


def _grad_update(F: Any, g: Any, out: Any, base: Any, value: Any, **region: Any) -> Any:
    zero = F.full(shape=F.typeof(value).shape, value=0.0, dtype=F.typeof(g).dtype)
    return F.slice_update(g, zero, **region), F.slice(g, **region)


_METHOD = Spelling(("eager", "method"))
reshape = Op("reshape", "The elements of x, in order, in another shape.", _reshaped,
             View(_index_reshape, renames=True), forward=lambda x, *, shape: x.reshape(shape),
             grad=lambda F, g, out, x, *, shape: (F.reshape(g, shape=F.typeof(x).shape),),
             put=lambda F, base, value, *, shape: F.reshape(value, shape=F.typeof(base).shape),
             public=_reshape, spelling=Spelling(("eager", "method")), onnx="Reshape",
             examples=(Example(((2, 6),), {"shape": (3, 4)}),
                       Example(((4,),), {"shape": (2, 1, 2)}),
                       Example(((),), {"shape": (1,)}), Example(((0, 3),), {"shape": (3, 0)})),
             rejects=(Example(((2, 3),), {"shape": (4,)}),))
permute = Op("permute", "x with its dims in another order.", _permuted, View(_index_permute),
             forward=lambda x, *, dims: x.transpose(dims), batch=_batch_permute,
             grad=lambda F, g, out, x, *, dims: (F.permute(g, dims=_inverse(dims)),),
             put=lambda F, base, value, *, dims: F.permute(value, dims=_inverse(dims)),
             public=_permute, spelling=_METHOD, onnx="Transpose",
             examples=(Example(((2, 3, 4),), {"dims": (2, 0, 1)}), Example(((),), {"dims": ()})),
             rejects=(Example(((2, 3),), {"dims": (0, 0)}),))
broadcast_to = Op("broadcast_to", "x repeated along dims of size 1 and new leading dims.",
                  _broadcasted, View(_index_broadcast),
                  forward=_run_broadcast, grad=_grad_broadcast, put=_put_broadcast,
                  public=_expand, spelling=Spelling(("eager", "method"), ("expand",)),
                  batch=_batch_broadcast,
                  onnx="Expand", examples=(Example(((3, 1),), {"shape": (2, 3, 4)}),
                                           Example(((),), {"shape": (2,)})),
                  rejects=(Example(((2,),), {"shape": (3,)}),))
slice_ = Op("slice", "A strided region of x.", _sliced, View(_index_slice), forward=_run_slice,
            precheck=_inside,
            grad=_grad_slice,
            put=lambda F, base, value, **region: F.slice_update(base, value, **region),
            spelling=None, onnx="Slice", examples=(
                Example(((5, 6),), {"starts": (1, 0), "stops": (4, 6), "steps": (1, 1)}),
                Example(((7,),), {"starts": (1,), "stops": (6,), "steps": (2,)})),
            rejects=(Example(((3,),), {"starts": (1,), "stops": (5,), "steps": (1,)}),))
flip = Op("flip", "x reversed along dims.", _flipped, View(_index_flip),
          forward=lambda x, *, dims: np.flip(x, dims).copy(),
          grad=lambda F, g, out, x, *, dims: (F.flip(g, dims=dims),), public=_flip,
          spelling=_METHOD, examples=(Example(((2, 3),), {"dims": (1,)}),))
pad = Op("pad", "x between elements of one value; a negative number crops.", _padded,
         View(_index_pad, _valid_pad), forward=_run_pad, grad=_grad_pad, spelling=None, onnx="Pad",
         split=cartesian.pad,
         examples=(Example(((2, 3),), {"low": (1, 0), "high": (0, 2), "value": 0.5}),
                   Example(((4,),), {"low": (-1,), "high": (2,), "value": 0.0})))
dilate = Op("dilate", "x with step - 1 zeros between neighbours.", _dilated,
            View(_index_dilate, _valid_dilate), forward=_run_dilate, grad=_grad_dilate,
            spelling=None, examples=(Example(((2, 3),), {"steps": (1, 2)}),))
concat = Op("concat", "Tensors joined along a dim.", _joined, Concat(), variadic=True,
            forward=lambda *parts, dim: np.concatenate(parts, dim), grad=_grad_concat,
            public=_cat, promote="same", onnx="Concat",
            spelling=Spelling(("eager",), ("cat", "concatenate")),
            examples=(Example(((2, 3), (2, 1)), {"dim": 1}), Example(((1, 2),), {"dim": 0})),
            rejects=(Example(((2, 3), (3, 2)), {"dim": 0}),))
slice_update = Op("slice_update", "A copy of base whose strided region is value.", _updated,
                  SliceUpdate(), forward=_run_update, grad=_grad_update, spelling=None,
                  examples=(Example(((5, 4), (2, 4)), {"starts": (1, 0), "stops": (4, 4),
                                                       "steps": (2, 1)}),))

OPS = (reshape, permute, broadcast_to, slice_, flip, pad, dilate, concat, slice_update)
