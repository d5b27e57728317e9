"""The file format: one zip, nothing compressed.  The writer imports these constants.

    manifest.json            what is inside, with sizes and SHA-256; entry points
    graph.txt                the graph as text
    weights.safetensors      "weights": the packed blob; "state.<name>": state
    native/<target>/...      shared objects
    golden.safetensors       "input.<name>" and "output.<name>" of the example
    __main__.py, runner/     so that ``python model.art --input x.npy`` runs by itself
"""

from __future__ import annotations

from .errors import ArtifactError
from .strictjson import parse_json

# The module typing takes longer to import than this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .archive import Archive

    Size = Any  #: int, name of a dim, or [op, left, right]

FORMAT = 1
ABI = 1

#: Before the zip, so that the file can be made executable.
SHEBANG = b"#!/usr/bin/env python3\n"

MANIFEST, GRAPH, WEIGHTS, GOLDEN = (
    "manifest.json", "graph.txt", "weights.safetensors", "golden.safetensors")
#: Members that are mapped start at a page; all others at a cache line.
PAGE, LINE = 4096, 64
CODE = "native/"
MAPPED = (WEIGHTS, CODE)

#: Name in graphs -> (struct format, bytes, name in safetensors, type in .npy).  The format of a
#: complex number, which struct does not know, is NumPy's: Z and that of its parts.
DTYPES = {
    "bool": ("?", 1, "BOOL", "|b1"), "u8": ("B", 1, "U8", "|u1"), "i8": ("b", 1, "I8", "|i1"),
    "i16": ("h", 2, "I16", "<i2"), "i32": ("i", 4, "I32", "<i4"), "i64": ("q", 8, "I64", "<i8"),
    "f32": ("f", 4, "F32", "<f4"), "f64": ("d", 8, "F64", "<f8"),
    "c64": ("Zf", 8, "C64", "<c8"), "c128": ("Zd", 16, "C128", "<c16"),
}
PUBLIC = {"bool": "bool", "u8": "uint8", "i8": "int8", "i16": "int16", "i32": "int32",
          "i64": "int64", "f32": "float32", "f64": "float64", "c64": "complex64",
          "c128": "complex128"}

#: ``ej_error.code`` in words; ``{value}`` is the error's value.
CODES = {
    1: "the native code has another ABI version than this runner",
    2: "the arena is too small",
    3: "the native code has no version for this CPU",
    4: "integer division by zero",
    6: "index {value} is out of range",
    7: "out of memory",
    8: "a matrix is singular or not positive definite",
    9: "a matrix holds NaN or an infinity, and has no singular values",
}

_MOST = 1 << 40  #: no size in a manifest, and none that follows from it, is larger
_MOST_MANIFEST = 64 << 20
MOST_DIMS = 32
_DEEP = 32  #: nesting of a size expression
_OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "//": int.__floordiv__,
               "%": int.__mod__}
#: How sizes may be related.
RELATIONS = {"==": int.__eq__, "!=": int.__ne__, ">=": int.__ge__, "<=": int.__le__}


# --- sizes -------------------------------------------------------------------------------------
def evaluate(size: Size, dims: dict[str, int]) -> int:
    """The number of a size expression; ArtifactError where it is no size."""
    value = size if isinstance(size, int) else value_of(size, dims)
    if not 0 <= value <= _MOST:
        raise ArtifactError(f"the size {words(size)} is {value} where "
                            f"{', '.join(f'{n} = {d}' for n, d in dims.items())}")
    return value


def value_of(size: Size, dims: dict[str, int]) -> int:
    """The number of an expression, which may be negative."""
    if isinstance(size, int):
        return size
    if isinstance(size, str):
        return dims[size]
    left, right = value_of(size[1], dims), value_of(size[2], dims)
    if right == 0 and size[0] in ("//", "%"):
        raise ArtifactError(f"the size {words(size)} divides by zero")
    return _OPERATIONS[size[0]](left, right)


def words(size: Size) -> str:
    """A size expression as people read it."""
    return f"({words(size[1])} {size[0]} {words(size[2])})" if isinstance(size, list) else str(size)


def shape_words(shape: list[Size]) -> str:
    return "[" + ", ".join(map(words, shape)) + "]"


# --- the manifest ------------------------------------------------------------------------------
def read_manifest(archive: Archive) -> dict[str, Any]:
    """The manifest of an archive, checked."""
    text = archive.summed(MANIFEST)
    try:
        return check_manifest(text)
    except ArtifactError as error:
        raise archive.error(str(error)) from None


def check_manifest(text: bytes) -> dict[str, Any]:
    """The manifest, if every part has the form that the runner relies on."""
    if len(text) > _MOST_MANIFEST:
        raise ArtifactError(f"the manifest has {len(text)} bytes, more than {_MOST_MANIFEST}")
    m = parse_json(text, "the manifest")
    for name, known in (("format", FORMAT), ("abi", ABI)):
        if type(m.get(name)) is not int or m[name] != known:
            raise ArtifactError(f"the artifact has {name} {m.get(name)!r:.40}, this runner reads "
                                f"{known}; use the runner of the version that wrote it, or export "
                                f"it again")
    for name, version in _need(m.get("producer"), dict, "producer").items():
        _need(version, str, f"version of {name!r}")
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
        _check_target(_need(target, dict, f"targets[{name!r}]"), name, m["members"])
    return m


