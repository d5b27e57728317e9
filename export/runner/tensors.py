"""Arrays without NumPy: safetensors and .npy read and written with the standard library."""

from __future__ import annotations

import struct

from .errors import ArtifactError
from .format import DTYPES, MOST_DIMS, PUBLIC
from .strictjson import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BY_SAFETENSORS = {row[2]: name for name, row in DTYPES.items()}
_BY_NPY = {row[3]: name for name, row in DTYPES.items()}
_BY_PUBLIC = {public: name for name, public in PUBLIC.items()}
_MOST_HEADER = 100 << 20


class Array:
    """An n-dimensional array over bytes of its own or of a buffer, in row-major order.

    ``dtype`` is ``f32`` or ``float32``; the buffer has exactly the bytes of the shape
    (ArtifactError).  NumPy takes one as an array; `view` is what other buffers' users take.
    """

    __slots__ = ("dtype", "memory", "shape")

    def __init__(self, dtype: str, shape: Any, memory: Any) -> None:
        self.dtype, self.shape = _BY_PUBLIC.get(dtype, dtype), tuple(shape)
        if self.dtype not in DTYPES or any(d < 0 for d in self.shape):
            raise ArtifactError(f"there is no array of {dtype} {list(self.shape)}; dtypes are "
                                f"{', '.join(PUBLIC.values())}")
        view = memoryview(memory)
        self.memory = view.cast("B") if view.nbytes else memoryview(b"")
        wanted = count(self.shape) * DTYPES[self.dtype][1]
        if len(self.memory) != wanted:
            raise ArtifactError(f"an array of {PUBLIC[self.dtype]} {list(self.shape)} has {wanted} "
                                f"bytes, the buffer has {len(self.memory)}")

    @property
    def format(self) -> str:
        """The elements as the modules struct and array name them; of complex numbers the parts."""
        return DTYPES[self.dtype][0][-1]

    @property
    def flat(self) -> memoryview:
        """The elements in row-major order; of complex numbers part after part."""
        return self.memory.cast(self.format)  # type: ignore[call-overload, no-any-return]

    @property
    def view(self) -> memoryview:
        """The elements in their shape; of an empty array just its elements: none.

        Complex numbers have a last dim more, of their two parts.
        """
        if 0 in self.shape:
            return self.flat
        shape = (*self.shape, 2) if self.is_complex else self.shape
        return self.memory.cast(self.format, shape)  # type: ignore[call-overload, no-any-return]

    @property
    def is_complex(self) -> bool:
        return self.dtype[0] == "c"

    def numbers(self, most: int | None = None) -> list[Any]:
        """The elements (the first of them) in row-major order as Python numbers."""
        if not self.is_complex:
            return self.flat[:most].tolist()
        parts = self.flat[:None if most is None else 2 * most].tolist()
        return list(map(complex, parts[::2], parts[1::2]))

    def tolist(self) -> Any:
        """Nested lists of Python numbers; of a 0-d array a number."""
        return _nested(self.numbers(), self.shape)

    def copy(self) -> Array:
        """The same numbers in memory of their own."""
        return Array(self.dtype, self.shape, bytearray(self.memory))

    def save(self, path: str) -> None:
        """Write a .npy file."""
        write_npy(path, self)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """What NumPy makes an array of, without a copy."""
        return {"version": 3, "shape": self.shape, "typestr": DTYPES[self.dtype][3],
                "data": self.memory}

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d array has no length")
        return int(self.shape[0])

    def __repr__(self) -> str:
        some = self.numbers(8)
        more = ", ..." if count(self.shape) > len(some) else ""
        return (f"Array({PUBLIC[self.dtype]}, {list(self.shape)}, "
                f"[{', '.join(map(str, some))}{more}])")


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
def read_safetensors(data: memoryview, where: str) -> dict[str, Array]:
    """The tensors of a file; ArtifactError where its header does not fit its bytes exactly."""
    def wrong(words: str) -> ArtifactError:
        return ArtifactError(f"{where}: {words}")

    if len(data) < 8:
        raise wrong("is no safetensors file: too short")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8 or length > _MOST_HEADER:
        raise wrong(f"the header is said to have {length} bytes, more than there are")
    header = parse_json(bytes(data[8:8 + length]), f"{where}: the header")
    body = data[8 + length:]
    found: dict[str, Array] = {}
    spans = []
    for name, row in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = _BY_SAFETENSORS[row["dtype"]], row["shape"]
            start, stop = row["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise wrong(f"tensor {name!r} has a malformed entry") from None
        if (not isinstance(shape, list) or len(shape) > MOST_DIMS
                or any(type(d) is not int or d < 0 for d in shape)
                or type(start) is not int or type(stop) is not int
                or not 0 <= start <= stop <= len(body)
                or count(shape) * DTYPES[dtype][1] != stop - start):
            raise wrong(f"tensor {name!r}: {dtype} {shape} is not bytes {start} to {stop} "
                        f"of {len(body)}")
        found[name] = Array(dtype, shape, body[start:stop])
        spans.append((start, stop))
    at = 0
    for start, stop in [*sorted(spans), (len(body), len(body))]:  # the format forbids holes
        if start != at:
            raise wrong("tensors overlap" if start < at else f"bytes {at} to {start} are no tensor")
        at = stop
    return found


# --- .npy --------------------------------------------------------------------------------------
def read_npy(path: str) -> Array:
    """An array file of NumPy (formats 1 to 3, little-endian, row-major)."""
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
    kind, fortran, shape = _npy_header(data[start:start + length].decode("latin-1"), path)
    if kind not in _BY_NPY:
        raise ArtifactError(f"{path}: dtype {kind!r} is not supported; there are "
                            f"{', '.join(PUBLIC.values())}")
    if fortran and len(shape) > 1:
        raise ArtifactError(f"{path}: is stored column by column; save np.ascontiguousarray(x)")
    try:
        return Array(_BY_NPY[kind], shape, bytearray(data[start + length:]))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from None


def _npy_header(text: str, path: str) -> tuple[str, bool, tuple[int, ...]]:
    """The three fields of a header, which is a Python dict of a fixed form."""
    wrong = ArtifactError(f"{path}: the .npy header is damaged, or of a structured dtype")

    def field(name: str) -> str:
        return text.partition(f"'{name}':")[2].lstrip()

    try:
        quote, kind = field("descr")[0], field("descr")[1:].split("'")[0]
        order = field("fortran_order").split(",")[0]
        opening, sizes = field("shape")[0], field("shape")[1:].split(")")[0]
        shape = tuple(int(d) for d in sizes.split(",") if d.strip())
    except (IndexError, ValueError):
        raise wrong from None
    if quote != "'" or opening != "(" or order not in ("True", "False"):
        raise wrong
    return kind, order == "True", shape


def write_npy(path: str, array: Array) -> None:
    """Write an array as NumPy does; the file appears whole or not at all."""
    import os

    header = (f"{{'descr': '{DTYPES[array.dtype][3]}', 'fortran_order': False, "
              f"'shape': {array.shape}, }}")
    header += " " * (-(len(header) + 11) % 64) + "\n"
    part = f"{path}.part{os.getpid()}"
    try:
        with open(part, "xb") as file:
            try:
                file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
                file.write(header.encode())
                file.write(array.memory)
                file.flush()
                os.replace(part, path)
            except OSError:
                os.unlink(part)
                raise
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from None
