"""A composite: a public function that is only a composition of ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eager.ops.op import Spelling

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

    @property
    def doc(self) -> str:
        return self.body.__doc__ or ""
