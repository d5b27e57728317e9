"""Attention whose weights are thinned out by dropout, and that of many heads."""

from __future__ import annotations

import functools
from typing import Any

from eager.engine.dropouts import dropout
from eager.engine.tensor import TAPED, Tensor
from eager.ops.affine import linear
from eager.ops.attention import (
    added_mask,
    attend,
    attention_weights,
    join_heads,
    joined_mask,
    split_heads,
    with_column,
)
from eager.ops.errors import OpError
from eager.ops.moments import mean
from eager.ops.shapes import region


def _drop(p: float) -> Any:
    return functools.partial(dropout, p=p, training=True) if p else None


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor,
                                 attn_mask: Tensor | None = None, dropout_p: float = 0.0,
                                 is_causal: bool = False, *, scale: float | None = None,
                                 enable_gqa: bool = False) -> Tensor:
    """softmax(query key^T scale + mask) value, over the last two dims (Vaswani et al., 2017).

    A bool mask holds where attention is allowed; a floating one is added.  ``dropout_p`` thins the
    weights out, in training or not.  ``is_causal``: each query sees the keys up to its own
    position.  ``enable_gqa``: groups of query heads (dim -3) share a head of keys and values.
    """
    result: Tensor = attend(TAPED, query, key, value, attn_mask, is_causal, scale, enable_gqa,
                            _drop(dropout_p))
    return result


def multi_head_attention_forward(
        query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
        in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
        bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
        out_proj_bias: Tensor | None, training: bool = True,
        key_padding_mask: Tensor | None = None, need_weights: bool = True,
        attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
        q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
        v_proj_weight: Tensor | None = None, static_k: Tensor | None = None,
        static_v: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
    """Attention of many heads over [L, N, embed] (or [L, embed]), and its weights if wanted.

    Masks say where attention is refused (bool) or are added: ``attn_mask`` [L, S] or
    [N heads, L, S], ``key_padding_mask`` [N, S].  ``is_causal`` is a hint about ``attn_mask``.
    """
    F: Any = TAPED
    single = query.ndim == 2
    _check(query, key, value, key_padding_mask, attn_mask, embed_dim_to_check, num_heads)
    if is_causal and attn_mask is None:
        raise OpError("multi_head_attention_forward: is_causal is a hint about attn_mask; give "
                      "that mask as well")
    if single:
        query, key, value = (_batched(x, 1) for x in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = _batched(key_padding_mask, 0)
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        weights = _thirds(F, in_proj_weight)
    q, k, v = (linear(F, x, w, b) for x, w, b in zip(
        (query, key, value), weights, _thirds(F, in_proj_bias), strict=True))
    batch, dtype = query.shape[1], query.dtype
    mask = None if attn_mask is None else added_mask(F, "attn_mask", attn_mask, dtype)
    padding = None if key_padding_mask is None else added_mask(
        F, "key_padding_mask", key_padding_mask, dtype)
    extra = 0
    if bias_k is not None and bias_v is not None:
        k, v = (F.concat(x, F.broadcast_to(b, shape=(1, batch, b.shape[-1])), dim=0)
                for x, b in ((k, bias_k), (v, bias_v)))
        extra = 1
    q, k, v = (split_heads(F, x, num_heads) for x in (q, k, v))
    k, v = (x if static is None else F.reshape(static, shape=(batch, num_heads, *static.shape[1:]))
            for x, static in ((k, static_k), (v, static_v)))
    if add_zero_attn:
        k, v = with_column(F, k, 2), with_column(F, v, 2)
        extra += 1
    for _ in range(extra):  # what was added may always be attended to
        mask = mask if mask is None else with_column(F, mask, mask.ndim - 1)
        padding = padding if padding is None else with_column(F, padding, 1)
    seen = attention_weights(F, q, k, joined_mask(F, mask, padding, batch, num_heads), False, None)
    drop = _drop(dropout_p if training else 0.0)
    seen = seen if drop is None else drop(seen)
    out = linear(F, join_heads(F, F.matmul(seen, v)), out_proj_weight, out_proj_bias)
    if need_weights:
        seen = mean(F, seen, 1) if average_attn_weights else seen
        seen = F.reshape(seen, shape=seen.shape[1:]) if single else seen
    out = F.reshape(out, shape=(out.shape[0], out.shape[2])) if single else out
    return out, seen if need_weights else None


def _check(query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None,
           embed: int, heads: int) -> None:
    name, n = "multi_head_attention_forward", query.ndim
    if n not in (2, 3) or key.ndim != n or value.ndim != n:
        raise OpError(f"{name}: wanted query, key and value [L, N, embed], or all without N, got "
                      f"{query.spec}, {key.spec} and {value.spec}")
    if query.shape[-1] != embed or embed % heads:
        raise OpError(f"{name}: wanted queries of {embed} features, which {heads} heads divide, "
                      f"got {query.spec}")
    if key.shape[:-1] != value.shape[:-1]:
        raise OpError(f"{name}: keys and values differ in length or batch: {key.spec} and "
                      f"{value.spec}")
    batch = query.shape[1] if n == 3 else 1
    want: list[Any] = [(query.shape[0], key.shape[0]),
                       (batch * heads, query.shape[0], key.shape[0])]
    if mask is not None and mask.shape not in want:
        raise OpError(f"{name}: attn_mask is {list(want[0])} or {list(want[1])}, got {mask.spec}")
    keys = (batch, key.shape[0]) if n == 3 else (key.shape[0],)
    if padding is not None and tuple(padding.shape) != keys:
        raise OpError(f"{name}: key_padding_mask is {list(keys)}, got {padding.spec}")


def _batched(x: Tensor, dim: int) -> Tensor:
    shape = tuple(x.shape)
    result: Tensor = TAPED.reshape(x, shape=(*shape[:dim], 1, *shape[dim:]))
    return result


def _thirds(F: Any, x: Tensor | None) -> tuple[Any, ...]:
    """The parts of a joined weight for query, key and value."""
    if x is None:
        return None, None, None
    size = x.shape[0] // 3
    return tuple(region(F, x, 0, k * size, (k + 1) * size) for k in range(3))
