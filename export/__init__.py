"""Write a compiled program into one file that runs with no framework, and run such files."""

from __future__ import annotations

# The module typing takes longer to import than the runner.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if name == "save":
        from export.artifact import save

        return save
    if name == "ArtifactError":
        from export.runner import ArtifactError

        return ArtifactError
    if name == "runner":
        import importlib

        return importlib.import_module("export.runner")
    raise AttributeError(f"module 'export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["ArtifactError", "runner", "save"]
