"""Arrays without NumPy: safetensors and .npy read and written with the standard library."""

from __future__ import annotations

import json
import struct
from typing import Any

from .errors import ArtifactError
from .format import DTYPES, PUBLIC

_BY_SAFETENSORS = {row[2]: name for name, row in DTYPES.items()}
_BY_NPY = {row[3]: name for name, row in DTYPES.items()}
_MOST_HEADER = 100 << 20


class Array:
    """An n-dimensional array over bytes of its own: ``shape``, ``dtype``, ``memory``, `tolist`."""

    __slots__ = ("dtype", "memory", "shape")

    def __init__(self, dtype: str, shape: tuple[int, ...], memory: memoryview | bytearray) -> None:
        self.dtype, self.shape = dtype, tuple(shape)
        self.memory = memoryview(memory).cast("B")

    @property
    def flat(self) -> memoryview:
        """The elements in row-major order."""
        return self.memory.cast(DTYPES[self.dtype][0])  # type: ignore[call-overload, no-any-return]

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return _nested(self.flat.tolist(), self.shape)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """What NumPy makes an array of, without a copy."""
        return {"version": 3, "shape": self.shape, "typestr": DTYPES[self.dtype][3],
                "data": self.memory}

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Array({PUBLIC[self.dtype]}, {list(self.shape)}, {self.flat[:8].tolist()}...)"


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    step = count(shape[1:])
    return [_nested(flat[k * step:(k + 1) * step], shape[1:]) for k in range(shape[0])]


def count(shape: Any) -> int:
    """The number of elements of a shape."""
    n = 1
    for d in shape:
        n *= d
    return n


# --- safetensors -------------------------------------------------------------------------------
def read_safetensors(data: memoryview, where: str) -> dict[str, tuple[str, list[int], memoryview]]:
    """``{name: (dtype, shape, bytes)}``; ArtifactError where the header does not fit the bytes."""
    def wrong(words: str) -> ArtifactError:
        return ArtifactError(f"{where}: {words}")

    if len(data) < 8:
        raise wrong("is no safetensors file: too short")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8 or length > _MOST_HEADER:
        raise wrong(f"the header is said to have {length} bytes, more than there are")
    try:
        header = json.loads(bytes(data[8:8 + length]))
    except ValueError:
        raise wrong("the header is no JSON") from None
    if not isinstance(header, dict):
        raise wrong("the header is no object")
    body = data[8 + length:]
    found, spans = {}, []
    for name, row in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = _BY_SAFETENSORS[row["dtype"]], row["shape"]
            start, stop = row["data_offsets"]
            sane = (all(type(d) is int and d >= 0 for d in shape) and type(start) is int
                    and type(stop) is int and 0 <= start <= stop <= len(body))
        except (KeyError, TypeError, ValueError):
            raise wrong(f"tensor {name!r} has a malformed entry") from None
        if not sane or count(shape) * DTYPES[dtype][1] != stop - start:
            raise wrong(f"tensor {name!r}: shape {shape} of {dtype} is not bytes {start} to {stop}")
        found[name] = (dtype, shape, body[start:stop])
        spans.append((start, stop))
    spans.sort()
    if any(a[1] > b[0] for a, b in zip(spans, spans[1:], strict=False)):
        raise wrong("tensors overlap")
    return found


# --- .npy --------------------------------------------------------------------------------------
def read_npy(path: str) -> Array:
    """An array file of NumPy (format 1 to 3, little-endian, row-major)."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise ArtifactError(f"{path}: is no .npy file")
    wide = data[6] >= 2
    (length,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    start = 12 if wide else 10
    import ast

    try:
        header = ast.literal_eval(data[start:start + length].decode("latin-1").strip())
        kind, shape = header["descr"], tuple(header["shape"])
        fortran = header["fortran_order"]
    except (ValueError, KeyError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ArtifactError(f"{path}: the .npy header is damaged") from None
    if kind not in _BY_NPY:
        raise ArtifactError(f"{path}: dtype {kind!r} is not supported; there are "
                            f"{', '.join(PUBLIC.values())}")
    if fortran and len(shape) > 1:
        raise ArtifactError(f"{path}: is stored column by column; save np.ascontiguousarray(x)")
    dtype = _BY_NPY[kind]
    body = memoryview(bytearray(data[start + length:]))
    if len(body) != count(shape) * DTYPES[dtype][1]:
        raise ArtifactError(f"{path}: shape {list(shape)} wants {count(shape)} elements of "
                            f"{PUBLIC[dtype]}, the file has {len(body)} bytes")
    return Array(dtype, shape, body)


def write_npy(path: str, array: Array) -> None:
    """Write an array as NumPy does; the file appears whole or not at all."""
    import os

    shape = "(" + "".join(f"{d}, " for d in array.shape).strip() + ")"
    header = (f"{{'descr': '{DTYPES[array.dtype][3]}', 'fortran_order': False, "
              f"'shape': {shape}, }}")
    header += " " * (-(len(header) + 11) % 64) + "\n"
    part = f"{path}.part{os.getpid()}"
    try:
        with open(part, "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
            file.write(array.memory)
        os.replace(part, path)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from None
