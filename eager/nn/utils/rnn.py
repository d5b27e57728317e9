"""Batches of sequences of different lengths: padded, and packed without padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.shapes import region

__all__ = ["PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
           "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence"]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences sorted by length, longest first, time by time: ``data`` [sum of lengths, ...].

    ``batch_sizes`` (int64) says how many sequences reach each time; the indices bring a batch into
    that order and back, where it had another.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor, batch_sizes: Tensor | None = None,
                sorted_indices: Tensor | None = None,
                unsorted_indices: Tensor | None = None) -> PackedSequence:
        if batch_sizes is None:
            raise OpError("PackedSequence: give batch_sizes; pack_padded_sequence makes them")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequences with ``data`` in another dtype."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def double(self) -> PackedSequence:
        """The sequences in float64."""
        return self.to("float64")

    def float(self) -> PackedSequence:
        """The sequences in float32."""
        return self.to("float32")

    def cpu(self) -> PackedSequence:
        """These sequences: all tensors live on the CPU."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False: there is no such device."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes one."""
    if permutation is None:
        return None
    return Tensor(np.argsort(permutation._read("invert_permutation"), kind="stable"))


def sizes_of(packed: PackedSequence) -> list[int]:
    """``batch_sizes`` as numbers."""
    return [int(n) for n in packed.batch_sizes._read("batch_sizes")]


# --- packing -----------------------------------------------------------------------------------
def pack_padded_sequence(input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """The sequences [T, N, ...] (or [N, T, ...]) without their padding.

    ``lengths`` are numbers, which a trace takes as they are.  With ``enforce_sorted`` they must not
    grow; else the sequences are sorted here.
    """
    sizes = np.asarray(lengths._read("pack_padded_sequence") if isinstance(lengths, Tensor)
                       else lengths, np.int64)
    F: Any = TAPED
    if input.ndim < 2 or sizes.shape != (input.shape[0 if batch_first else 1],):
        raise OpError(f"pack_padded_sequence: wanted sequences [T, N, ...] and N lengths, got "
                      f"{input.spec} and {len(sizes) if sizes.ndim else sizes} lengths")
    if not len(sizes) or sizes.min() < 1 or sizes.max() > input.shape[1 if batch_first else 0]:
        raise OpError(f"pack_padded_sequence: lengths lie in [1, T] of {input.spec}, got "
                      f"{sizes.tolist()}")
    order = None
    if not enforce_sorted:
        places = np.argsort(-sizes, kind="stable")
        sizes, order = sizes[places], Tensor(places)
        input = F.index_select(input, order, dim=0 if batch_first else 1)
    elif (np.diff(sizes) > 0).any():
        raise OpError(f"pack_padded_sequence: lengths are sorted, longest first, got "
                      f"{sizes.tolist()}; or give enforce_sorted=False")
    if batch_first:
        input = F.permute(input, dims=(1, 0, *range(2, input.ndim)))
    counts = (sizes[None] > np.arange(sizes[0])[:, None]).sum(1)
    rest = tuple(input.shape[2:])
    rows = [F.reshape(region(F, F.select(input, dim=0, index=t), 0, 0, int(n)),
                      shape=(int(n), *rest)) for t, n in enumerate(counts)]
    return PackedSequence(F.concat(*rows, dim=0), Tensor(counts.astype(np.int64)), order)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The sequences [T, N, ...] with padding, and their lengths, in the order they first had."""
    F: Any = TAPED
    sizes = sizes_of(sequence)
    total = len(sizes) if total_length is None else total_length
    if total < len(sizes):
        raise OpError(f"pad_packed_sequence: total_length is at least {len(sizes)}, the longest "
                      f"length, got {total}")
    data, batch = sequence.data, sizes[0]
    rest = tuple(data.shape[1:])
    steps, start = [], 0
    for size in [*sizes, *[0] * (total - len(sizes))]:
        parts = [region(F, data, 0, start, start + size)] if size else []
        if size < batch:
            parts.append(F.full(shape=(batch - size, *rest), value=padding_value,
                                dtype=data.dtype))
        step = F.concat(*parts, dim=0) if len(parts) > 1 else parts[0]
        steps.append(F.reshape(step, shape=(1, batch, *rest)))
        start += size
    out = F.concat(*steps, dim=0)
    lengths = (np.asarray(sizes)[:, None] > np.arange(batch)[None]).sum(0)
    if sequence.unsorted_indices is not None:
        out = F.index_select(out, sequence.unsorted_indices, dim=1)
        lengths = lengths[sequence.unsorted_indices._read("pad_packed_sequence")]
    if batch_first:
        out = F.permute(out, dims=(1, 0, *range(2, out.ndim)))
    return out, Tensor(lengths.astype(np.int64))


# --- padding -----------------------------------------------------------------------------------
def pad_sequence(sequences: Tensor | Iterable[Tensor], batch_first: bool = False,
                 padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    """Sequences [L, ...] of different lengths as one tensor [T, N, ...]."""
    F: Any = TAPED
    parts = list(sequences)
    if not parts or padding_side not in ("left", "right"):
        raise OpError(f"pad_sequence: wanted sequences and a padding_side 'left' or 'right', got "
                      f"{len(parts)} and {padding_side!r}")
    rest = tuple(parts[0].shape[1:])
    if any(p.ndim < 1 or tuple(p.shape[1:]) != rest for p in parts):
        raise OpError(f"pad_sequence: sequences differ in their lengths alone, got "
                      f"{', '.join(str(p.spec) for p in parts)}")
    longest = max(p.shape[0] for p in parts)
    whole = []
    for part in parts:
        missing = longest - part.shape[0]
        if missing:
            fill = F.full(shape=(missing, *rest), value=padding_value, dtype=part.dtype)
            part = F.concat(*((fill, part) if padding_side == "left" else (part, fill)), dim=0)
        whole.append(F.reshape(part, shape=(1, longest, *rest)))
    out: Tensor = F.concat(*whole, dim=0)
    if not batch_first:
        out = F.permute(out, dims=(1, 0, *range(2, out.ndim)))
    return out


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor | Sequence[int],
                   batch_first: bool = False) -> list[Tensor]:
    """The sequences [L, ...] of a padded batch."""
    F: Any = TAPED
    sizes = lengths._read("unpad_sequence") if isinstance(lengths, Tensor) else lengths
    along = 0 if batch_first else 1
    if len(sizes) != padded_sequences.shape[along]:
        raise OpError(f"unpad_sequence: {len(sizes)} lengths for {padded_sequences.spec}")
    return [region(F, F.select(padded_sequences, dim=along, index=k), 0, 0, int(n))
            for k, n in enumerate(sizes)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences [L, ...] of different lengths, packed."""
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences],
                                enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences [L, ...] of a packed batch."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
