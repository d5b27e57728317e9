"""Runner: an artifact, loaded, checked, and called like a function."""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
import threading
from typing import Any

from . import native
from .archive import Archive
from .errors import ArtifactError
from .format import (
    ABI,
    CODES,
    DTYPES,
    GOLDEN,
    MANIFEST,
    PUBLIC,
    WEIGHTS,
    check_manifest,
    evaluate,
    shape_words,
)
from .tensors import Array, count, read_safetensors


class Runner:
    """A callable on arrays; ``inputs``, ``outputs`` and ``dims`` say of which.

    Arguments are given by position or by name: NumPy arrays, `Array`, or anything with a buffer
    of the right dtype and shape.  Results belong to the caller: NumPy arrays where an argument
    was one, else `Array`.  Calls may come from several threads.
    """

    def __init__(self, path: str, trust: bool = False, verify: str = "always") -> None:
        self.path = path
        if verify not in ("always", "code"):
            raise ArtifactError(f"verify is 'always' or 'code', got {verify!r}")
        self._archive = Archive(path)
        self.manifest = self._read_manifest()
        self._entry = self.manifest["entries"]["main"]
        self.inputs, self.outputs = self._entry["inputs"], self._entry["outputs"]
        self.dims: list[dict[str, Any]] = self._entry["dims"]
        self._ranges = {d["name"]: d for d in self.dims}
        for name in self.manifest["members"]:
            if verify == "always" or not name.startswith((WEIGHTS, GOLDEN)):
                self._check_hash(name)
        if not trust:
            raise ArtifactError(
                f"{path}: holds native code, and running it means trusting whoever wrote it. If "
                f"you do, say so: load(path, trust=True), or --trust on the command line")
        self._open()

    # --- opening -------------------------------------------------------------------------------
    def _read_manifest(self) -> dict[str, Any]:
        raw = self._archive.view(MANIFEST)
        if len(raw) > 64 << 20:
            raise self._archive.error("the manifest is larger than 64 MiB")
        try:
            found = json.loads(bytes(raw))
        except (ValueError, RecursionError):
            raise self._archive.error("the manifest is no JSON") from None
        manifest = check_manifest(found)
        named, inside = set(manifest["members"]), set(self._archive.members) - {MANIFEST}
        if named != inside:
            raise self._archive.error(f"members and manifest differ: {sorted(named ^ inside)[0]!r}")
        return manifest

    def _check_hash(self, name: str) -> None:
        row, data = self.manifest["members"][name], self._archive.view(name)
        if len(data) != row["size"] or hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise self._archive.error(f"member {name!r} is not what the manifest says: the file "
                                      f"was altered or damaged; export or copy it again")

    def _open(self) -> None:
        here = native.target_here()
        targets = self.manifest["targets"]
        if here not in targets:
            raise self._archive.error(f"holds code for {', '.join(targets) or 'no machine'}, and "
                                      f"this is {here}; export it for that target")
        self._library = native.load(self._archive.view(targets[here]["member"]), self.path)
        self._level = native.chosen_level(self._library, targets[here]["levels"])
        self._pool = native.start_pool(self._library)
        self._run = self._library.ej_run
        self._run.restype, self._run.argtypes = ctypes.c_int32, [ctypes.c_void_p]
        tensors = read_safetensors(self._archive.view(WEIGHTS), f"{self.path}: {WEIGHTS}")
        self._weights = self._map_weights(tensors)
        self.state: dict[str, Array] = {}
        for port in self._entry["state"]:
            dtype, shape, data = self._stored(tensors, f"state.{port['name']}")
            if dtype != port["dtype"] or list(shape) != port["shape"]:
                raise self._archive.error(f"state {port['name']!r} is not what the manifest says")
            self.state[port["name"]] = Array(dtype, tuple(shape), bytearray(data))
        self._state = native.addresses([_address(a.memory)[0] for a in self.state.values()])
        self._arenas: list[tuple[int, Any, int]] = []
        self._lock = threading.Lock()

    def _stored(self, tensors: dict[str, Any], name: str) -> Any:
        if name not in tensors:
            raise self._archive.error(f"{WEIGHTS} has no tensor {name!r}")
        return tensors[name]

    def _map_weights(self, tensors: dict[str, Any]) -> int:
        """The address of the packed weights, in the mapped file."""
        _, _, data = self._stored(tensors, "weights")
        if len(data) < self._entry["weights_size"]:
            raise self._archive.error(f"the packed weights have {len(data)} bytes, the program "
                                      f"reads {self._entry['weights_size']}")
        if not len(data):
            return 0
        address, self._keep_weights = _address(data)
        if address % 64:
            room, start = native.aligned(len(data))
            ctypes.memmove(start, address, len(data))
            self._keep_weights, address = room, start
        return address

    # --- calling -------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program once."""
        given = self._named(args, kwargs)
        numpy = sys.modules.get("numpy")
        arrays = [_Argument(port, x, numpy) for port, x in zip(self.inputs, given, strict=True)]
        dims = self._bind(arrays)
        results = [Array(p["dtype"], shape, bytearray(count(shape) * DTYPES[p["dtype"]][1]))
                   for p in self.outputs
                   for shape in [tuple(evaluate(s, dims) for s in p["shape"])]]
        self._call(arrays, results, dims)
        found: list[Any] = list(results)
        if numpy is not None and any(a.is_numpy for a in arrays):
            found = [_as_numpy(numpy, r) for r in results]
        return found[0] if len(found) == 1 else tuple(found)

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        names = [p["name"] for p in self.inputs]
        given = dict(zip(names, args, strict=False))
        if len(args) > len(names) or set(given) & set(kwargs) or set(given) | set(kwargs) != set(
                names):
            raise ArtifactError(f"the program takes {', '.join(names) or 'nothing'}; got "
                                f"{len(args)} by position" + (
                                    f" and {', '.join(kwargs)} by name" if kwargs else ""))
        given.update(kwargs)
        return [given[n] for n in names]

    def _bind(self, arrays: list[_Argument]) -> dict[str, int]:
        dims: dict[str, int] = {}
        for a in arrays:
            for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
                if isinstance(want, str):
                    limit = self._ranges[want]
                    if not limit["min"] <= got <= limit["max"]:
                        raise a.wrong(f"dim {axis} is {got}, and {want!r} lies in "
                                      f"[{limit['min']}, {limit['max']}]")
                    if dims.setdefault(want, got) != got:
                        raise a.wrong(f"dim {axis} is {got}, and {want!r} is {dims[want]} in an "
                                      f"earlier argument")
        for a in arrays:
            for axis, (want, got) in enumerate(zip(a.port["shape"], a.shape, strict=True)):
                if not isinstance(want, str) and evaluate(want, dims) != got:
                    raise a.wrong(f"dim {axis} is {got}, wanted {evaluate(want, dims)}")
        return dims

    def _call(self, arrays: list[_Argument], results: list[Array], dims: dict[str, int]) -> None:
        size, keep, arena = self._take_arena(evaluate(self._entry["arena"], dims))
        try:
            held = [_address(r.memory) for r in results]
            ins = native.addresses([a.address for a in arrays])
            outs = native.addresses([address for address, _ in held])
            sizes = (ctypes.c_int64 * max(1, len(self.dims)))(
                *(dims[d["name"]] for d in self.dims))
            error = native.Error(0, -1, 0)
            call = native.Call(
                ctypes.sizeof(native.Call), ABI, self._weights, ctypes.addressof(self._state),
                arena, size, ctypes.addressof(ins), ctypes.addressof(outs),
                ctypes.addressof(sizes), None, self._pool, ctypes.addressof(error), self._level)
            code = self._run(ctypes.byref(call))
        finally:
            with self._lock:
                self._arenas.append((size, keep, arena))
        if code:
            raise self._worded(error.code or code, error.node, error.value)

    def _take_arena(self, size: int) -> tuple[int, Any, int]:
        """Memory for one call's temporaries; a caller of its own while others run."""
        with self._lock:
            held = self._arenas.pop() if self._arenas else None
        if held is not None and held[0] >= size:
            return held
        keep, address = native.aligned(size)
        return size, keep, address

    def _worded(self, code: int, node: int, value: int) -> ArtifactError:
        words = CODES.get(code, f"error {code}").format(value=value)
        places = self._entry["places"]
        if 0 <= node < len(places):
            place = places[node]
            words = f"{place['op']}: {words}" + (
                f" (at {place['location']})" if place["location"] else "")
        return ArtifactError(words)

    # --- checking ------------------------------------------------------------------------------
    def verify(self) -> float:
        """Run the example that was exported; the largest difference from eager's results.

        Raises ArtifactError where it is more than 1e-4 of the largest result.
        """
        golden = read_safetensors(self._archive.view(GOLDEN), f"{self.path}: {GOLDEN}")
        state = {n: bytes(a.memory) for n, a in self.state.items()}

        def stored(kind: str, port: dict[str, Any]) -> Array:
            dtype, shape, data = self._stored(golden, f"{kind}.{port['name']}")
            return Array(dtype, tuple(shape), bytearray(data))

        found = self(*(stored("input", p) for p in self.inputs))
        for name, data in state.items():  # the example leaves no trace in the state
            self.state[name].memory[:] = data
        worst = 0.0
        for port, array in zip(self.outputs, found if isinstance(found, tuple) else (found,),
                               strict=True):
            wanted = stored("output", port)
            pairs = list(zip(array.flat.tolist(), wanted.flat.tolist(), strict=True))
            scale = max((abs(float(w)) for _, w in pairs if w == w), default=0.0)
            gap = max((abs(float(g) - float(w)) for g, w in pairs if g != w and w == w),
                      default=0.0)
            worst = max(worst, gap)
            if gap > 1e-4 * max(scale, 1e-30):
                raise ArtifactError(f"{self.path}: output {port['name']!r} of the example is off "
                                    f"by {gap:.3g} where the largest value is {scale:.3g}")
        return worst


