"""A composite: a public function that is only a composition of ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops.op import Op, Spelling

_EVERYWHERE = Spelling()


@dataclass(frozen=True)
class Composite:
    """A function of the public surface written in terms of ``F``.

    ``body(F, input, ...)`` has torch's signature after ``F``; its annotations and
    defaults are what the generated ``.pyi`` files show.
    """

    name: str
    body: Callable[..., Any]
    spelling: Spelling = _EVERYWHERE
    #: An op that says the same of the positional operands in one node, where nothing is recorded.
    fused: Op | None = None

    @property
    def key(self) -> str:
        """The name, behind its namespace where the plain one may be another's (``linalg.norm``)."""
        where = self.spelling.where
        plain = not where or {"eager", "method", "nn.functional", "inplace"} & set(where)
        return self.name if plain else f"{where[0]}.{self.name}"

    @property
    def doc(self) -> str:
        return self.body.__doc__ or ""
