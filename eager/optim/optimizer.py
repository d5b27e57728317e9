"""The base of optimisers: parameter groups, state, and nothing of it baked into a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from eager.engine import creation
from eager.engine.mode import enable_grad, no_grad
from eager.engine.stateful import keep_attributes, keep_contents
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError
from eager.ops.types import F64


class Group(dict[str, Any]):
    """The settings of some parameters.

    ``lr``, and ``weight_decay`` where it is not 0, are 0-d float64 tensors, so that a compiled
    step sees what a scheduler writes: ``group["lr"] = 0.01`` writes into the tensor, and
    ``float(group["lr"])`` reads it.
    """

    LIVE = ("lr", "weight_decay")

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.update(settings)

    def __setitem__(self, key: str, value: Any) -> None:
        held = self.get(key)
        if key in self.LIVE and isinstance(held, Tensor):
            with no_grad():
                held.copy_(value)
        elif key in self.LIVE and (key == "lr" or isinstance(value, Tensor) or value != 0):
            super().__setitem__(key, creation.full((), float(value), dtype=F64))
        else:
            super().__setitem__(key, value)

    def update(self, settings: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Set several keys, each as ``group[key] = value`` does."""
        for key, value in settings.items():
            self[key] = value

    def restore(self, settings: Mapping[str, Any]) -> None:
        """Hold exactly these objects again."""
        self.clear()
        super().update(settings)

    def numbers(self) -> dict[str, Any]:
        """All settings with Python numbers for the tensors, without the parameters."""
        return {k: float(v) if k in self.LIVE else v for k, v in self.items() if k != "params"}


class Optimizer:
    """Holds parameter groups and what is remembered of each parameter between steps.

    Subclasses say in `init_parameter` what a parameter's state is before its first step, and in
    `update` how one step moves it; neither reads data in Python.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        if isinstance(params, (Tensor, dict)):
            raise OpError(f"{type(self).__name__}: params is an iterable of tensors or of dicts, "
                          f"got {type(params).__name__}; write [params]")
        given = list(params)
        if not given:
            raise OpError(f"{type(self).__name__}: no parameters were given")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """More parameters, with settings of their own over the defaults."""
        name, params = type(self).__name__, group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for p in self._parameters()}
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise OpError(f"{name}: wanted leaf tensors, got {p!r:.60}")
            if id(p) in known:
                raise OpError(f"{name}: a parameter {p.type} is given twice")
            known.add(id(p))
        self.param_groups.append(Group({"params": params, **self.defaults, **{
            k: v for k, v in group.items() if k != "params"}}))

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    # --- what a method defines -----------------------------------------------------------------
    def init_parameter(self, p: Tensor, group: Group) -> dict[str, Tensor]:
        """The state that a parameter has before its first step."""
        return {}

    def update(self, p: Tensor, grad: Tensor, state: dict[str, Tensor], group: Group) -> None:
        """Move one parameter by its gradient, in place."""
        raise NotImplementedError

    # --- steps ---------------------------------------------------------------------------------
    def init_state(self) -> None:
        """Make the state of every parameter now instead of at its first step."""
        for group in self.param_groups:
            for p in group["params"]:
                self._state_of(p, group)

    def _state_of(self, p: Tensor, group: Group) -> dict[str, Tensor]:
        if p not in self.state:
            self.state[p] = self.init_parameter(p, group)
        return self.state[p]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; ``closure`` computes loss and gradients first.

        Returns what ``closure`` returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        grad = -p.grad if group.get("maximize") else p.grad
                        self.update(p, grad, self._state_of(p, group), group)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or fill them with zeros."""
        for p in self._parameters():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad.zero_()

    # --- state ---------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """torch's layout: ``state`` by parameter number, ``param_groups`` with these numbers."""
        numbers = {id(p): k for k, p in enumerate(self._parameters())}
        return {
            "state": {numbers[id(p)]: dict(s) for p, s in self.state.items() if s},
            "param_groups": [{**g.numbers(), "params": [numbers[id(p)] for p in g["params"]]}
                             for g in self.param_groups]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state, in place.

        A parameter without state in ``state_dict`` is as before its first step.  OpError where
        groups or state do not fit; nothing is changed then.
        """
        groups = state_dict["param_groups"]
        theirs, mine = ([len(g["params"]) for g in gs] for gs in (groups, self.param_groups))
        if theirs != mine:
            raise OpError(f"{type(self).__name__}.load_state_dict: wanted groups of {mine} "
                          f"parameters, got groups of {theirs}")
        fresh = self._fresh_state(state_dict["state"], [n for g in groups for n in g["params"]])
        for group, settings in zip(self.param_groups, groups, strict=True):
            group.update({k: v for k, v in settings.items()
                          if k != "params" and (k in group or k == "initial_lr")})
        self.init_state()
        with no_grad():
            for p, values in fresh.items():
                for name, value in values.items():
                    self.state[p][name].copy_(value)

    def _fresh_state(self, given: Mapping[Any, Mapping[str, Any]],
                     numbers: list[Any]) -> dict[Tensor, dict[str, Any]]:
        """The state of every parameter after loading ``given``, checked."""
        made: dict[Tensor, dict[str, Any]] = {}
        owners = [(p, g) for g in self.param_groups for p in g["params"]]
        for number, (p, group) in zip(numbers, owners, strict=True):
            made[p] = dict(self.init_parameter(p, group))
            for name, value in given.get(number, {}).items():
                if value is None:
                    continue
                want = made[p].get(name)
                shape = tuple(getattr(value, "shape", ()))
                if want is None or tuple(want.shape) != shape:
                    raise OpError(f"{type(self).__name__}.load_state_dict: {name!r} of parameter "
                                  f"{number}: wanted {'nothing' if want is None else want.type}, "
                                  f"got the shape {list(shape)}")
                made[p][name] = value
            self.loaded_parameter(made[p], given.get(number, {}))
        return made

    def loaded_parameter(self, made: dict[str, Any], given: Mapping[str, Any]) -> None:
        """Complete the state of one parameter with what torch does not save."""

    def traced_state(self) -> Iterator[tuple[str, str, Tensor]]:
        """``(role, name, tensor)`` of state and live settings; the state is made if it is not.

        The parameters come first, as ``param.0`` and so on: whoever knows them by a better name
        (their module) is to be asked before.
        """
        self.init_state()
        for k, p in enumerate(self._parameters()):
            yield "parameter", f"param.{k}", p
            for name, value in self.state[p].items():
                yield "optimizer", f"state.{k}.{name}", value
        for k, group in enumerate(self.param_groups):
            for key in Group.LIVE:
                if isinstance(group.get(key), Tensor):
                    yield "optimizer", f"group.{k}.{key}", group[key]

    def snapshot(self) -> Callable[[], list[str]]:
        """A function that brings groups, state and other attributes back, and names those that
        had changed; makes the state first.
        """
        self.init_state()
        attributes = keep_attributes(self.__dict__, type(self).__name__)
        inner = [keep_contents(s) for s in self.state.values()]
        groups = [(g, dict(g)) for g in self.param_groups]

        def restore() -> list[str]:
            changed = attributes()
            for undo in inner:
                undo()
            for group, settings in groups:
                group.restore(settings)
            return changed

        return restore

    def __repr__(self) -> str:
        lines = []
        for k, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {k}")
            lines += [f"    {key}: {value}" for key, value in sorted(group.numbers().items())]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"
