"""The command line of an artifact: run, info, verify."""

from __future__ import annotations

import os
import sys
import time

from .errors import ArtifactError
from .format import PUBLIC, read_manifest, shape_words
from .session import Runner
from .tensors import Array, read_npy, write_npy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Option -> (what it takes, what it does).  The module argparse takes as long as the model.
_OPTIONS = {
    "--input": ("[NAME=]X.npy", "an input array, in order or by name; may be repeated"),
    "--output": ("Y.npy", "where an output goes, in order (default: printed); may be repeated"),
    "--repeat": ("N", "run N times and print the median time; state moves on each time"),
    "--verify": ("", "first run the example that was exported, and compare"),
    "--trust": ("", "run the native code inside: you trust whoever wrote the file"),
    "--help": ("", "print this"),
}
_USAGE = {
    "run": "run the program on .npy files",
    "info": "print what is inside, and run nothing",
    "verify": "run the example that was exported, and compare",
}


class UsageError(Exception):
    """The command line has another form than `_OPTIONS` says."""


def main(arguments: list[str] | None = None, artifact: str | None = None) -> int:
    """Run the command line, and give the exit status: 1 for an ArtifactError, 2 for bad usage.

    ``artifact`` is the file that is itself being run, which is to trust it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = _main(given, artifact)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has read enough
        # What is still buffered goes nowhere, or Python would complain when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    return status


def _main(given: list[str], artifact: str | None) -> int:
    try:
        words, options = _parsed(given)
        if "--help" in options:
            print(_help(artifact))
            return 0
        if artifact:
            if words:
                raise UsageError(f"{words[0]!r} is no option")
            return _call(Runner(artifact, trust=True), options)
        if len(words) != 2 or words[0] not in _COMMANDS:
            raise UsageError("wanted a command and an artifact")
        return _COMMANDS[words[0]](words[1], options)
    except UsageError as error:
        print(f"error: {error}\n{_help(artifact)}", file=sys.stderr)
        return 2
    except ArtifactError as error:
        print(f"error: {_harmless(str(error))}", file=sys.stderr)
        return 1


def _harmless(text: str) -> str:
    """Words in which strings of the file may stand, without what a terminal would obey."""
    return text if text.isprintable() and text.isascii() else ascii(text)


def _parsed(given: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Words, and options with the values that each was given."""
    words: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(given)
    for text in rest:
        if not text.startswith("-"):
            words.append(text)
            continue
        name, equals, value = text.partition("=")
        if name not in _OPTIONS:
            raise UsageError(f"{name!r} is no option")
        takes = _OPTIONS[name][0]
        if takes and not equals:
            value = next(rest, "")
        if bool(takes) != bool(value):
            raise UsageError(f"{name} takes {takes or 'nothing'}")
        options.setdefault(name, []).append(value)
    return words, options


def _help(artifact: str | None) -> str:
    lines = [f"usage: {artifact} [options]" if artifact else
             "usage: python -m export COMMAND ARTIFACT [options]"]
    if not artifact:
        lines += [f"  {name:<24} {does}" for name, does in _USAGE.items()]
    lines += [f"  {f'{name} {takes}':<24} {does}" for name, (takes, does) in _OPTIONS.items()
              if not (artifact and name == "--trust")]
    return "\n".join(lines)


# --- the commands ------------------------------------------------------------------------------
def _run(path: str, options: dict[str, list[str]]) -> int:
    return _call(Runner(path, trust="--trust" in options), options)


def _call(runner: Runner, options: dict[str, list[str]]) -> int:
    if "--verify" in options:
        print(f"the example is reproduced within {runner.verify():.3g}")
        if "--input" not in options and runner.inputs:
            return 0
    positional, named = _inputs(runner, options.get("--input", []))
    outputs = options.get("--output", [])
    if len(outputs) > len(runner.outputs):
        raise ArtifactError(f"{len(outputs)} output files for {len(runner.outputs)} outputs")
    results = _timed(runner, positional, named, options.get("--repeat", ["1"])[-1])
    for k, array in enumerate(results):
        if k < len(outputs):
            write_npy(outputs[k], array)
        else:
            print(f"{runner.outputs[k]['name']}: {PUBLIC[array.dtype]} {list(array.shape)}")
            print(array.tolist())
    return 0


def _inputs(runner: Runner, texts: list[str]) -> tuple[list[Array], dict[str, Array]]:
    names = {p["name"] for p in runner.inputs}
    positional: list[Array] = []
    named: dict[str, Array] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if equals and name in names:
            named[name] = read_npy(file)
        else:
            positional.append(read_npy(text))
    return positional, named


def _timed(runner: Runner, positional: list[Array], named: dict[str, Array],
           times: str) -> tuple[Array, ...]:
    """The results of the last of some calls; the median time is printed."""
    if not (times.isascii() and times.isdigit()) or int(times) < 1:
        raise UsageError(f"--repeat takes a number from 1, got {times!r}")
    took: list[float] = []
    for _ in range(int(times)):
        start = time.perf_counter()
        found = runner(*positional, **named)
        took.append(time.perf_counter() - start)
    if len(took) > 1:
        print(f"median of {len(took)} calls: {sorted(took)[len(took) // 2] * 1e6:.1f} us")
    return found if isinstance(found, tuple) else (found,)


def _verify(path: str, options: dict[str, list[str]]) -> int:
    runner = Runner(path, trust="--trust" in options)
    print(f"the example is reproduced within {runner.verify():.3g}")
    return 0


def _info(path: str, options: dict[str, list[str]]) -> int:
    """What an artifact is, without running or trusting anything in it."""
    from .archive import Archive

    archive = Archive(path)
    manifest = read_manifest(archive)
    lines = [f"{path}: {len(archive.map)} bytes, format {manifest['format']}"]
    lines += [f"  made by {name} {version}" for name, version in manifest["producer"].items()]
    for name, entry in manifest["entries"].items():
        lines += [f"  entry {name}", *_described(entry)]
    lines += [f"  native code for {name}: {', '.join(target['levels'])}"
              for name, target in manifest["targets"].items()]
    lines += [f"  {size:>10} bytes at {start:>8}  {name}"
              for name, (start, size) in archive.members.items()]
    for line in lines:
        print(_harmless(line))
    return 0


def _described(entry: dict[str, Any]) -> list[str]:
    lines = [f"    {kind.rstrip('s')} {p['name']}: {PUBLIC[p['dtype']]} {shape_words(p['shape'])}"
             for kind in ("inputs", "outputs", "state") for p in entry[kind]]
    lines += [f"    dim {d['name']} in [{d['min']}, {d['max']}]" for d in entry["dims"]]
    lines.append(f"    {entry['weights_size']} bytes of weights, arena of "
                 f"{shape_words([entry['arena']])[1:-1]} bytes a call")
    return lines


_COMMANDS = {"run": _run, "info": _info, "verify": _verify}
