"""What programs ask of ``torch.cuda``: there is none in eager, and they go on on the CPU."""

from __future__ import annotations


def is_available() -> bool:
    """False: eager tensors live on the CPU."""
    return False


def device_count() -> int:
    """0: eager tensors live on the CPU."""
    return 0


def synchronize(device: object = None) -> None:
    """Nothing is under way on the CPU."""


def manual_seed_all(seed: int) -> None:
    """There is no generator to seed."""


def empty_cache() -> None:
    """There is no cache to empty."""
