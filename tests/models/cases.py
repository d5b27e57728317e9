"""Models to trace from a batch of one: what is called, with what, and which sizes then change."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import eager
import jit
from jit import pytree

TESTS = Path(__file__).parents[1]
BATCHES = (1, 3, 8)


@dataclass(frozen=True)
class Case:
    """One model, and the functions of it that are traced, in the order of their calls.

    ``entries`` are pairs of a method of the model, or a function of its file that takes the
    model first, and the function of the file that makes the arguments.  A program of
    ``tests/programs`` makes arguments of one size: ``batch`` and ``length`` then are the axes
    of each that grow, None for none.
    """

    name: str
    file: str
    entries: tuple[tuple[str, str], ...] = (("forward", "inputs"),)
    build: str = "build"
    lengths: tuple[int, ...] = (5, 8)
    batch: tuple[int | None, ...] = ()
    length: tuple[int | None, ...] = ()
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def model(name: str, **settings: Any) -> Case:
    return Case(name, f"models/{settings.pop('file', name)}.py", **settings)


def program(name: str, *batch: int | None, entry: str = "loss", **settings: Any) -> Case:
    return Case(name, f"programs/{settings.pop('file', name)}.py", ((entry, "inputs"),),
                batch=batch, **{"lengths": (0,), **settings})


CASES = (
    model("bert"),
    model("gpt2"),
    model("gpt2 decoding", file="gpt2", entries=(("forward", "grown"),)),
    model("llama", entries=(("prefill", "inputs"), ("decode", "following"))),
    model("t5"),
    model("vit"),
    model("swin", lengths=(0,)),
    model("mamba", lengths=(6,)),
    model("mamba in chunks", file="mamba", build="chunked"),
    model("mamba scanned", file="mamba", build="scanned"),
    model("whisper"),
    model("clip"),
    model("detr"),
    model("mixtral"),
    program("dcgan", 0, 0),
    program("ddpm", 0, 0, 0, 1),
    program("detector", 0, None, None, entry="forward", length=(3,), lengths=(16, 24)),
    program("gpt", 0, 0, length=(1, 1), lengths=(5, 7)),
    program("maml", None, None),
    program("packed_gru", *[None] * 5),
    program("pinn", 0, 0),
    program("resnet", 0, 0),
    program("seq2seq", 0, 0),
    program("unet", 0, 0, length=(3, 2), lengths=(22, 26)),
    program("vae", 0, 0),
    program("word_lstm", 1, 1),
)
BY_NAME = {case.name: case for case in CASES}


def loaded(path: Path, library: str) -> types.ModuleType:
    """A file as a module, its imports of torch changed to ``library``."""
    text = path.read_text()
    if library != "torch":
        text = re.sub(r"^import torch$", f"import {library} as torch", text, flags=re.M)
        text = re.sub(r"^import torch\.(\S+) as", rf"import {library}.\1 as", text, flags=re.M)
        text = re.sub(r"^from torch(\.\S+)? import", rf"from {library}\1 import", text, flags=re.M)
    module = types.ModuleType(f"{library}_{path.stem}")
    exec(compile(text, f"{library}:{path.name}", "exec"), module.__dict__)
    return module


@dataclass(frozen=True)
class Built:
    """A new model and its entries; two of one case have the same parameters."""

    model: Any
    entries: dict[str, Callable[..., Any]]


def built(case: Case, library: Any = eager, double: bool = False) -> Built:
    module = loaded(TESTS / case.file, library.__name__)
    library.manual_seed(3)
    made = getattr(module, case.build)()
    made = made.double() if double else made

    def entry(name: str) -> Callable[..., Any]:
        if not hasattr(module, name):
            return made if name == "forward" else getattr(made, name)
        fn = getattr(module, name)
        return lambda *args: fn(made, *args)

    return Built(made, {name: entry(name) for name, _ in case.entries})


def arguments(case: Case, batch: int, length: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """The arguments of each entry, floats in float32."""
    module = loaded(TESTS / case.file, "eager")
    rng = np.random.default_rng([seed, batch, length])

    def made(name: str) -> tuple[Any, ...]:
        make = getattr(module, name)
        return _grown(case, make, rng, batch, length) if case.batch else make(rng, batch, length)

    return [pytree.map_leaves(made(name), _single) for _, name in case.entries]


def _single(x: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(x)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _grown(case: Case, make: Callable[..., Any], rng: np.random.Generator, batch: int, length: int
           ) -> tuple[Any, ...]:
    """The arguments of a program, more of them or fewer along the axes that grow."""
    draws = [make(rng) for _ in range(8)]
    lengths = case.length or (None,) * len(case.batch)
    grown = []
    for k, axes in enumerate(zip(case.batch, lengths)):
        array = np.asarray(draws[0][k])
        for axis, size in zip(axes, (batch, length)):
            if axis is not None:
                more = np.concatenate([array, *(np.resize(d[k], array.shape) for d in draws[1:])],
                                      axis)
                array = more.take(range(size), axis)
        grown.append(array)
    return tuple(grown[:len(case.batch)])


def dynamic_shapes(case: Case) -> list[Any]:
    """Of each entry, a Dim for each size that grows; sizes that are always equal share it."""
    first, last = case.lengths[0], case.lengths[-1]
    sets = [arguments(case, batch, length) for batch, length in ((1, first), (8, first), (1, last))]
    found = []
    for of_one in zip(*sets):
        trees = [pytree.flatten(tree) for tree in of_one]
        names: dict[tuple[int, ...], str] = {}
        leaves = [_dims(case, names, [np.shape(x) for x in same])
                  for same in zip(*(leaves for leaves, _ in trees))]
        found.append(pytree.unflatten(trees[0][1], iter(leaves)))
    return found


def _dims(case: Case, names: dict[tuple[int, ...], str], shapes: list[tuple[int, ...]]
          ) -> dict[int, jit.Dim]:
    dims = {}
    for axis, sizes in enumerate(zip(*shapes)):
        if len(set(sizes)) > 1:
            name = names.setdefault(sizes, "batch" if sizes[0] != sizes[1] else
                                    ("length", "second", "third")[sum(
                                        n != "batch" for n in names.values())])
            dims[axis] = jit.Dim(name, *case.limits.get(name, ()))
    return dims


def sizes(case: Case) -> list[tuple[int, int]]:
    """Every batch and length that a case is called with; the first is its example's."""
    grows = not case.batch or any(axis is not None for axis in case.batch)
    return [(batch, length) for batch in (BATCHES if grows else (1,)) for length in case.lengths]
