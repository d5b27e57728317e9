"""The safetensors format: a length, a JSON header, and the data of tensors one after another.

(https://github.com/huggingface/safetensors, "Format")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from eager.ops.errors import OpError
from eager.ops.types import DTYPES, DType, dtype_of, product

Array = np.ndarray[Any, Any]
#: The format's names of dtypes; complex128 has none.
CODES = {"BOOL": "bool", "U8": "u8", "I8": "i8", "I16": "i16", "I32": "i32", "I64": "i64",
         "F16": "f16", "BF16": "bf16", "F32": "f32", "F64": "f64", "C64": "c64"}
_CODE_OF = {name: code for code, name in CODES.items()}
_MOST_HEADER = 100_000_000  #: bytes; the reference implementation's own bound


def code_of(dtype: DType) -> str:
    """How the format calls a dtype."""
    if dtype.name not in _CODE_OF:
        raise OpError(f"safetensors has no name for {dtype.public}")
    return _CODE_OF[dtype.name]


def packed(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """The file with these arrays, widest elements first so that all are aligned."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    order = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    at, parts = 0, []
    for name, array in order:
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": code_of(dtype_of(array.dtype)), "shape": list(array.shape),
                        "data_offsets": [at, at + len(data)]}
        at += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def unpacked(blob: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays of a file, which may be written to, and its metadata."""
    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > min(_MOST_HEADER, len(blob) - 8):
        raise OpError("load: this is neither a safetensors file nor a zip of torch.save: its "
                      "header is longer than the file")
    try:
        header = json.loads(blob[8:8 + size])
        metadata = header.pop("__metadata__", {})
        rows = [(name, row["dtype"], tuple(row["shape"]), tuple(row["data_offsets"]))
                for name, row in header.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpError(f"load: the header of the safetensors file is damaged: {error!r}") from None
    data = memoryview(bytearray(blob[8 + size:]))
    return {name: _array(data, name, *row) for name, *row in rows}, metadata


def _array(data: memoryview, name: str, code: str, shape: tuple[int, ...],
           offsets: tuple[int, int]) -> Array:
    if code not in CODES:
        raise OpError(f"load: tensor {name!r} is {code}; tensors here are {', '.join(CODES)}")
    dtype = DTYPES[CODES[code]]
    sound = (len(offsets) == 2 and all(type(n) is int and n >= 0 for n in (*shape, *offsets))
             and offsets[1] <= len(data)
             and offsets[1] - offsets[0] == product(shape) * dtype.itemsize)
    if not sound:
        raise OpError(f"load: tensor {name!r}: shape {list(shape)} of {code} does not fit the "
                      f"offsets {list(offsets)} of {len(data)} bytes")
    part = data[offsets[0]:offsets[1]]
    if offsets[0] % max(1, dtype.itemsize):
        part = memoryview(bytearray(part))  # a foreign file need not be aligned
    return np.frombuffer(part, dtype.numpy).reshape(shape)
