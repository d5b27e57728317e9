"""The onlooker of a trace: which Python code ran, on which objects, and what it asked of the world.

A profile hook sees every call.  What a program may rely on is only what the code that ran could
read; what no two calls answer alike (clocks, files) is refused where a user's code asks for it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any, Self

from eager.engine.stateful import is_library, is_stream
from eager.engine.tensor import Tensor
from eager.ops.errors import TraceError
from jit.recorder import PACKAGES, STDLIB

#: Functions written in C whose answer is no program's to keep: ``module.qualified name``.
_CLOCKS = {f"time.{unit}{ns}" for unit in (
    "time", "perf_counter", "monotonic", "process_time", "thread_time") for ns in ("", "_ns")}
_REFUSED = {
    **dict.fromkeys(_CLOCKS, "a clock"),
    **dict.fromkeys(("time.localtime", "time.gmtime", "time.ctime", "time.strftime",
                     "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
                    "a clock"),
    **dict.fromkeys(("io.open", "_io.open", "posix.open", "posix.stat", "posix.listdir",
                     "posix.scandir"), "a file"),
    "posix.urandom": "the system's random numbers",
    "builtins.input": "the terminal",
}
_NAMES = frozenset(name.rpartition(".")[2] for name in _REFUSED)
#: Parts of the standard library that look at clocks and files for themselves.
_DISCREET = ("logging/", "threading.py", "warnings.py", "linecache.py", "traceback.py",
             "importlib/", "<frozen importlib", "tracemalloc.py", "inspect.py", "functools.py")
#: Packages of ours that define objects with settings: modules and optimisers.
_WITH_SETTINGS = ("eager.nn", "eager.optim")


class Onlooker:
    """Sees a trace while it is entered; ``streams`` are random ones to look out for."""

    def __init__(self, streams: Iterable[Any] = ()) -> None:
        self.codes: dict[int, CodeType] = {}  #: what ran of the user's, of modules and optimisers
        self.globals: dict[int, dict[str, Any]] = {}  #: of that code
        self.selves: dict[int, Any] = {}  #: the objects whose methods ran
        self.environment: dict[str, str] = {}  #: variables asked for -> where
        self.draws: dict[int, str] = {}  #: random streams of Python's and NumPy's -> where
        self._known: dict[int, bool] = {}  #: id of a code -> whether it has a ``self`` to note
        self._drawing = frozenset(name for s in streams for name in dir(s))
        self._refused: TraceError | None = None

    def __enter__(self) -> Self:
        # What the collector calls (callbacks, finalisers) is nobody's who is traced.
        self._collects = gc.isenabled()
        gc.disable()
        self._before = sys.getprofile()
        sys.setprofile(self._hook())
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(self._before)
        if self._collects:
            gc.enable()

    def check(self) -> None:
        """Raise what was refused, if anything was."""
        if self._refused is not None:
            raise self._refused

    # --- the hook ------------------------------------------------------------------------------
    def _hook(self) -> Callable[[FrameType, str, Any], None]:
        """The function that sees each call; it is called very often."""
        known, names, meet, note, ask = (self._known, _NAMES | self._drawing, self._meet,
                                         self._note_self, self._ask)

        def see(frame: FrameType, event: str, arg: Any) -> None:
            if event == "call":
                has_self = known.get(id(frame.f_code))
                if has_self is None:
                    has_self = meet(frame)
                if has_self:
                    note(frame)
            elif event == "c_call" and arg.__name__ in names:
                ask(frame, arg)

        return see

    def _meet(self, frame: FrameType) -> bool:
        """Look at code for the first time; the engine's and the library's own is passed over."""
        code = frame.f_code
        if code is _ENVIRONMENT_CODE:
            self._note_variable(frame)
            return False  # not known: the next call is for another variable
        name = str(frame.f_globals.get("__name__"))
        if is_library(name) and not name.startswith(_WITH_SETTINGS):
            self._known[id(code)] = False
            return False
        if _is_imported(frame):
            return False  # not known either: called elsewhere, it is looked at
        self.codes[id(code)], self.globals[id(code)] = code, frame.f_globals
        known = code.co_argcount > 0 and code.co_varnames[0] == "self"
        self._known[id(code)] = known
        return known

    def _note_self(self, frame: FrameType) -> None:
        found = frame.f_locals.get("self")
        if not isinstance(found, Tensor):
            self.selves[id(found)] = found

    def _note_variable(self, frame: FrameType) -> None:
        place = _asked_at(frame)
        if place:
            self.environment.setdefault(frame.f_locals["key"], place)

    def _ask(self, frame: FrameType, asked: Any) -> None:
        """A function in C was called by a name that is looked out for."""
        words = _REFUSED.get(f"{asked.__module__ or ''}.{asked.__qualname__}".lstrip("."))
        stream = id(asked.__self__) if is_stream(asked.__self__) else None
        if (words and self._refused is None) or (stream and stream not in self.draws):
            place = _asked_at(frame)
            if place and stream:
                self.draws[stream] = place
            elif place:
                self._refused = TraceError(
                    f"{place}: the function asks for {words} ({asked.__qualname__}), and a "
                    f"program would answer as at the trace for ever; pass what it gives as an "
                    f"argument, or do this outside of the function")


def _is_imported(frame: FrameType | None) -> bool:
    """Whether an import has this run: a module's own body, or a hook that finds and loads it."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _asked_at(frame: FrameType | None) -> str:
    """The user's line behind a call of the library; empty if no user asked."""
    while frame is not None and is_library(str(frame.f_globals.get("__name__"))):
        file = frame.f_code.co_filename
        if file.startswith(PACKAGES) or file.removeprefix(STDLIB).startswith(_DISCREET):
            return ""
        frame = frame.f_back
    if frame is None:
        return ""
    return place_of(frame.f_code, frame.f_lineno)


def place_of(code: CodeType, line: int) -> str:
    """A line of code as reports name it: ``model.py:12 forward``."""
    return f"{code.co_filename.rpartition('/')[2]}:{line} {code.co_name}"


_ENVIRONMENT_CODE = type(os.environ).__getitem__.__code__
