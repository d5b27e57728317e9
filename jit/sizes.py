"""The dims of a call: found in the shapes of its arguments, and checked against every size.

A size ``c * d + k`` gives the dim d.  ``export.runner.arguments`` does the same without this
package.
"""

from __future__ import annotations

from collections.abc import Sequence

from eager.ops.errors import OpError
from jit.layout import DimRange, Port, Rule, Size, evaluate_size
from jit.relations import OPERATORS

Shape = Sequence[int]


class Misfit(OpError):
    """Arguments do not fit a program; nothing has run."""


def shape_words(shape: Sequence[Size]) -> str:
    """A declared shape as users read it: ``[batch, 64]``."""
    return "[" + ", ".join(size_words(s) for s in shape) + "]"


def size_words(size: Size) -> str:
    if isinstance(size, list):
        op, left, right = size
        return f"({size_words(left)} {op} {size_words(right)})"
    return str(size)


def bind_dims(ports: Sequence[Port], shapes: Sequence[Shape], dims: Sequence[DimRange],
              rules: Sequence[Rule]) -> dict[str, int]:
    """The dims by name.  Raises Misfit where a size differs from its port's, a dim is out of
    its range, or a relation does not hold, with the argument, the sizes and the user's line."""
    values: dict[str, int] = {}
    for plain in (True, False):
        for port, shape in zip(ports, shapes, strict=True):
            for want, got in zip(port.shape, shape, strict=True):
                c, name, k = _affine(want) or (0, "", 0)
                if c and isinstance(want, str) is plain and (got - k) % c == 0:
                    values.setdefault(name, (got - k) // c)
    for d in dims:
        if d.name not in values:
            raise _unknown(ports, shapes, d.name, values, rules)
    for port, shape in zip(ports, shapes, strict=True):
        for axis, (want, got) in enumerate(zip(port.shape, shape, strict=True)):
            if (got != want) if isinstance(want, int) else evaluate_size(want, values) != got:
                raise _differs(port, shape, axis, values, rules)
    for rule in rules:
        if not _holds(rule, values):
            raise Misfit(f"the program is for {_rule_words(rule)}, got "
                          f"{_given(rule, values)}; trace again with such sizes in the example")
    for d in dims:
        if not d.min <= values[d.name] <= d.max:
            raise _out_of_range(ports, d, values[d.name])
    return values


def implied(rule: Rule, dims: Sequence[DimRange]) -> bool:
    """Whether the ranges of the dims alone see to a relation."""
    if _defines(rule, dims):
        return True
    return any(d.name == rule.left and isinstance(rule.right, int) and (
        (rule.op == ">=" and d.min >= rule.right) or (rule.op == "<=" and d.max <= rule.right))
        for d in dims)


def _affine(size: Size) -> tuple[int, str, int] | None:
    """``(c, d, k)`` of a size ``c * d + k``."""
    c, k = 1, 0
    if isinstance(size, list) and size[0] == "+" and isinstance(size[2], int):
        _, size, k = size
    if isinstance(size, list) and size[0] == "*" and isinstance(size[1], int) and size[1]:
        _, c, size = size
    return (c, size, k) if isinstance(size, str) else None


def _defines(rule: Rule, dims: Sequence[DimRange]) -> bool:
    return rule.op == "==" and isinstance(rule.left, str) and all(
        d.name != rule.left for d in dims)


def _holds(rule: Rule, values: dict[str, int]) -> bool:
    if rule.op == "==" and isinstance(rule.left, str) and rule.left not in values:
        return True  # the shapes see to it
    return OPERATORS[rule.op](evaluate_size(rule.left, values), evaluate_size(rule.right, values))


# --- in words ----------------------------------------------------------------------------------
def _rule_words(rule: Rule) -> str:
    words = f"{size_words(rule.left)} {rule.op} {size_words(rule.right)}"
    return f"{words} (asked at {rule.place})" if rule.place else words


def _given(rule: Rule, values: dict[str, int]) -> str:
    used = [n for n in values if n in _names(rule.left) | _names(rule.right)]
    return ", ".join(f"{n} = {values[n]}" for n in used)


def _names(size: Size) -> set[str]:
    if isinstance(size, list):
        return _names(size[1]) | _names(size[2])
    return {size} if isinstance(size, str) else set()


def _unknown(ports: Sequence[Port], shapes: Sequence[Shape], name: str, values: dict[str, int],
             rules: Sequence[Rule]) -> Misfit:
    for port, shape in zip(ports, shapes, strict=True):
        for axis, want in enumerate(port.shape):
            form = _affine(want)
            if form is not None and form[1] == name:
                return _differs(port, shape, axis, values, rules)
    return Misfit(f"no argument has the dim {name!r} as a size of its own, so its value is not "
                   f"known")


def _differs(port: Port, shape: Shape, axis: int, values: dict[str, int],
             rules: Sequence[Rule]) -> Misfit:
    want, got = port.shape[axis], shape[axis]
    head = f"argument {port.name!r}: "
    because = "".join(f"; {_rule_words(r)}" for r in rules
                      if r.op == "==" and r.left not in values
                      and _names(r.right) & _names(want))
    if isinstance(want, int):
        return Misfit(f"{head}wanted shape {shape_words(port.shape)}, got {list(shape)}: dim "
                       f"{axis} is {got} and was {want} in the example; declare it in "
                       f"dynamic_shapes to let it vary")
    if isinstance(want, str):
        return Misfit(f"{head}dim {axis} is {got}, but {want!r} is {values[want]} in an earlier "
                       f"argument{because}")
    if not _names(want) <= values.keys():
        return Misfit(f"{head}dim {axis} is {got}, wanted {size_words(want)}{because}")
    known = ", ".join(f"{n} = {values[n]}" for n in sorted(_names(want)))
    return Misfit(f"{head}dim {axis} is {got}, wanted {size_words(want)} with {known}{because}")


def _out_of_range(ports: Sequence[Port], d: DimRange, value: int) -> Misfit:
    port, axis = next(((p, k) for p in ports for k, s in enumerate(p.shape)
                       if d.name in _names(s)), (ports[0], 0))
    return Misfit(f"argument {port.name!r}: dim {axis} is {value}, but {d.name!r} was declared in "
                   f"[{d.min}, {d.max}]; trace with a wider jit.Dim({d.name!r}, min=..., max=...)")
