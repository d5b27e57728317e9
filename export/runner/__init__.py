"""Runs exported programs with the standard library alone: no NumPy, no compiler, no framework.

    from export import runner
    model = runner.load("digits.art", trust=True)
    y = model(x)
"""

from __future__ import annotations

from .errors import ArtifactError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from .session import Runner

__all__ = ["Array", "ArtifactError", "Runner", "load"]


def load(path: str | os.PathLike[str], trust: bool = False, *, verify: str = "always") -> Runner:
    """A callable `Runner` of the artifact at ``path``.

    The file holds native code, which runs with the rights of this process: ``trust=True`` says
    that you trust whoever wrote it; without it the file's form is checked and it is refused.
    ``verify``: "always" checks every member's hash, "code" leaves out weights and example.
    Raises ArtifactError.
    """
    from .session import Runner

    return Runner(path, trust, verify)


def __getattr__(name: str) -> Any:
    if name == "Runner":
        from .session import Runner

        return Runner
    if name == "Array":
        from .tensors import Array

        return Array
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
