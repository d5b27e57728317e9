"""Composites that make tensors in the likeness of another: ``zeros_like``, ``new_zeros``."""

from __future__ import annotations

from typing import Any

from eager.ops.composite import Composite
from eager.ops.creation import check_placement
from eager.ops.op import Spelling
from eager.ops.shapes import sizes_of
from eager.ops.types import as_dtype


def _made(F: Any, input: Any, shape: Any, value: Any, dtype: Any, requires_grad: bool,
          **where: Any) -> Any:
    check_placement(**where)
    kind = F.typeof(input).dtype if dtype is None else as_dtype(dtype)
    if kind.kind == "b":
        value = bool(value)
    result = F.full(shape=shape, value=value, dtype=kind)
    return result.requires_grad_() if requires_grad else result


def full_like(F: Any, input: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
              memory_format: Any = None) -> Any:
    """One value in the shape (and dtype) of ``input``."""
    return _made(F, input, F.typeof(input).shape, fill_value, dtype, requires_grad, layout=layout,
                 device=device, pin_memory=pin_memory, memory_format=memory_format)


def _like(name: str, value: int, doc: str) -> Any:
    def body(F: Any, input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False, pin_memory: bool = False,
             memory_format: Any = None) -> Any:
        return _made(F, input, F.typeof(input).shape, value, dtype, requires_grad, layout=layout,
                     device=device, pin_memory=pin_memory, memory_format=memory_format)

    body.__name__, body.__doc__ = name, doc
    return body


zeros_like = _like("zeros_like", 0, "Zeros of the shape (and dtype) of ``input``.")
ones_like = _like("ones_like", 1, "Ones of the shape (and dtype) of ``input``.")
empty_like = _like("empty_like", 0, "A tensor of the shape (and dtype) of ``input``; its contents "
                                    "are not promised.")


def new_full(F: Any, input: Any, size: Any, fill_value: Any, *, dtype: Any = None,
             device: Any = None, requires_grad: bool = False, layout: Any = None,
             pin_memory: bool = False) -> Any:
    """One value in a shape, in the dtype of ``input``."""
    return _made(F, input, tuple(size), fill_value, dtype, requires_grad, layout=layout,
                 device=device, pin_memory=pin_memory)


def _new(name: str, value: int, doc: str) -> Any:
    def body(F: Any, input: Any, *size: Any, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, layout: Any = None, pin_memory: bool = False) -> Any:
        return _made(F, input, sizes_of(size), value, dtype, requires_grad, layout=layout,
                     device=device, pin_memory=pin_memory)

    body.__name__, body.__doc__ = name, doc
    return body


new_zeros = _new("new_zeros", 0, "Zeros in a shape, in the dtype of ``input``.")
new_ones = _new("new_ones", 1, "Ones in a shape, in the dtype of ``input``.")
new_empty = _new("new_empty", 0, "A tensor of a shape, in the dtype of ``input``; its contents are "
                                 "not promised.")

FUNCTIONS = (
    *(Composite(f.__name__, f, Spelling(("eager",)))
      for f in (zeros_like, ones_like, empty_like, full_like)),
    *(Composite(f.__name__, f, Spelling(("method",)))
      for f in (new_zeros, new_ones, new_empty, new_full)))
