"""The command line of an artifact: run, info, verify."""

from __future__ import annotations

import argparse
import sys
import time

from .archive import Archive
from .errors import ArtifactError
from .format import PUBLIC, shape_words
from .session import Runner
from .tensors import Array, read_npy, write_npy


def _options(artifact: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export" if artifact is None else artifact,
        description="Run a compiled model from its file.")
    if artifact is None:
        parser.add_argument("command", choices=("run", "info", "verify"))
        parser.add_argument("artifact", help="the file that export.save wrote")
        parser.add_argument("--trust", action="store_true",
                            help="run the native code inside: you trust whoever wrote it")
    parser.add_argument("--input", action="append", default=[], metavar="[NAME=]FILE.npy",
                        help="an input array, in order or by name")
    parser.add_argument("--output", action="append", default=[], metavar="FILE.npy",
                        help="where an output goes (default: printed)")
    parser.add_argument("--verify", action="store_true", help="run the exported example first")
    parser.add_argument("--repeat", type=int, default=1, metavar="N",
                        help="run N times and print the median time")
    return parser


def main(arguments: list[str] | None = None, artifact: str | None = None) -> int:
    """Run the command line; ``artifact`` is the file that is itself being run."""
    options = _options(artifact).parse_args(arguments)
    path = artifact or options.artifact
    try:
        if artifact is None and options.command == "info":
            return _info(path)
        runner = Runner(path, trust=artifact is not None or options.trust)
        if options.verify or (artifact is None and options.command == "verify"):
            print(f"the example is reproduced within {runner.verify():.3g}")
            if artifact is None and options.command == "verify":
                return 0
        return _run(runner, options)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(runner: Runner, options: argparse.Namespace) -> int:
    positional, named = [], {}
    for text in options.input:
        name, equals, file = text.partition("=")
        if equals and any(name == p["name"] for p in runner.inputs):
            named[name] = read_npy(file)
        else:
            positional.append(read_npy(text))
    times = []
    for _ in range(max(1, options.repeat)):
        start = time.perf_counter()
        found = runner(*positional, **named)
        times.append(time.perf_counter() - start)
    results: tuple[Array, ...] = found if isinstance(found, tuple) else (found,)
    if options.repeat > 1:
        print(f"median of {options.repeat} calls: {sorted(times)[len(times) // 2] * 1e6:.1f} us")
    if len(options.output) > len(results):
        raise ArtifactError(f"{len(options.output)} output files for {len(results)} outputs")
    for k, array in enumerate(results):
        if k < len(options.output):
            write_npy(options.output[k], array)
        else:
            print(f"{runner.outputs[k]['name']}: {PUBLIC[array.dtype]} {list(array.shape)}")
            print(array.tolist())
    return 0


def _info(path: str) -> int:
    """What an artifact is, without running or trusting anything in it."""
    import json

    from .format import MANIFEST, check_manifest

    archive = Archive(path)
    try:
        manifest = check_manifest(json.loads(bytes(archive.view(MANIFEST))))
    except ValueError:
        raise archive.error("the manifest is no JSON") from None
    print(f"{path}: {len(archive.map)} bytes, format {manifest['format']}")
    for name, version in manifest.get("producer", {}).items():
        print(f"  made by {name} {version}")
    entry = manifest["entries"]["main"]
    for kind in ("inputs", "outputs", "state"):
        for p in entry[kind]:
            print(f"  {kind.rstrip('s')} {p['name']}: {PUBLIC[p['dtype']]} "
                  f"{shape_words(p['shape'])}")
    for d in entry["dims"]:
        print(f"  dim {d['name']} in [{d['min']}, {d['max']}]")
    for name, target in manifest["targets"].items():
        print(f"  native code for {name}: {', '.join(target['levels'])}")
    for name in archive.members:
        start, size = archive.members[name]
        print(f"  {size:>10} bytes at {start:>8}  {name}")
    return 0
