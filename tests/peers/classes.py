"""The classes of torch's nn and optim: which we have, which we refuse, and which are missing.

``python -m tests.peers.classes`` prints the counts and the names that are missing.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from eager.nn.absent import REASONS

#: Where torch keeps classes and functions that its users call, and where we do.
PLACES = {
    "torch.nn": "eager.nn",
    "torch.nn.init": "eager.nn.init",
    "torch.nn.utils": "eager.nn.utils",
    "torch.nn.utils.parametrize": "eager.nn.utils.parametrize",
    "torch.nn.utils.parametrizations": "eager.nn.utils.parametrizations",
    "torch.nn.utils.rnn": "eager.nn.utils.rnn",
    "torch.optim": "eager.optim",
    "torch.optim.lr_scheduler": "eager.optim.lr_scheduler",
}

#: What is left out for good, and why.
REFUSED = {
    **{f"torch.nn.{name}": why for name, why in REASONS.items()},
    "torch.nn.factory_kwargs": "a helper of torch's own classes",
    "torch.nn.utils.clip_grad_norm": "deprecated in torch: clip_grad_norm_",
    "torch.optim.swap_in_optimizer_params_and_state": "a helper of torch's own classes",
    "torch.nn.utils.convert_conv2d_weight_memory_format": "there is one memory format",
    "torch.nn.utils.convert_conv3d_weight_memory_format": "there is one memory format",
    "torch.nn.utils.skip_init": "it needs the meta device",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One public name of torch, and what we do about it: ``have``, ``refuse`` or ``lack``."""

    place: str
    name: str
    state: str

    @property
    def path(self) -> str:
        """The dotted name in torch."""
        return f"{self.place}.{self.name}"


def _public(module: ModuleType) -> list[str]:
    """The classes of a module, and its functions, that its users call."""
    named = getattr(module, "__all__", None)
    names = named or [n for n in dir(module) if not n.startswith("_")]
    return sorted(n for n in names if _is_made_here(module, getattr(module, n)))


def _is_made_here(module: ModuleType, value: Any) -> bool:
    home = getattr(value, "__module__", "")
    if inspect.isclass(value):
        return str(home).startswith(("torch.nn", "torch.optim"))
    return inspect.isfunction(value) and str(home).startswith(module.__name__)


def rows() -> list[Row]:
    """Every public name of torch's places."""
    found = []
    for theirs, ours in PLACES.items():
        place = _imported(ours)
        for name in _public(importlib.import_module(theirs)):
            state = ("have" if hasattr(place, name) else
                     "refuse" if f"{theirs}.{name}" in REFUSED else "lack")
            found.append(Row(theirs, name, state))
    return found


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def main() -> None:
    """Print a line for each place, then what is missing."""
    every = rows()
    for place in PLACES:
        states = [r.state for r in every if r.place == place]
        print(f"{place:34} of {len(states):3}: have {states.count('have'):3}, "
              f"refuse {states.count('refuse'):2}, lack {states.count('lack'):3}")
    for row in every:
        if row.state == "lack":
            print(f"lack {row.path}")


if __name__ == "__main__":
    main()
