"""What of `tests.peers.names` is there, and what shows that it agrees with torch.

A name counts when its calls are cases (`tests.ops.cases`: values, dtypes, first and second
gradients, and refusals, against torch in `tests/peers/test_ops.py`), or when the test that
`ELSEWHERE` names compares it with torch.  ``python -m tests.peers.coverage`` prints the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import eager
from eager.ops.families import Control
from eager.ops.table import FUNCTIONS, TABLE
from tests.ops.cases import CASES
from tests.peers.elsewhere import ELSEWHERE
from tests.peers.names import GROUPS
from tests.peers.plumbing import ROWS


@dataclass(frozen=True)
class Row:
    """One name: whether users can call it, and where it is compared with torch."""

    name: str
    there: bool
    shown: str


def _resolved(path: str) -> Any:
    value: Any = eager
    for part in path.split("."):
        value = getattr(value, part)
    return value


#: Where users find what torch's own code calls by names of its own.
INSIDE = {
    "_set_grad_enabled": "set_grad_enabled", "_sparse_mm": "sparse.mm", "lstm": "nn.LSTM",
    "gru": "nn.GRU", "rnn_tanh": "nn.RNN", "_weight_norm": "nn.utils.weight_norm",
    "_pack_padded_sequence": "nn.utils.rnn.pack_padded_sequence", "grad": "autograd.grad",
    "_pad_packed_sequence": "nn.utils.rnn.pad_packed_sequence",
    "_grouped_mm": "nn.functional.grouped_mm",
    "_amp_foreach_non_finite_check_and_unscale_": "amp.GradScaler.unscale_",
    "_amp_update_scale_": "amp.GradScaler.update",
}


def places(name: str) -> tuple[str, ...]:
    """The paths under ``eager`` at which users find a name."""
    if name in INSIDE:
        return (INSIDE[name],)
    if name.startswith("F."):
        return (f"nn.functional.{name[2:]}",)
    if name.startswith("."):
        return (f"Tensor.{name[1:]}",)
    return (name, f"Tensor.{name}", f"linalg.{name}", f"fft.{name}", f"nn.functional.{name}",
            f"nn.init.{name}", f"nn.utils.rnn.{name}", f"vision.ops.{name}")


def is_there(name: str) -> bool:
    """Whether any of its places has it."""
    for path in places(name):
        try:
            _resolved(path)
            return True
        except AttributeError:
            continue
    return False


def rows() -> Iterator[tuple[str, Row]]:
    """Every name with its group."""
    cases = {(c.where, c.name) for c in CASES if c.peer}
    plain = {name for where, name in cases if where not in ("nn.functional", "inplace")}
    for group, names in GROUPS.items():
        for name in names:
            bare = name.lstrip(".").removeprefix("F.")
            stem = bare[:-1] if bare.endswith("_") and not bare.endswith("__") else ""
            if ((name.startswith("F.") and ("nn.functional", bare) in cases)
                    or (stem and ("inplace", stem) in cases)
                    or (not name.startswith("F.") and bare in plain)
                    or ("vision.ops", bare) in cases):
                shown = "cases"
            else:
                shown = "plumbing" if name in ROWS else ELSEWHERE.get(name, "")
            yield group, Row(name, is_there(name), shown)


def table() -> str:
    """The counts by group, in Markdown."""
    found: dict[str, list[Row]] = {}
    for group, row in rows():
        found.setdefault(group, []).append(row)
    lines = ["| group | names | there | compared with torch |", "|---|---|---|---|"]
    total = [0, 0, 0]
    for group, members in found.items():
        counts = (len(members), sum(r.there for r in members),
                  sum(r.there and bool(r.shown) for r in members))
        total = [a + b for a, b in zip(total, counts, strict=True)]
        lines.append(f"| {group} | {' | '.join(map(str, counts))} |")
    lines.append(f"| **all** | {' | '.join(map(str, total))} |")
    return "\n".join(lines)


def missing() -> list[str]:
    """The names that are not there, or that nothing compares."""
    return [f"{r.name} ({'not there' if not r.there else 'not compared'})"
            for _, r in rows() if not (r.there and r.shown)]


def compiled() -> str:
    """How many rows of the op table and functions a program can hold, in a sentence."""
    refused = sorted(op.name for op in TABLE.values()
                     if op.not_compiled and not isinstance(op.kernel, Control))
    traced = {c.name for c in CASES if not c.reads}
    reading = sorted({c.name for c in CASES if c.reads} - traced - set(TABLE))
    rows = len(TABLE) + len(FUNCTIONS)
    return (f"{len(TABLE)} ops and {len(FUNCTIONS)} functions; not compiled: {len(refused)} ops "
            f"({', '.join(refused)}) and {len(reading)} functions that read data or use these "
            f"({', '.join(reading)}): {100 * len(refused) / len(TABLE):.1f} % of the ops, "
            f"{100 * (len(refused) + len(reading)) / rows:.1f} % of all rows")


if __name__ == "__main__":
    print(table())
    print(compiled())
    print("left:", ", ".join(missing()) or "nothing")
