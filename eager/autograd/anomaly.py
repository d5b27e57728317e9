"""Anomaly mode: an error on the way back names the line of the way forward."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eager.engine import tape, walk
from eager.engine.tape import Node
from eager.ops.errors import OpError

_OWN = str(Path(__file__).resolve().parent.parent) + "/"


class set_detect_anomaly:
    """Turn anomaly mode on or off: at once, or in a block.

    Every op remembers where in the user's program it was called, and a gradient that becomes NaN
    (with ``check_nan``) is an error naming the op and that place.  It slows everything down.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _remember in tape.MARKS, _no_nan in walk.CHECKS
        _set(mode, mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


class detect_anomaly(set_detect_anomaly):
    """A block in anomaly mode."""

    def __init__(self, check_nan: bool = True) -> None:
        self._wanted = check_nan

    def __enter__(self) -> None:
        super().__init__(True, self._wanted)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return _remember in tape.MARKS


def _set(mode: bool, check_nan: bool) -> None:
    for wanted, hooks, hook in ((mode, tape.MARKS, _remember), (check_nan, walk.CHECKS, _no_nan)):
        rows: list[Any] = hooks
        if wanted and hook not in rows:
            rows.append(hook)
        elif not wanted and hook in rows:
            rows.remove(hook)


def _remember(node: Node) -> None:
    """Note the user's own frame, and those around it."""
    stack = [f for f in traceback.extract_stack() if not f.filename.startswith(_OWN)]
    node.own_extras().place = "".join(traceback.format_list(stack[-3:]))


def _no_nan(node: Any, partials: Sequence[Any]) -> None:
    """Refuse gradients that are NaN."""
    for k, p in enumerate(partials):
        array = getattr(p, "_array", p) if p is not None else None
        if array is not None and np.isnan(array).any():
            what = node.words() if isinstance(node, Node) else "it"
            place = node.extras.place if node.extras is not None else None
            raise OpError(
                f"{node.name()} returned NaN in the gradient of operand {k} of {what}"
                + (f"\nThe op was called here:\n{place}" if place else
                   "; it was called outside of anomaly mode, so its line is not known"))
