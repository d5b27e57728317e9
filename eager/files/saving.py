"""``save`` and ``load``."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from eager.files import container, structure
from eager.ops.errors import OpError


def save(obj: Any, f: Any) -> None:
    """Write tensors, and dicts, lists, tuples and plain values round them, to a path or file.

    A path is written beside and renamed, so that a reader never sees half a file.  Tensors that
    are one object stay one; views are written as copies.  OpError names what cannot be written.
    """
    tensors, description = structure.encode(obj)
    blob = container.packed(tensors, {"format": "eager", "structure": description})
    if hasattr(f, "write"):
        f.write(blob)
        return
    path = Path(f)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def load(f: Any, map_location: Any = None, *, weights_only: bool | None = None,
         mmap: bool | None = None) -> Any:
    """What `save` wrote, a safetensors file (a dict), or what ``torch.save`` wrote of tensors.

    ``map_location`` may name the cpu only.  Nothing in a file is ever run, so there is no
    ``weights_only=False``; ``mmap`` changes nothing.  OpError says what is wrong with a file.
    """
    if str(map_location) not in ("None", "cpu"):
        raise OpError(f"load: map_location={map_location!r}: tensors live on the cpu")
    if weights_only is False:
        raise OpError("load: weights_only=False would run code of the file; files here hold "
                      "tensors, containers and plain values: leave it out")
    blob = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    if blob[:2] == b"PK":
        from eager.files import torch_zip

        return torch_zip.unpacked(io.BytesIO(blob))
    tensors, metadata = container.unpacked(blob)
    if metadata.get("format") == "eager" and "structure" in metadata:
        return structure.decode(metadata["structure"], tensors)
    return structure.wrapped(tensors)
