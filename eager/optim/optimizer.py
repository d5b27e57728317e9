"""The base of optimisers: parameter groups, state, and nothing of it baked into a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from eager.engine import creation
from eager.engine.hooks import RemovableHandle
from eager.engine.inplace import clear_grad, count_change, touch
from eager.engine.mode import MODE, enable_grad, no_grad
from eager.engine.raw import RAW
from eager.engine.silence import SILENT, errstate_variable
from eager.engine.stateful import Change, keep, keep_attributes
from eager.engine.tensor import TAPED, Tensor
from eager.ops.errors import OpError
from eager.ops.types import F64
from eager.optim.hooks import Hooks

#: Settings of torch that choose among its implementations; ours has one, so they change nothing.
FLAGS = ("foreach", "fused", "capturable", "differentiable")


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
        count_change()
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
        _check_flags(type(self).__name__, defaults)
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.hooks = Hooks()
        if isinstance(params, (Tensor, dict)):
            raise OpError(f"{type(self).__name__}: params is an iterable of tensors or of dicts, "
                          f"got {type(params).__name__}; write [params]")
        given = list(params)
        if not given:
            raise OpError(f"{type(self).__name__}: no parameters were given")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """More parameters, or ``(name, parameter)`` pairs, with settings over the defaults."""
        name, params = type(self).__name__, param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise OpError(f"{name}: the order of parameters matters, got a set; pass a list")
        given = [params] if isinstance(params, Tensor) else list(params)
        names = [p[0] for p in given if isinstance(p, tuple)]
        if names and len(names) != len(given):
            raise OpError(f"{name}: all parameters of a group have names, or none")
        params = [p[1] if isinstance(p, tuple) else p for p in given]
        known = {id(p) for p in self._parameters()}
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise OpError(f"{name}: wanted leaf tensors, got {p!r:.60}")
            if id(p) in known:
                raise OpError(f"{name}: a parameter {p.spec} is given twice")
            known.add(id(p))
        self.param_groups.append(Group({
            "params": params, **({"param_names": names} if names else {}), **self.defaults,
            **{k: v for k, v in param_group.items() if k != "params"}}))

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    # --- what a method defines -----------------------------------------------------------------
    def init_parameter(self, p: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """The state that a parameter has before its first step."""
        return {}

    def update(self, F: Any, p: Any, grad: Any, state: dict[str, Any],
               group: Mapping[str, Any]) -> None:
        """Move one parameter by its gradient, in place.

        ``F`` has the ops of the table.  Outside of a trace the operands are NumPy arrays and the
        settings Python numbers; inside of one, tensors.  The same lines serve both.
        """
        raise NotImplementedError

    # --- steps ---------------------------------------------------------------------------------
    def init_state(self) -> None:
        """Make the state of every parameter now instead of at its first step."""
        for group in self.param_groups:
            for p in group["params"]:
                self._state_of(p, group)

    def _state_of(self, p: Tensor, group: Group) -> dict[str, Tensor]:
        if not self.state.get(p):  # settings may have come to want a state since
            self.state[p] = self.init_parameter(p, group)
        return self.state[p]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; ``closure`` computes loss and gradients first.

        Returns what ``closure`` returned, or None.
        """
        args: tuple[Any, ...] = () if closure is None else (closure,)
        self.hooks.run("step_pre", self, args, {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                self._step_group(group)
        self.hooks.run("step_post", self, args, {})
        return loss

    def _step_group(self, group: Group) -> None:
        """One step of a group: on arrays where nobody records, else on tensors."""
        recorded = MODE.get().recorder is not None
        numbers = {} if recorded else group.numbers()
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self._state_of(p, group)
            if recorded or not _plain(p, p.grad):
                grad = -p.grad if group.get("maximize") else p.grad
                self.update(TAPED, p, grad, state, group)
                continue
            token = errstate_variable.set(SILENT)
            try:
                grad = p.grad._array
                self.update(RAW, p._array, -grad if group.get("maximize") else grad,
                            {k: t._array for k, t in state.items()}, numbers)
            finally:
                errstate_variable.reset(token)
            touch(p)
            for t in state.values():
                touch(t)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or fill them with zeros."""
        for p in self._parameters():
            clear_grad(p, set_to_none)

    # --- state ---------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """torch's layout: ``state`` by parameter number, ``param_groups`` with these numbers."""
        self.hooks.run("state_dict_pre", self)
        found: dict[str, Any] = {"state": self._numbered_state(),
                                 "param_groups": self._numbered_groups()}
        found = self.hooks.replace("state_dict_post", self, found)
        return found

    def _numbers(self) -> dict[int, int]:
        return {id(p): k for k, p in enumerate(self._parameters())}

    def _numbered_state(self) -> dict[int, dict[str, Any]]:
        numbers = self._numbers()
        return {numbers[id(p)]: dict(s) for p, s in self.state.items() if s}

    def _numbered_groups(self) -> list[dict[str, Any]]:
        numbers = self._numbers()
        return [{**g.numbers(), "params": [numbers[id(p)] for p in g["params"]]}
                for g in self.param_groups]

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state, in place.

        A parameter without state in ``state_dict`` is as before its first step.  OpError where
        groups or state do not fit; nothing is changed then.
        """
        state_dict = self.hooks.replace("load_state_dict_pre", self, dict(state_dict))
        groups = state_dict["param_groups"]
        theirs, mine = ([len(g["params"]) for g in gs] for gs in (groups, self.param_groups))
        if theirs != mine:
            raise OpError(f"{type(self).__name__}.load_state_dict: wanted groups of {mine} "
                          f"parameters, got groups of {theirs}")
        fresh = self._fresh_state(state_dict["state"], groups)
        for group, settings in zip(self.param_groups, groups, strict=True):
            group.update({k: v for k, v in settings.items()
                          if k != "params" and (k in group or k in _SCHEDULED)})
        self.init_state()
        with no_grad():
            for p, (made, values) in fresh.items():
                for name in set(self.state[p]) - set(made):
                    del self.state[p][name]
                for name, value in values.items():
                    self.state[p].setdefault(name, made[name]).copy_(value)
        self.hooks.run("load_state_dict_post", self)

    def _fresh_state(self, given: Mapping[Any, Mapping[str, Any]], groups: list[Any],
                     ) -> dict[Tensor, tuple[dict[str, Tensor], dict[str, Any]]]:
        """Of every parameter: new state tensors under the loaded settings, and their values."""
        made: dict[Tensor, tuple[dict[str, Tensor], dict[str, Any]]] = {}
        owners = [(n, p, {**g, **settings}) for g, settings in zip(self.param_groups, groups)
                  for n, p in zip(settings["params"], g["params"])]
        for number, p, group in owners:
            new = self.init_parameter(p, group)
            values: dict[str, Any] = dict(new)
            for name, value in given.get(number, {}).items():
                if value is None:
                    continue
                want = new.get(name)
                shape = tuple(getattr(value, "shape", ()))
                if want is None or tuple(want.shape) != shape:
                    raise OpError(f"{type(self).__name__}.load_state_dict: {name!r} of parameter "
                                  f"{number}: wanted {'nothing' if want is None else want.spec}, "
                                  f"got the shape {list(shape)}")
                values[name] = value
            self.loaded_parameter(values, given.get(number, {}))
            made[p] = new, values
        return made

    def loaded_parameter(self, made: dict[str, Any], given: Mapping[str, Any]) -> None:
        """Complete the state of one parameter with what torch does not save."""

    # --- hooks ---------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step."""
        return self.hooks.add("step_pre", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return self.hooks.add("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False,
                                     ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict` looks."""
        return self.hooks.add("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False,
                                      ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``; what it returns, if not None, is the dict."""
        return self.hooks.add("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False,
                                          ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)``; what it returns, if not None, is loaded."""
        return self.hooks.add("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any],
                                           prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after a state was loaded."""
        return self.hooks.add("load_state_dict_post", hook, prepend)

    # --- tracing -------------------------------------------------------------------------------
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

    def snapshot(self) -> Callable[[], list[Change]]:
        """A function that brings groups, state and other attributes back, and tells what
        had changed; makes the state first.
        """
        self.init_state()
        attributes = keep_attributes(self.__dict__, type(self).__name__)
        inner = [keep(s, "state") for s in self.state.values()]
        groups = [(g, dict(g)) for g in self.param_groups]

        def restore() -> list[Change]:
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


# --- what a step and a group are asked ---------------------------------------------------------
#: What schedules write into groups, which a loaded state may bring along.
_SCHEDULED = ("initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum")


def _check_flags(name: str, defaults: Mapping[str, Any]) -> None:
    if defaults.get("differentiable"):
        raise OpError(f"{name}: differentiable=True is not supported: a step writes in place "
                      f"without history; write the update as tensor operations instead")
    if defaults.get("foreach") and defaults.get("fused"):
        raise OpError(f"{name}: fused and foreach cannot both be True")


def _plain(p: Tensor, grad: Tensor) -> bool:
    """Whether NumPy's arithmetic on the arrays is the tensors' own."""
    dtype = p._array.dtype
    return (dtype == grad._array.dtype and dtype.kind == "f" and dtype.itemsize >= 4
            and p._view is None)
