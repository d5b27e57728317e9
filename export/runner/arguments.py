"""Arguments of a call: checked against their ports, contiguous, with an address."""

from __future__ import annotations

from . import native
from .errors import ArtifactError
from .format import DTYPES, PUBLIC, RELATIONS, shape_words, value_of, words
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
        elif view.c_contiguous and len(kind) == 1:  # no cast knows complex numbers
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


def bind_dims(arguments: list[Argument], entry: dict[str, Any]) -> dict[str, int]:
    """The sizes of the dims; ArtifactError where a size differs from its port's, a dim is out of
    range, or a relation between sizes does not hold."""
    dims: dict[str, int] = {}
    owners: dict[str, tuple[Argument, str]] = {}
    for plain in (True, False):
        for a in arguments:
            for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
                c, name, k = _affine(want) or (0, "", 0)
                if c and isinstance(want, str) is plain and (got - k) % c == 0 and (
                        name not in dims):
                    dims[name], owners[name] = (got - k) // c, (a, f"dim {axis} is {got}")
    for d in entry["dims"]:
        if d["name"] not in dims:
            wanted = ", ".join(shape_words(a.port["shape"]) for a in arguments)
            got = ", ".join(str(list(a.shape)) for a in arguments)
            raise ArtifactError(f"no size makes {d['name']!r} a whole number: wanted shapes "
                                f"{wanted}, got {got}")
    for a in arguments:
        for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
            if isinstance(want, str) and dims[want] != got:
                raise a.wrong(f"dim {axis} is {got}, and {want!r} is {dims[want]} in "
                              f"{owners[want][0].port['name']!r}")
            if value_of(want, dims) != got:
                raise a.wrong(f"dim {axis} is {got}, wanted {value_of(want, dims)}")
    for rule in entry["relations"]:
        if not _holds(rule, dims):
            place = f" (asked at {rule['place']})" if rule["place"] else ""
            raise ArtifactError(
                f"the program is for {words(rule['left'])} {rule['op']} {words(rule['right'])}"
                f"{place}, got {', '.join(f'{n} = {d}' for n, d in dims.items())}")
    for d in entry["dims"]:
        a, got = owners[d["name"]]
        if not d["min"] <= dims[d["name"]] <= d["max"]:
            raise a.wrong(f"{got}, and {d['name']!r} lies in [{d['min']}, {d['max']}]")
    return dims


def _affine(size: Any) -> tuple[int, str, int] | None:
    """``(c, d, k)`` of a size ``c * d + k``."""
    c, k = 1, 0
    if isinstance(size, list) and size[0] == "+" and isinstance(size[2], int):
        _, size, k = size
    if isinstance(size, list) and size[0] == "*" and isinstance(size[1], int) and size[1]:
        _, c, size = size
    return (c, size, k) if isinstance(size, str) else None


def _holds(rule: dict[str, Any], dims: dict[str, int]) -> bool:
    if isinstance(rule["left"], str) and rule["left"] not in dims:
        return True  # a name for a size; the shapes see to it
    return RELATIONS[rule["op"]](value_of(rule["left"], dims), value_of(rule["right"], dims))