class _Argument:
    """One argument: checked, contiguous, with an address."""

    def __init__(self, port: dict[str, Any], value: Any, numpy: Any) -> None:
        self.port = port
        self.is_numpy = numpy is not None and isinstance(value, numpy.ndarray)
        if isinstance(value, Array):
            dtype, self.shape, memory = value.dtype, value.shape, value.memory
        elif self.is_numpy:
            dtype, self.shape, memory = self._from_numpy(value, numpy)
        else:
            dtype, self.shape, memory = self._from_buffer(value)
        if dtype != port["dtype"]:
            raise self.wrong(f"got {PUBLIC.get(dtype, dtype)}")
        if len(self.shape) != len(port["shape"]):
            raise self.wrong(f"got {len(self.shape)} dims: {list(self.shape)}")
        self.address, self.keep = _address(memory)

    def wrong(self, words: str) -> ArtifactError:
        wanted = f"{PUBLIC[self.port['dtype']]} {shape_words(self.port['shape'])}"
        return ArtifactError(f"argument {self.port['name']!r}: wanted {wanted}; {words}")

    def _from_numpy(self, value: Any, numpy: Any) -> tuple[str, tuple[int, ...], memoryview]:
        name = {v[3]: k for k, v in DTYPES.items()}.get(value.dtype.str)
        if name is None:
            raise self.wrong(f"got dtype {value.dtype}")
        flat = numpy.ascontiguousarray(value).reshape(-1)
        if not flat.flags.writeable or not flat.flags.aligned:
            flat = flat.copy()
        return name, value.shape, memoryview(flat.view(numpy.uint8))

    def _from_buffer(self, value: Any) -> tuple[str, tuple[int, ...], memoryview]:
        try:
            view = memoryview(value)
        except TypeError:
            raise self.wrong(f"got {type(value).__name__}, which has no buffer") from None
        kind = view.format.lstrip("@=<") if view.format else ""
        kind = {"l": "q", "?": "?"}.get(kind, kind)
        name = next((n for n, row in DTYPES.items() if row[0] == kind), None)
        if name is None or DTYPES[name][1] != view.itemsize:
            raise self.wrong(f"got a buffer of format {view.format!r}")
        if not view.c_contiguous:
            view = memoryview(view.tobytes()).cast("B")
            return name, memoryview(value).shape or (), view
        return name, view.shape or (), view.cast("B")


def _address(memory: memoryview) -> tuple[int, Any]:
    """The address of memory, and what keeps it there; read-only memory is copied."""
    if not memory.nbytes:
        return 0, None
    flat = memory.cast("B") if memory.format != "B" or memory.ndim != 1 else memory
    if flat.readonly:
        flat = memoryview(bytearray(flat))
    held = (ctypes.c_char * len(flat)).from_buffer(flat)
    return ctypes.addressof(held), (held, flat)


def _as_numpy(numpy: Any, array: Array) -> Any:
    return numpy.frombuffer(array.memory, numpy.dtype(DTYPES[array.dtype][3])).reshape(array.shape)