def _check_target(target: dict[str, Any], name: str, members: dict[str, Any]) -> None:
    member = _need(target.get("member"), str, f"member of target {name!r}")
    # Only members under this name always have their hash checked.
    if not member.startswith(CODE) or member not in members:
        raise ArtifactError(f"manifest: target {name!r} names {member!r}, which is no native code")
    for level in _need(target.get("levels"), list, f"levels of target {name!r}"):
        _need(level, str, f"a level of target {name!r}")


def _check_entry(entry: dict[str, Any], name: str) -> None:
    dims = set()
    for d in _named(entry, "dims", name):
        dims.add(d["name"])
        low, high = _count(d.get("min"), "min of a dim"), _count(d.get("max"), "max of a dim")
        if low > high:
            raise ArtifactError(f"manifest: dim {d['name']!r} has min {low} above max {high}")
    for kind in ("inputs", "outputs", "state", "weights"):
        for port in _named(entry, kind, name):
            dtype = _need(port.get("dtype"), str, f"dtype of {port['name']!r}")
            if dtype not in DTYPES:
                raise ArtifactError(f"manifest: {port['name']!r} has the unknown dtype {dtype!r}")
            shape = _need(port.get("shape"), list, f"shape of {port['name']!r}")
            if len(shape) > MOST_DIMS:
                raise ArtifactError(f"manifest: {port['name']!r} has {len(shape)} dims")
            for size in shape:
                _check_size(size, dims if kind in ("inputs", "outputs") else set(), 0)
    inputs = [p["name"] for p in entry["inputs"]]
    for written in _need(entry.get("writes"), list, "writes"):
        if written not in inputs:
            raise ArtifactError(f"manifest: there is no input {written!r:.40} to be written")
    _check_size(entry.get("arena"), dims, 0)
    size = _count(entry.get("weights_size"), "weights_size")
    for weight in entry["weights"]:
        if _count(weight.get("offset"), f"offset of {weight['name']!r}") > size:
            raise ArtifactError(f"manifest: weight {weight['name']!r} lies behind the weights")
    for place in _need(entry.get("places"), list, "places"):
        _need(_need(place, dict, "a place").get("op"), str, "op of a place")
        _need(place.get("location"), str, "location of a place")
    for rule in _need(entry.get("relations"), list, "relations"):
        _check_relation(_need(rule, dict, "a relation"), dims)
    known = {n for p in entry["inputs"] for s in p["shape"] for n in _names(s)}
    if dims - known:
        raise ArtifactError(f"manifest: no input has dim {min(dims - known)!r} as a size")


def _check_relation(rule: dict[str, Any], dims: set[str]) -> None:
    op, left = _need(rule.get("op"), str, "op of a relation"), rule.get("left")
    if op not in RELATIONS:
        raise ArtifactError(f"manifest: a relation of sizes is one of {', '.join(RELATIONS)}, got "
                            f"{op!r:.40}")
    if not (isinstance(left, str) and op == "=="):  # else a name for the right side
        _check_size(left, dims, 0)
    _check_size(rule.get("right"), dims, 0)
    _need(rule.get("place"), str, "place of a relation")


def _names(size: Size) -> set[str]:
    """The dims of a size that has been checked."""
    if isinstance(size, list):
        return _names(size[1]) | _names(size[2])
    return {size} if isinstance(size, str) else set()


def _named(entry: dict[str, Any], kind: str, name: str) -> list[dict[str, Any]]:
    """The rows of a table of an entry, whose names are unique."""
    seen: set[str] = set()
    rows: list[dict[str, Any]] = _need(entry.get(kind), list, f"{kind} of {name!r}")
    for row in rows:
        own = _need(_need(row, dict, f"a row of {kind}").get("name"), str, f"a name in {kind}")
        if own in seen:
            raise ArtifactError(f"manifest: {kind} has {own!r} twice")
        seen.add(own)
    return rows


def _check_size(size: Size, dims: set[str], depth: int) -> None:
    if type(size) is int:
        if not -_MOST <= size <= _MOST:
            raise ArtifactError(f"manifest: size {size} is out of range")
    elif isinstance(size, str):
        if size not in dims:
            raise ArtifactError(f"manifest: a size names the dim {size!r}, which is not declared")
    elif (isinstance(size, list) and len(size) == 3 and isinstance(size[0], str)
          and size[0] in _OPERATIONS and depth < _DEEP):
        _check_size(size[1], dims, depth + 1)
        _check_size(size[2], dims, depth + 1)
    else:
        raise ArtifactError("manifest: a size is a number, a dim, or [op, left, right], nested "
                            f"{_DEEP} deep at most")


def _need(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ArtifactError(f"manifest: {what} is missing or no {kind.__name__}")
    return value


def _count(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ArtifactError(f"manifest: {what} is no size: {value!r:.40}")
    return value
