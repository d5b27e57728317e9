"""Write a compiled program into one file that runs with no framework, and run such files."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "save":
        from export.artifact import save

        return save
    if name == "ArtifactError":
        from export.runner import ArtifactError

        return ArtifactError
    raise AttributeError(f"module 'export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["ArtifactError", "runner", "save"]
