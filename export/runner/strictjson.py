"""JSON without surprises: one object, no key twice, no NaN; and a quick start.

The module json takes a quarter of the time from a process's start to its first result, for
the sake of ``re``.  Its scanner in C does all of the work, so that is asked first.
"""

from __future__ import annotations

from .errors import ArtifactError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """The object that a text is; ArtifactError says why ``what`` is none."""
    try:
        found = (_from_scanner() or _from_module())(text.decode())
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ArtifactError(f"{what} is no JSON object")
    return found


class _Rules:
    """What the scanner asks its decoder for."""

    strict = True
    object_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def object_pairs_hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key is there twice")
        return found

    @staticmethod
    def parse_constant(name: str) -> Any:
        raise ValueError(f"{name} is no number")


def _from_scanner() -> Callable[[str], Any] | None:
    """A parser over the scanner; None where this Python has another."""
    try:
        from _json import make_scanner

        scan = make_scanner(_Rules)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        return None

    def parse(text: str) -> Any:
        start = len(text) - len(text.lstrip(" \t\r\n"))
        try:
            found, end = scan(text, start)
        except StopIteration as error:
            raise ValueError(f"a value is missing at {error.value}") from None
        if text[end:].strip(" \t\r\n"):
            raise ValueError(f"something follows the value at {end}")
        return found

    return parse


def _from_module() -> Callable[[str], Any]:
    import json

    return lambda text: json.loads(
        text, object_pairs_hook=_Rules.object_pairs_hook, parse_constant=_Rules.parse_constant)
