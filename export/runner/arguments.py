"""Arguments of a call: checked against their ports, contiguous, with an address."""

from __future__ import annotations

from . import native
from .errors import ArtifactError
from .format import DTYPES, PUBLIC, evaluate, shape_words
from .tensors import Array, count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BY_FORMAT = {row[0]: name for name, row in DTYPES.items()}
_BY_TYPESTR = {row[3]: name for name, row in DTYPES.items()}
#: The C names of 64-bit integers are two, and bytes may be called characters.
_SYNONYMS = {"l": "q", "c": "B"}


class Argument:
    """One argument as native code takes it: ``shape`` and ``address``; ``keep`` keeps it there.

    ``value`` is a NumPy array, an `Array`, or anything with a buffer.  A one-dimensional buffer
    of another rank's port is taken row by row where the port's shape is fixed.  What the
    program writes is never copied, or the caller would not see it.  Raises ArtifactError where
    dtype or rank differ, or a copy would be needed; sizes are for `bind_dims`.
    """

    __slots__ = ("address", "is_copy", "is_numpy", "keep", "port", "shape", "stop")

    def __init__(self, port: dict[str, Any], value: Any, numpy: Any, written: bool) -> None:
        self.port, self.is_copy = port, False
        self.is_numpy = numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))
        if isinstance(value, Array):
            dtype, shape, memory = value.dtype, value.shape, value.memory
        elif self.is_numpy:
            dtype, shape, memory = self._of_numpy(value, numpy)
        else:
            dtype, shape, memory = self._of_buffer(value)
        if dtype != port["dtype"]:
            raise self.wrong(f"got {PUBLIC[dtype]}")
        if len(shape) != len(port["shape"]):
            raise self.wrong(f"got {len(shape)} dims: {list(shape)}")
        itemsize = DTYPES[dtype][1]
        if memory.nbytes != count(shape) * itemsize:
            raise self.wrong(f"got a buffer of {memory.nbytes} bytes for {list(shape)}")
        if written and (self.is_copy or native.place(memory, itemsize) is None):
            raise self.wrong("the program writes it, so it must be contiguous and writable, and "
                             "lie where its elements are aligned")
        self.shape = shape
        self.address, self.keep = native.address(memory, itemsize)
        self.stop = self.address + memory.nbytes

    def wrong(self, words: str) -> ArtifactError:
        wanted = f"{PUBLIC[self.port['dtype']]} {shape_words(self.port['shape'])}"
        return ArtifactError(f"argument {self.port['name']!r}: wanted {wanted}; {words}")

    def _of_numpy(self, value: Any, numpy: Any) -> tuple[str, tuple[int, ...], memoryview]:
        name = _BY_TYPESTR.get(value.dtype.str)
        if name is None:
            raise self.wrong(f"got dtype {value.dtype}")
        self.is_copy = not (value.flags.c_contiguous and value.flags.writeable)
        flat = numpy.ascontiguousarray(value).reshape(-1)
        return name, value.shape, memoryview(flat.view(numpy.uint8))

    def _of_buffer(self, value: Any) -> tuple[str, tuple[int, ...], memoryview]:
        try:
            view = memoryview(value)
        except TypeError:
            raise self.wrong(f"got {type(value).__name__}, which has no buffer") from None
        kind = view.format.lstrip("@=<")
        name = _BY_FORMAT.get(_SYNONYMS.get(kind, kind))
        if name is None or DTYPES[name][1] != view.itemsize:
            raise self.wrong(f"got a buffer of format {view.format!r}")
        shape: tuple[int, ...] = view.shape or ()
        if not view.nbytes:
            memory = memoryview(b"")
        elif view.c_contiguous:
            memory = view.cast("B")
        else:
            self.is_copy, memory = True, memoryview(view.tobytes())
        wanted = self.port["shape"]
        if len(shape) == 1 != len(wanted) and all(type(d) is int for d in wanted):
            if count(wanted) != shape[0]:
                raise self.wrong(f"got a buffer of {shape[0]} elements")
            shape = tuple(wanted)
        return name, shape, memory


def refuse_overlap(arguments: list[Argument], written: list[str]) -> None:
    """What the program writes shares no memory with another argument; ArtifactError."""
    for a in arguments:
        for b in arguments:
            if (a is not b and a.port["name"] in written
                    and a.address < b.stop and b.address < a.stop):
                raise ArtifactError(f"argument {a.port['name']!r} is written by the program and "
                                    f"shares memory with {b.port['name']!r}; pass a copy of one "
                                    f"of them")


def bind_dims(arguments: list[Argument], ranges: dict[str, dict[str, Any]]) -> dict[str, int]:
    """The sizes of the dims; ArtifactError where one is out of range, or two disagree."""
    dims: dict[str, int] = {}
    owners: dict[str, str] = {}
    for a in arguments:
        for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
            if not isinstance(want, str):
                continue
            low, high = ranges[want]["min"], ranges[want]["max"]
            if not low <= got <= high:
                raise a.wrong(f"dim {axis} is {got}, and {want!r} lies in [{low}, {high}]")
            if dims.setdefault(want, got) != got:
                raise a.wrong(f"dim {axis} is {got}, and {want!r} is {dims[want]} in "
                              f"{owners[want]!r}")
            owners.setdefault(want, a.port["name"])
    for a in arguments:
        for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
            if not isinstance(want, str) and evaluate(want, dims) != got:
                raise a.wrong(f"dim {axis} is {got}, wanted {evaluate(want, dims)}")
    return dims
