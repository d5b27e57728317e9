"""Attention: scaled dot products, by one head and by many."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eager.ops.composite import Composite
from eager.ops.contraction import transposed
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import BOOL, I64, Type

Drop = Callable[[Any], Any]


def attention_weights(F: Any, query: Any, key: Any, mask: Any, causal: bool,
                      scale: float | None) -> Any:
    """softmax(query key^T scale + mask) over keys; rows that may attend to nothing are 0."""
    q = F.typeof(query)
    factor = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = F.matmul(F.mul(query, factor), transposed(F, key))
    s = F.typeof(scores)
    if causal:
        mask = lower_triangle(F, s.shape[-2], s.shape[-1])
    if mask is None:
        return F.softmax(scores, dim=s.ndim - 1)
    never = F.full(shape=(), value=-math.inf, dtype=s.dtype)
    scores = (F.where(mask, scores, never) if F.typeof(mask).dtype is BOOL
              else F.add(scores, mask))
    if causal:  # every row attends to the first key
        return F.softmax(scores, dim=s.ndim - 1)
    s = F.typeof(scores)
    alone = F.eq(F.amax(scores, dims=(s.ndim - 1,), keepdim=True), never)
    zero = F.full(shape=(), value=0.0, dtype=s.dtype)
    return F.where(alone, zero, F.softmax(F.where(alone, zero, scores), dim=s.ndim - 1))


def lower_triangle(F: Any, rows: Any, columns: Any) -> Any:
    """Whether a column is not behind its row, [rows, columns]."""
    row = F.reshape(F.iota(start=0, step=1, size=rows, dtype=I64), shape=(rows, 1))
    return F.le(F.iota(start=0, step=1, size=columns, dtype=I64), row)


def scaled_dot_product_attention(F: Any, query: Any, key: Any, value: Any, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, *,
                                 scale: float | None = None, enable_gqa: bool = False) -> Any:
    """softmax(query key^T scale + mask) value, over the last two dims (Vaswani et al., 2017).

    A bool mask holds where attention is allowed; a floating one is added.  ``is_causal``: each
    query sees the keys up to its own position.  ``enable_gqa``: groups of query heads (dim -3)
    share a head of keys and values.
    """
    if dropout_p:
        raise OpError("scaled_dot_product_attention: dropout draws from a stream; use "
                      "nn.functional.scaled_dot_product_attention")
    return attend(F, query, key, value, attn_mask, is_causal, scale, enable_gqa, None)


def attend(F: Any, query: Any, key: Any, value: Any, mask: Any, causal: bool,
           scale: float | None, grouped: bool, drop: Drop | None) -> Any:
    """`scaled_dot_product_attention` whose weights ``drop`` thins out."""
    kinds = [F.typeof(x) for x in (query, key, value)]
    _check_attention(kinds, None if mask is None else F.typeof(mask), causal)
    if grouped:
        key, value = (_shared(F, x, kinds[0]) for x in (key, value))
    weights = attention_weights(F, query, key, mask, causal, scale)
    return F.matmul(weights if drop is None else drop(weights), value)


def _check_attention(kinds: list[Type], mask: Type | None, causal: bool) -> None:
    words = ", ".join(map(str, kinds))
    if any(k.ndim < 2 for k in kinds) or len({k.dtype for k in kinds}) > 1 or kinds[
            0].dtype.kind != "f":
        raise OpError(f"scaled_dot_product_attention: query, key and value are floating "
                      f"[..., length, size] of one dtype, got {words}")
    if causal and mask is not None:
        raise OpError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
    if mask is not None and mask.dtype is not BOOL and mask.dtype is not kinds[0].dtype:
        raise OpError(f"scaled_dot_product_attention: a mask is bool or of the dtype of the query "
                      f"{kinds[0]}, got {mask}")


def _shared(F: Any, x: Any, query: Type) -> Any:
    """Each head of keys or values repeated for the query heads of its group."""
    t = F.typeof(x)
    if t.ndim < 3 or query.ndim < 3 or query.shape[-3] % t.shape[-3]:
        raise OpError(f"scaled_dot_product_attention: the query heads of {query} are no groups of "
                      f"the heads of {t}")
    times = query.shape[-3] // t.shape[-3]
    lead, heads, rest = t.shape[:-3], t.shape[-3], t.shape[-2:]
    apart = F.reshape(x, shape=(*lead, heads, 1, *rest))
    wide = F.broadcast_to(apart, shape=(*lead, heads, times, *rest))
    return F.reshape(wide, shape=(*lead, heads * times, *rest))


# --- many heads --------------------------------------------------------------------------------
def added_mask(F: Any, name: str, mask: Any, dtype: Any) -> Any:
    """A mask that is added to scores: bool ones hold where attention is refused."""
    t = F.typeof(mask)
    if t.dtype is BOOL:
        never = F.full(shape=(), value=-math.inf, dtype=dtype)
        return F.where(mask, never, F.full(shape=(), value=0.0, dtype=dtype))
    if t.dtype.kind != "f":
        raise OpError(f"{name} is bool or floating, got {t}")
    return mask


def split_heads(F: Any, x: Any, heads: int) -> Any:
    """[length, batch, heads * size] as [batch, heads, length, size]."""
    length, batch, width = F.typeof(x).shape
    apart = F.reshape(x, shape=(length, batch, heads, width // heads))
    return F.permute(apart, dims=(1, 2, 0, 3))


def join_heads(F: Any, x: Any) -> Any:
    """[batch, heads, length, size] as [length, batch, heads * size]."""
    batch, heads, length, size = F.typeof(x).shape
    return F.reshape(F.permute(x, dims=(2, 0, 1, 3)), shape=(length, batch, heads * size))


def with_column(F: Any, x: Any, dim: int) -> Any:
    """A tensor with a slice of zeros behind it along ``dim``."""
    shape = list(F.typeof(x).shape)
    shape[dim] = 1
    return F.concat(x, F.full(shape=tuple(shape), value=0.0, dtype=F.typeof(x).dtype), dim=dim)


def joined_mask(F: Any, mask: Any, padding: Any, batch: Any, heads: int) -> Any:
    """Masks [L, S] or [batch * heads, L, S], and [batch, S], as one that broadcasts over
    [batch, heads, L, S]; None where there are none.
    """
    if mask is not None and F.typeof(mask).ndim == 3:
        mask = F.reshape(mask, shape=(batch, heads, *F.typeof(mask).shape[1:]))
    if padding is None:
        return mask
    padding = F.reshape(padding, shape=(batch, 1, 1, F.typeof(padding).shape[-1]))
    return padding if mask is None else F.add(mask, padding)


FUNCTIONS = (Composite("scaled_dot_product_attention", scaled_dot_product_attention,
                       Spelling(("nn.functional",))),)
