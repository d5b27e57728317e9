"""The disk cache: whole blobs or none, whatever happens to the folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eager.ops.errors import CompileError
from jit.native import cache


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own."""
    monkeypatch.setenv("EAGER_JIT_CACHE", str(tmp_path / "cache"))
    cache.folder.cache_clear()
    yield tmp_path / "cache"
    cache.folder.cache_clear()


def key(k: int) -> str:
    return cache.digest("test", k)


# --- blobs -------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 1000])
def test_what_is_put_is_got(root: Path, body: bytes) -> None:
    assert cache.get(key(0)) is None
    cache.put(key(0), body)
    assert cache.get(key(0)) == body
    assert [p.suffix for p in root.iterdir()] == [".blob"]


def test_a_second_put_replaces_the_first(root: Path) -> None:
    cache.put(key(0), b"first")
    cache.put(key(0), b"second")
    assert cache.get(key(0)) == b"second"


@pytest.mark.parametrize("harm", ["flip", "truncate", "append", "empty", "short"])
def test_a_damaged_blob_is_moved_aside(root: Path, harm: str) -> None:
    cache.put(key(0), b"the body of a blob")
    path = cache.path_of(key(0))
    assert path is not None
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[-1] ^= 1
    path.write_bytes({"flip": bytes(data), "truncate": bytes(data[:-1]),
                      "append": bytes(data) + b"!", "empty": b"", "short": bytes(data[:9])}[harm])
    assert cache.get(key(0)) is None
    assert [p.suffix for p in root.iterdir()] == [".damaged"]
    cache.put(key(0), b"made again")
    assert cache.get(key(0)) == b"made again"


def test_a_blob_under_another_name_is_not_looked_at(root: Path) -> None:
    cache.put(key(0), b"one")
    assert cache.get(key(1)) is None


# --- the folder --------------------------------------------------------------------------------
def test_the_folder_is_the_users_alone(root: Path) -> None:
    cache.put(key(0), b"x")
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    path = cache.path_of(key(0))
    assert path is not None and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_others_may_write_is_closed_to_them(root: Path) -> None:
    root.mkdir(mode=0o700)
    root.chmod(0o777)
    assert cache.folder() == root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_not_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: root.parent.stat().st_uid + 1)
    assert cache.folder() is None
    cache.put(key(0), b"x")
    assert cache.get(key(0)) is None and list(root.iterdir()) == []


def test_off_is_off(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("EAGER_JIT_CACHE", "off")
    cache.folder.cache_clear()
    cache.put(key(0), b"x")
    assert cache.get(key(0)) is None and cache.path_of(key(0)) is None and not root.exists()


def test_where_it_lies_by_default(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.delenv("EAGER_JIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "xdg"))
    cache.folder.cache_clear()
    assert cache.folder() == root.parent / "xdg" / "eager-jit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(root.parent / "home"))
    cache.folder.cache_clear()
    assert cache.folder() == root.parent / "home" / ".cache" / "eager-jit"


def test_a_folder_that_cannot_be_made_costs_only_the_caching(root: Path) -> None:
    root.write_text("a file lies in the way")
    cache.put(key(0), b"x")
    assert cache.get(key(0)) is None


def test_a_write_that_fails_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "replace", full)
    cache.put(key(0), b"x")
    assert list(root.iterdir()) == []


# --- its size ----------------------------------------------------------------------------------
def test_the_blobs_used_longest_ago_go_first(root: Path) -> None:
    for k in range(6):
        cache.put(key(k), bytes(1000))
        path = cache.path_of(key(k))
        assert path is not None
        os.utime(path, (1000 + k, 1000 + k))
    assert cache.get(key(0)) is not None  # used now, so it is the newest
    cache.shrink(root, 3 * 1032)
    assert [cache.get(key(k)) is not None for k in range(6)] == [True, *[False] * 3, True, True]


def test_writes_keep_it_below_the_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAGER_JIT_CACHE_SIZE", "5000")
    monkeypatch.setattr(os, "urandom", lambda n: bytes(n))
    for k in range(20):
        cache.put(key(k), bytes(1000))
    assert sum(p.stat().st_size for p in root.iterdir()) <= 5000
    assert cache.get(key(19)) is not None


def test_a_limit_that_is_no_number_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAGER_JIT_CACHE_SIZE", "1G")
    with pytest.raises(CompileError, match="EAGER_JIT_CACHE_SIZE is a number of bytes, got '1G'"):
        cache.put(key(0), b"x")


# --- keys --------------------------------------------------------------------------------------
ALIKE: list[Any] = [
    (1,), (True,), (1.0,), ("1",), (b"1",), (None,), ("None",), (0.0,), (-0.0,), (0,), (False,),
    ("a", "b"), ("ab",), (("a", "b"),), (["a", "b"],), (("a",), "b"), ("a", ("b",)), ((),), ([],),
    (), ("",), (b"",), (("",),), (("a", ("b", "c")),), ((("a", "b"), "c"),), (float("nan"),),
    (float("inf"),), (np.float64(1.0),), ("str:1;1",),
]


def test_different_values_have_different_keys() -> None:
    assert len({cache.digest(*parts) for parts in ALIKE}) == len(ALIKE)
    assert all(cache.digest(*parts) == cache.digest(*parts) for parts in ALIKE)


@pytest.mark.parametrize("value", [np.zeros(3), object(), {"a": 1}, {1}, np.dtype("f4")])
def test_what_has_no_exact_text_makes_no_key(value: Any) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        cache.digest("x", value)


# --- processes ---------------------------------------------------------------------------------
MANY = """
import sys
from jit.native import cache
body = {k: bytes([k]) * (1000 + 37 * k) for k in range(20)}
for turn in range(40):
    for k in body:
        found = cache.get(cache.digest("many", k))
        assert found is None or found == body[k]
        if (turn + k) % 3 == 0:
            cache.put(cache.digest("many", k), body[k])
"""


def test_processes_at_once_see_whole_blobs_or_none(root: Path) -> None:
    environment = {**os.environ, "EAGER_JIT_CACHE_SIZE": "12000"}  # half is dropped all the time
    running = [subprocess.Popen([sys.executable, "-c", MANY], env=environment,
                                stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, words = process.communicate(timeout=60)
        assert process.returncode == 0, words.decode()
    assert {p.suffix for p in root.iterdir()} == {".blob"}


SECOND = """
import sys, numpy as np, eager, jit
p = jit.trace(lambda x: (x * 3.0 + 1.0).sum(1), (eager.tensor(np.ones((4, 5), np.float32)),))
print(p(eager.tensor(np.ones((4, 5), np.float32))).numpy().tolist(),
      sorted({"numba", "llvmlite"} & set(sys.modules)))
"""


def test_a_hit_imports_no_compiler(root: Path) -> None:
    first, second = (subprocess.run([sys.executable, "-c", SECOND], capture_output=True,
                                    text=True, check=True).stdout for _ in range(2))
    assert first == "[20.0, 20.0, 20.0, 20.0] ['llvmlite', 'numba']\n"
    assert second == "[20.0, 20.0, 20.0, 20.0] []\n"
