"""Runner: an artifact, loaded, checked, and called like a function."""

from __future__ import annotations

import _thread
import ctypes
import hashlib
import os
import sys
import types

from . import native
from .archive import Archive
from .arguments import Argument, bind_dims, refuse_overlap
from .errors import ArtifactError
from .format import (
    ABI,
    CODES,
    DTYPES,
    GOLDEN,
    LINE,
    MANIFEST,
    WEIGHTS,
    evaluate,
    read_manifest,
    shape_words,
)
from .tensors import Array, count, read_safetensors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Members that are data: their hash is checked unless the caller does without.
_DATA = (WEIGHTS, GOLDEN)


class Runner:
    """A callable on arrays; ``inputs``, ``outputs`` and ``dims`` say of which.

    Arguments are given by position or by name: NumPy arrays, `Array`, or anything with a buffer
    of the right dtype and shape.  Results belong to the caller: NumPy arrays where an argument
    was one, else `Array`.  Calls may come from several threads; those of a program that writes
    its state take turns.  ``state`` is the runner's own and starts as exported.  ``writes`` names
    the arguments that the program writes, as the function did that it was traced from.
    """

    def __init__(self, path: str | os.PathLike[str], trust: bool = False,
                 verify: str = "always") -> None:
        self.path = os.fspath(path)
        if verify not in ("always", "code"):
            raise ArtifactError(f"verify is 'always' or 'code', got {verify!r}")
        self._archive = Archive(self.path)
        self.manifest = self._read_manifest()
        self._entry = self.manifest["entries"]["main"]
        self.inputs, self.outputs = self._entry["inputs"], self._entry["outputs"]
        self.dims: list[dict[str, Any]] = self._entry["dims"]
        self.writes: list[str] = self._entry["writes"]
        if not trust:
            raise ArtifactError(
                f"{self.path}: holds native code, and running it means trusting whoever wrote it. "
                f"If you do, say so: load(path, trust=True), or --trust on the command line")
        for name in self.manifest["members"]:
            if verify == "always" or name not in _DATA:
                self._checked(name, self._archive.view(name))
        self._open()

    def __repr__(self) -> str:
        def words(ports: list[dict[str, Any]]) -> str:
            return ", ".join(f"{p['name']}: {p['dtype']}{shape_words(p['shape'])}" for p in ports)

        return f"<Runner {self.path}: ({words(self.inputs)}) -> ({words(self.outputs)})>"

    # --- opening -------------------------------------------------------------------------------
    def _read_manifest(self) -> dict[str, Any]:
        manifest = read_manifest(self._archive)
        named, inside = set(manifest["members"]), set(self._archive.members) - {MANIFEST}
        if named - inside:
            raise self._archive.error(f"has no member {min(named - inside)!r}, which the manifest "
                                      f"names")
        if inside - named:
            raise self._archive.error(f"has a member {min(inside - named)!r}, which the manifest "
                                      f"does not name")
        return manifest

    def _checked(self, name: str, data: bytes | memoryview) -> Any:
        row = self.manifest["members"][name]
        if len(data) != row["size"] or hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise self._archive.error(f"member {name!r} is not what the manifest says: the file "
                                      f"was altered or damaged; export or copy it again")
        return data

    def _open(self) -> None:
        self._load_code()
        self._tensors = read_safetensors(self._archive.view(WEIGHTS), f"{self.path}: {WEIGHTS}")
        self._weights = self._map_weights()
        self.state = types.MappingProxyType(self._exported_state())
        self._arenas: list[tuple[int, Any, int]] = []
        self._lock = _thread.allocate_lock()
        self._turn = _thread.allocate_lock()

    def _load_code(self) -> None:
        here, targets = native.target_here(), self.manifest["targets"]
        if here not in targets:
            raise self._archive.error(f"holds code for {', '.join(targets) or 'no machine'}, and "
                                      f"this is {here}; export it for that target")
        member = targets[here]["member"]
        # A copy is checked and mapped, so nobody can change the file in between.
        image = self._checked(member, bytes(self._archive.view(member)))
        library = native.load(image, self.manifest["members"][member]["sha256"], self.path)
        self._level = native.chosen_level(library, targets[here]["levels"])
        self._pool = native.pool(library)
        self._run = library.ej_run

    def _stored(self, tensors: dict[str, Array], kind: str, port: dict[str, Any]) -> Array:
        name = f"{kind}.{port['name']}"
        if name not in tensors:
            raise self._archive.error(f"there is no tensor {name!r}")
        return tensors[name]

    def _exported_state(self) -> dict[str, Array]:
        """A copy of the state as it was exported."""
        state: dict[str, Array] = {}
        for port in self._entry["state"]:
            held = self._stored(self._tensors, "state", port)
            if held.dtype != port["dtype"] or list(held.shape) != port["shape"]:
                raise self._archive.error(f"state {port['name']!r} is not what the manifest says")
            state[port["name"]] = held.copy()
        return state

    def _map_weights(self) -> int:
        """The address of the packed weights, in the mapped file."""
        blob = self._tensors.get("weights")
        size = self._entry["weights_size"]
        if blob is None or len(blob.memory) < size:
            raise self._archive.error(f"the packed weights are not there in full; the program "
                                      f"reads {size} bytes")
        address, self._keep_weights = native.address(blob.memory, LINE)
        return address

    # --- calling -------------------------------------------------------------------------------
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the program once: one result, or a tuple of them."""
        numpy = sys.modules.get("numpy")
        given = self._named(args, kwargs)
        arguments = [Argument(p, x, numpy, p["name"] in self.writes)
                     for p, x in zip(self.inputs, given, strict=True)]
        if self.writes:
            refuse_overlap(arguments, self.writes)
        if self.state:
            with self._turn:
                results = self._call(arguments, self.state)
        else:
            results = self._call(arguments, self.state)
        found: list[Any] = list(results)
        if numpy is not None and any(a.is_numpy for a in arguments):
            found = [numpy.frombuffer(r.memory, DTYPES[r.dtype][3]).reshape(r.shape)
                     for r in results]
        return found[0] if len(found) == 1 else tuple(found)

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        names = [p["name"] for p in self.inputs]
        given = dict(zip(names, args, strict=False))
        if (len(args) > len(names) or given.keys() & kwargs.keys()
                or given.keys() | kwargs.keys() != set(names)):
            raise ArtifactError(f"the program takes {', '.join(names) or 'nothing'}; got "
                                f"{len(args)} by position" + (
                                    f" and {', '.join(kwargs)} by name" if kwargs else ""))
        given.update(kwargs)
        return [given[n] for n in names]

    @staticmethod
    def _result(port: dict[str, Any], dims: dict[str, int]) -> Array:
        shape = tuple(evaluate(s, dims) for s in port["shape"])
        size = count(shape) * DTYPES[port["dtype"]][1]
        try:
            return Array(port["dtype"], shape, bytearray(size))
        except (MemoryError, OverflowError):
            raise ArtifactError(f"out of memory: output {port['name']!r} has {size} "
                                f"bytes") from None

    def _call(self, arguments: list[Argument], state: Mapping[str, Array]) -> list[Array]:
        """Run the native code on checked arguments; it reads and writes ``state``."""
        dims = bind_dims(arguments, self._entry)
        results = [self._result(p, dims) for p in self.outputs]
        arena = self._take_arena(evaluate(self._entry["arena"], dims))
        try:
            held = [native.address(a.memory, 1) for a in (*state.values(), *results)]
            states = native.addresses([address for address, _ in held[:len(state)]])
            ins = native.addresses([a.address for a in arguments])
            outs = native.addresses([address for address, _ in held[len(state):]])
            sizes = (ctypes.c_int64 * max(1, len(self.dims)))(*(dims[d["name"]] for d in self.dims))
            error = native.Error(0, -1, 0)
            call = native.Call(
                ctypes.sizeof(native.Call), ABI, self._weights, ctypes.addressof(states),
                arena[2], arena[0], ctypes.addressof(ins), ctypes.addressof(outs),
                ctypes.addressof(sizes), None, self._pool, ctypes.addressof(error), self._level)
            code = self._run(ctypes.byref(call))
        finally:
            with self._lock:
                self._arenas.append(arena)
        if code:
            raise self._worded(error.code or code, error.node, error.value)
        return results

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

        It runs on the state as exported and leaves the runner's as it is.  Raises ArtifactError
        where a difference is more than rounding (`golden.TOLERANCE`).
        """
        from .golden import compare

        tensors = read_safetensors(self._archive.view(GOLDEN), f"{self.path}: {GOLDEN}")
        # Copies: the program may write its arguments.
        arguments = [Argument(p, self._stored(tensors, "input", p).copy(), None, False)
                     for p in self.inputs]
        results = self._call(arguments, self._exported_state())
        return max((compare(p["name"], r, self._stored(tensors, "output", p))
                    for p, r in zip(self.outputs, results, strict=True)), default=0.0)
