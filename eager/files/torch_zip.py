"""What ``torch.save`` writes: a zip of a pickled description and the bytes of each storage.

The description is read by an unpickler that finds a dozen harmless names and no others: it can
make tensors, containers and plain values, and call nothing else.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np

from eager.engine.tape import storage_of
from eager.engine.tensor import Size, Tensor
from eager.nn import Parameter
from eager.ops.errors import OpError
from eager.ops.types import DTYPES, DType

Array = np.ndarray[Any, Any]
_STORAGES = {"Float": "f32", "Double": "f64", "Half": "f16", "BFloat16": "bf16", "Long": "i64",
             "Int": "i32", "Short": "i16", "Char": "i8", "Byte": "u8", "Bool": "bool",
             "ComplexFloat": "c64", "ComplexDouble": "c128"}


def unpacked(file: IO[bytes]) -> Any:
    """The object in a zip, made of tensors, containers and plain values."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise OpError(f"load: the zip is damaged: {error}") from None
    with archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(names) != 1:
            raise OpError("load: the zip was not written by torch.save: it has no data.pkl")
        reader = _Reader(archive, names[0].removesuffix("data.pkl"))
        try:
            return reader.load()
        except OpError:
            raise
        except Exception as error:  # a forged description fails in any way it likes
            raise OpError(f"load: the description in the zip is damaged: {error!r}") from None


class _Reader(pickle._Unpickler):
    """An unpickler that knows the names of `_KNOWN` and the storages of its archive.

    Python's own, not C's: only there can BUILD, which writes attributes, be held back.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, archive: zipfile.ZipFile, prefix: str) -> None:
        self._archive, self._prefix = archive, prefix
        self._storages: dict[str, _Storage] = {}
        if self._has("byteorder") and self._bytes("byteorder") != b"little":
            raise OpError("load: the file was written on a big-endian machine")
        super().__init__(archive.open(self._checked("data.pkl")))

    def _has(self, name: str) -> bool:
        return self._prefix + name in self._archive.NameToInfo

    def _checked(self, name: str) -> zipfile.ZipInfo:
        info = self._archive.NameToInfo.get(self._prefix + name)
        if info is None:
            raise OpError(f"load: the zip has no {name}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise OpError(f"load: {name} is compressed, which torch.save never does")
        return info

    def _bytes(self, name: str) -> bytes:
        return self._archive.read(self._checked(name))

    def find_class(self, module: str, name: str) -> Any:
        """One of the known names; OpError for all others."""
        found = _KNOWN.get((module, name))
        if found is None and module == "torch":
            if name.removesuffix("Storage") in _STORAGES and name.endswith("Storage"):
                return _StorageType(DTYPES[_STORAGES[name.removesuffix("Storage")]])
            found = _DTYPES.get(name)
        if found is None:
            raise OpError(f"load: the file asks for {module}.{name}, which could run code; files "
                          f"may hold tensors, containers and plain values only: save a "
                          f"state_dict() instead of the object")
        return found

    def _build(self) -> None:
        """BUILD: the attributes of a state_dict, of which torch uses one."""
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not OrderedDict or not isinstance(state, dict):
            raise OpError(f"load: the file sets attributes of a {type(target).__name__}, which "
                          f"could change what code does; files may hold tensors, containers and "
                          f"plain values only")
        target.__dict__.update({k: v for k, v in state.items() if k == "_metadata"})

    dispatch[pickle.BUILD[0]] = _build

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage of an id ``("storage", kind, key, location, numel)``."""
        word, kind, key, _, count = pid
        if word != "storage" or not isinstance(kind, _StorageType) or not str(key).isalnum():
            raise OpError(f"load: the file refers to {pid!r:.80}, which is no storage")
        if key not in self._storages:
            raw = bytearray(self._bytes(f"data/{key}"))
            size = count * (1 if kind.dtype is None else kind.dtype.itemsize)
            if len(raw) != size:
                raise OpError(f"load: storage {key} has {len(raw)} bytes, wanted {size}")
            self._storages[key] = _Storage(raw, kind.dtype)
        return self._storages[key]


class _StorageType:
    """What a storage's elements are; None where each tensor says it."""

    def __init__(self, dtype: DType | None) -> None:
        self.dtype = dtype


class _Storage:
    """The bytes behind one or more tensors, which share them again."""

    def __init__(self, raw: bytearray, dtype: DType | None) -> None:
        self.raw, self.dtype = raw, dtype
        self.first: Tensor | None = None


def _tensor(storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool = False,
            hooks: Any = None, dtype: Any = None, metadata: Any = None) -> Tensor:
    """A tensor that looks into a storage, never out of it."""
    kind = dtype if isinstance(dtype, DType) else storage.dtype
    flat: Array = np.frombuffer(storage.raw, kind.numpy)
    shape, steps = tuple(map(int, size)), tuple(map(int, stride))
    last = offset + sum((d - 1) * s for d, s in zip(shape, steps, strict=True))
    inside = offset >= 0 and min((*shape, *steps), default=0) >= 0
    if not inside or (0 not in shape and last >= len(flat)):
        raise OpError(f"load: a tensor of shape {list(shape)} and strides {list(steps)} at "
                      f"{offset} reaches out of its storage of {len(flat)} elements")
    if 0 in shape:
        array = np.zeros(shape, kind.numpy)
    else:
        array = np.lib.stride_tricks.as_strided(
            flat[offset:], shape, tuple(s * kind.itemsize for s in steps))
    made = Tensor(array, requires_grad)
    if storage.first is None:
        storage.first = made
    else:
        made._storage = storage_of(storage.first)
    return made


def _tensor_v3(storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool,
               hooks: Any, dtype: Any, metadata: Any = None) -> Tensor:
    return _tensor(storage, offset, size, stride, requires_grad, hooks, dtype)


def _parameter(data: Tensor, requires_grad: bool, hooks: Any, *state: Any) -> Parameter:
    made = Parameter(data, requires_grad)
    made._storage = storage_of(data)
    return made


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise OpError(f"load: the file encodes bytes as {encoding!r}")
    return text.encode("latin1")


def _device(kind: str, index: int | None = None) -> str:
    return kind if index is None else f"{kind}:{index}"


_BUILTINS: dict[str, Callable[..., Any]] = {
    "set": set, "dict": dict, "list": list, "tuple": tuple, "int": int, "float": float,
    "complex": complex}
_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict, ("collections", "Counter"): Counter,
    ("_codecs", "encode"): _encoded,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch.storage", "UntypedStorage"): _StorageType(None),
    ("torch", "UntypedStorage"): _StorageType(None),
    ("torch", "Size"): Size, ("torch", "device"): _device,
    **{(home, name): kind for home in ("builtins", "__builtin__")
       for name, kind in _BUILTINS.items()},
}
_DTYPES = {d.public: d for d in DTYPES.values()}
