"""Classes of torch's that there are not, and why."""

from __future__ import annotations

from typing import NoReturn

REASONS = {
    "Container": "it is deprecated in torch: use Module",
    "CrossMapLRN2d": "torch keeps it for old files: use LocalResponseNorm",
    "DataParallel": "there is one device, the CPU",
    "NLLLoss2d": "it is deprecated in torch: use NLLLoss",
    "SyncBatchNorm": "there is one process: use BatchNorm1d, BatchNorm2d or BatchNorm3d",
}


def __getattr__(name: str) -> NoReturn:
    """AttributeError with the reason, for ``eager.nn``, which takes this function over."""
    why = f": {REASONS[name]}" if name in REASONS else ""
    raise AttributeError(f"module 'eager.nn' has no attribute {name!r}{why}")
