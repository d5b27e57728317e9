"""Runs exported programs with the standard library alone: no NumPy, no compiler, no framework.

    from export import runner
    model = runner.load("digits.art", trust=True)
    y = model(x)
"""

from __future__ import annotations

from typing import Any

from .errors import ArtifactError

__all__ = ["ArtifactError", "load"]


def load(path: Any, trust: bool = False, *, verify: str = "always") -> Any:
    """A callable `session.Runner` of the artifact at ``path``.

    The file holds native code, which runs with the rights of this process: ``trust=True`` says
    that you trust whoever wrote it; without it the file is checked and refused.  ``verify``:
    "always" checks every member's hash, "code" leaves the weights out.
    Raises ArtifactError.
    """
    import os

    from .session import Runner

    return Runner(os.fspath(path), trust, verify)


def __getattr__(name: str) -> Any:
    if name in ("Array", "Runner"):
        if name == "Array":
            from .tensors import Array as found
        else:
            from .session import Runner as found  # type: ignore[assignment]
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
