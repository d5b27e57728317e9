"""Einstein's summation: operands are contracted from left to right, two at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.types import I64, broadcast_shapes, product


def einsum(F: Any, equation: Any, *operands: Any) -> Any:
    """Sums of products by labels: ``einsum("bij,bjk->bik", x, y)``.

    A label in no output is summed; ``...`` stands for dims that broadcast.  The operands may be a
    list, and labels may be lists of ints beside each operand, as in NumPy.
    """
    if not isinstance(equation, str):
        equation, operands = _from_lists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    inputs, output = _labels(F, equation.replace(" ", ""), operands)
    terms = [_diagonal(F, x, labels) for x, labels in zip(operands, inputs, strict=True)]
    sizes = _sizes(F, terms, equation)
    terms = [(_spread(F, x, labels, sizes), labels) for x, labels in terms]
    while len(terms) > 1:
        first, second, *rest = terms
        needed = {label for _, labels in rest for label in labels} | set(output)
        terms = [_contract(F, first, second, needed, sizes), *rest]
    x, labels = terms[0]
    x, labels = _summed(F, x, labels, set(output))
    return F.permute(x, dims=tuple(labels.index(label) for label in output))


def _from_lists(given: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def text(labels: Iterable[Any]) -> str:
        return "".join("..." if label is Ellipsis else letters[label] for label in labels)

    pairs, last = len(given) // 2, given[-1] if len(given) % 2 else None
    words = ",".join(text(given[2 * k + 1]) for k in range(pairs))
    return (words if last is None else f"{words}->{text(last)}",
            tuple(given[2 * k] for k in range(pairs)))


def _labels(F: Any, equation: str, operands: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
    """Labels of each operand and of the result; a dim under ``...`` is an int from the right."""
    left, arrow, right = equation.partition("->")
    words = left.split(",")
    if len(words) != len(operands):
        raise OpError(f"einsum: {equation!r} has {len(words)} operands, got {len(operands)}")
    inputs = []
    for word, x in zip(words, operands, strict=True):
        named = word.replace("...", "", 1)
        if not named.isalpha() and named:
            raise OpError(f"einsum: labels are letters and '...', got {word!r} in {equation!r}")
        hidden = F.typeof(x).ndim - len(named)
        if hidden < 0 or (hidden and "..." not in word):
            raise OpError(f"einsum: {word!r} does not name the dims of {F.typeof(x)}")
        inputs.append(_expanded(word, hidden))
    deepest = max((sum(isinstance(k, int) for k in labels) for labels in inputs), default=0)
    if arrow:
        output = _expanded(right, deepest if "..." in right else 0)
    else:
        letters = [k for labels in inputs for k in labels if isinstance(k, str)]
        output = [*range(-deepest, 0), *sorted({k for k in letters if letters.count(k) == 1})]
    known = {k for labels in inputs for k in labels}
    if len(set(output)) != len(output) or not set(output) <= known:
        raise OpError(f"einsum: the result names each of its labels once, and only labels of the "
                      f"operands, got {equation!r}")
    return inputs, output


def _expanded(word: str, hidden: int) -> list[Any]:
    before, dots, after = word.partition("...")
    return [*before, *(range(-hidden, 0) if dots else ()), *after]


def _diagonal(F: Any, x: Any, labels: list[Any]) -> tuple[Any, list[Any]]:
    """An operand in which a label named twice is once: the diagonal of its two dims."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            shape = F.typeof(x).shape
            if shape[first] != shape[second]:
                raise OpError(f"einsum: label {label!r} names dims of sizes {shape[first]} and "
                              f"{shape[second]}")
            order = [k for k in range(len(shape)) if k not in (first, second)]
            x = F.permute(x, dims=(*order, first, second))
            n = shape[first]
            line = F.iota(start=0, step=1, size=n, dtype=I64)
            on = F.eq(F.reshape(line, shape=(n, 1)), line)
            zero = F.full(shape=(), value=0, dtype=F.typeof(x).dtype)
            x = F.sum(F.where(on, x, zero), dims=(len(shape) - 1,), keepdim=False)
            labels = [labels[k] for k in order] + [label]
    return x, labels


def _sizes(F: Any, terms: Sequence[tuple[Any, list[Any]]], equation: str) -> dict[Any, Any]:
    sizes: dict[Any, Any] = {}
    for x, labels in terms:
        for label, d in zip(labels, F.typeof(x).shape, strict=True):
            try:
                (sizes[label],) = broadcast_shapes((sizes.get(label, 1),), (d,))
            except OpError:
                raise OpError(f"einsum: {label!r} of {equation!r} has the sizes {sizes[label]} "
                              f"and {d}") from None
    return sizes


def _spread(F: Any, x: Any, labels: list[Any], sizes: dict[Any, Any]) -> Any:
    """An operand whose dims of size 1 have the size of their label."""
    shape = tuple(sizes[label] for label in labels)
    own = F.typeof(x).shape
    if all(type(a) is type(b) and a == b for a, b in zip(own, shape, strict=True)):
        return x
    return F.broadcast_to(x, shape=shape)


def _summed(F: Any, x: Any, labels: list[Any], kept: set[Any]) -> tuple[Any, list[Any]]:
    gone = tuple(k for k, label in enumerate(labels) if label not in kept)
    if gone:
        x = F.sum(x, dims=gone, keepdim=False)
    return x, [label for label in labels if label in kept]


def _contract(F: Any, first: tuple[Any, list[Any]], second: tuple[Any, list[Any]],
              needed: set[Any], sizes: dict[Any, Any]) -> tuple[Any, list[Any]]:
    """One matrix product: shared labels that are needed are its batch, the others its depth."""
    x, a = _summed(F, *first, needed | set(second[1]))
    y, b = _summed(F, *second, needed | set(first[1]))
    batch = [k for k in a if k in b and k in needed]
    deep = [k for k in a if k in b and k not in needed]
    rows, columns = [k for k in a if k not in b], [k for k in b if k not in a]
    if not deep:  # an outer product: matmul would only be slower
        labels = [*batch, *rows, *columns]
        return F.mul(_aligned(F, x, a, labels), _aligned(F, y, b, labels)), labels

    def matrix(t: Any, labels: list[Any], left: list[Any], right: list[Any]) -> Any:
        order = tuple(labels.index(k) for k in (*batch, *left, *right))
        shape = (*(sizes[k] for k in batch), product(sizes[k] for k in left),
                 product(sizes[k] for k in right))
        return F.reshape(F.permute(t, dims=order), shape=shape)

    out = F.matmul(matrix(x, a, rows, deep), matrix(y, b, deep, columns))
    labels = [*batch, *rows, *columns]
    return F.reshape(out, shape=tuple(sizes[k] for k in labels)), labels


def _aligned(F: Any, x: Any, own: list[Any], labels: list[Any]) -> Any:
    """``x`` with a dim for each label, of size 1 where it has none."""
    x = F.permute(x, dims=tuple(own.index(k) for k in labels if k in own))
    shape, at = [], iter(F.typeof(x).shape)
    for label in labels:
        shape.append(next(at) if label in own else 1)
    return F.reshape(x, shape=tuple(shape))


FUNCTIONS = (Composite("einsum", einsum, Spelling(("eager",))),)
