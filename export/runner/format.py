"""The file format: one zip, nothing compressed.  The writer imports these constants.

    manifest.json            what is inside, with sizes and SHA-256; entry points
    graph.txt                the graph as text
    weights.safetensors      "weights": the packed blob; "state.<name>": state; "const.<k>"
    native/<target>/...      shared objects
    golden.safetensors       "input.<name>" and "output.<name>" of the example
    __main__.py, runner/     so that ``python model.art --input x.npy`` runs by itself
"""

from __future__ import annotations

from typing import Any

from .errors import ArtifactError

FORMAT = 1
ABI = 1

MANIFEST, GRAPH, WEIGHTS, GOLDEN = (
    "manifest.json", "graph.txt", "weights.safetensors", "golden.safetensors")
#: Members that are mapped start at a page; all others at a cache line.
PAGE, LINE = 4096, 64
MAPPED = (WEIGHTS, "native/")

#: Name in graphs -> (struct format, bytes, name in safetensors, type in .npy).
DTYPES = {
    "bool": ("?", 1, "BOOL", "|b1"), "u8": ("B", 1, "U8", "|u1"), "i8": ("b", 1, "I8", "|i1"),
    "i16": ("h", 2, "I16", "<i2"), "i32": ("i", 4, "I32", "<i4"), "i64": ("q", 8, "I64", "<i8"),
    "f32": ("f", 4, "F32", "<f4"), "f64": ("d", 8, "F64", "<f8"),
}
PUBLIC = {"bool": "bool", "u8": "uint8", "i8": "int8", "i16": "int16", "i32": "int32",
          "i64": "int64", "f32": "float32", "f64": "float64"}

#: ``ej_error.code`` in words; ``{value}`` is the error's value.
CODES = {
    1: "the native code has another ABI version than this runner",
    2: "the arena is too small",
    3: "the native code has no version for this CPU",
    4: "integer division by zero",
    5: "a float is out of range for the integer it is converted to, or NaN",
    6: "index {value} is out of range",
    7: "out of memory",
}

_MOST = 1 << 40  #: no size in a manifest is larger
_DEEP = 32  #: nesting of a size expression
_OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "//": int.__floordiv__,
               "%": int.__mod__}

Size = Any  #: int, name of a dim, or [op, left, right]


def evaluate(size: Size, dims: dict[str, int]) -> int:
    """The number of a size expression."""
    if isinstance(size, int):
        return size
    if isinstance(size, str):
        return dims[size]
    left, right = evaluate(size[1], dims), evaluate(size[2], dims)
    if right == 0 and size[0] in ("//", "%"):
        raise ArtifactError("a size in the manifest divides by zero")
    return _OPERATIONS[size[0]](left, right)


def words(size: Size) -> str:
    """A size expression as people read it."""
    return f"({words(size[1])} {size[0]} {words(size[2])})" if isinstance(size, list) else str(size)


def shape_words(shape: list[Size]) -> str:
    return "[" + ", ".join(map(words, shape)) + "]"


# --- the manifest ------------------------------------------------------------------------------
def check_manifest(found: Any) -> dict[str, Any]:
    """The manifest, if every part has the form that the runner relies on."""
    m = _need(found, dict, "the manifest")
    version = m.get("format")
    if version != FORMAT:
        raise ArtifactError(f"the artifact has format {version!r}, this runner reads {FORMAT}; "
                            f"use the runner of the version that wrote it, or export it again")
    if m.get("abi") != ABI:
        raise ArtifactError(f"the artifact has ABI {m.get('abi')!r}, this runner calls {ABI}")
    for name, row in _need(m.get("members"), dict, "members").items():
        _need(row, dict, f"members[{name!r}]")
        _count(row.get("size"), f"size of {name!r}")
        digest = _need(row.get("sha256"), str, f"sha256 of {name!r}")
        if len(digest) != 64:
            raise ArtifactError(f"manifest: sha256 of {name!r} is no SHA-256")
    entries = _need(m.get("entries"), dict, "entries")
    if "main" not in entries:
        raise ArtifactError("manifest: there is no entry point 'main'")
    for name, entry in entries.items():
        _check_entry(_need(entry, dict, f"entries[{name!r}]"), name)
    for name, target in _need(m.get("targets"), dict, "targets").items():
        _need(target, dict, f"targets[{name!r}]")
        _need(target.get("member"), str, f"member of target {name!r}")
        for level in _need(target.get("levels"), list, f"levels of target {name!r}"):
            _need(level, str, f"a level of target {name!r}")
    return m


def _check_entry(entry: dict[str, Any], name: str) -> None:
    dims = set()
    for d in _need(entry.get("dims"), list, f"dims of {name}"):
        dims.add(_need(d.get("name"), str, "name of a dim"))
        low, high = _count(d.get("min"), "min of a dim"), _count(d.get("max"), "max of a dim")
        if low > high:
            raise ArtifactError(f"manifest: dim {d['name']!r} has min {low} above max {high}")
    for kind in ("inputs", "outputs", "state"):
        for port in _need(entry.get(kind), list, f"{kind} of {name}"):
            _need(_need(port, dict, f"a port of {kind}").get("name"), str, f"a name in {kind}")
            if port.get("dtype") not in DTYPES:
                raise ArtifactError(f"manifest: {kind} {port['name']!r} has dtype "
                                    f"{port.get('dtype')!r}, which is unknown")
            shape = _need(port.get("shape"), list, f"shape of {port['name']!r}")
            if len(shape) > 32:
                raise ArtifactError(f"manifest: {port['name']!r} has {len(shape)} dims")
            for size in shape:
                _check_size(size, dims if kind != "state" else set(), 0)
    _check_size(entry.get("arena"), dims, 0)
    _count(entry.get("weights_size"), "weights_size")
    for place in _need(entry.get("places"), list, "places"):
        _need(_need(place, dict, "a place").get("op"), str, "op of a place")
        _need(place.get("location"), str, "location of a place")
    known = {s for p in entry["inputs"] for s in p["shape"] if isinstance(s, str)}
    if dims - known:
        raise ArtifactError(f"manifest: no input has dim {sorted(dims - known)[0]!r} as a size")


def _check_size(size: Size, dims: set[str], depth: int) -> None:
    if isinstance(size, int) and not isinstance(size, bool):
        if not -_MOST <= size <= _MOST:
            raise ArtifactError(f"manifest: size {size} is out of range")
    elif isinstance(size, str):
        if size not in dims:
            raise ArtifactError(f"manifest: a size names the dim {size!r}, which is not declared")
    elif isinstance(size, list) and len(size) == 3 and size[0] in _OPERATIONS and depth < _DEEP:
        _check_size(size[1], dims, depth + 1)
        _check_size(size[2], dims, depth + 1)
    else:
        raise ArtifactError("manifest: a size is a number, a dim, or [op, left, right]")


def _need(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ArtifactError(f"manifest: {what} is missing or no {kind.__name__}")
    return value


def _count(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ArtifactError(f"manifest: {what} is no size: {value!r:.40}")
    return value
