"""The state of modules: what `state_dict` gives and `load_state_dict` takes."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from eager.engine.hooks import RemovableHandle
from eager.engine.mode import no_grad
from eager.engine.tensor import Size, Tensor
from eager.nn.hooks import Entries, Hooked, added
from eager.nn.parameter import Parameter, is_lazy
from eager.ops.errors import OpError

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (f"IncompatibleKeys(missing_keys={self.missing_keys}, "
                f"unexpected_keys={self.unexpected_keys})")


@dataclass(frozen=True, slots=True)
class StateHooks:
    """Hooks before and after the state of a module is given and taken."""

    before_save: Entries = field(default_factory=OrderedDict)
    after_save: Entries = field(default_factory=OrderedDict)
    before_load: Entries = field(default_factory=OrderedDict)
    after_load: Entries = field(default_factory=OrderedDict)


_NONE = StateHooks()


class Loading(list[str]):
    """Everything that is wrong with a state, and the writes to do if nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Callable[[], Any]] = []


class Stored(Hooked):
    """A tree that gives and takes its state."""

    _version: int = 1  #: of the class, in the metadata of its state
    _state_hooks: StateHooks | None = None

    def get_extra_state(self) -> Any:
        """More than tensors, for ``state_dict``; subclasses that define it define the other."""
        raise OpError(f"{self._get_name()} defines no get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise OpError(f"{self._get_name()} defines no set_extra_state(), and the state has some")

    # --- giving --------------------------------------------------------------------------------
    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "",
                   keep_vars: bool = False) -> Any:
        """Parameters and persistent buffers by dotted name, added to ``destination``.

        They share memory with the module's own, which ``keep_vars`` gives themselves.
        """
        if args:  # torch's older order
            later: tuple[Any, ...] = (destination, prefix, keep_vars)[len(args):]
            destination, prefix, keep_vars = args + later
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local
        hooks = self._state_hooks or _NONE
        for hook in hooks.before_save.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                                 keep_vars=keep_vars)
        for hook in hooks.after_save.values():
            new = hook(self, destination, prefix, local)
            destination = destination if new is None else new
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Add what is in this module itself; subclasses may say more."""
        for name, t in self._own_state().items():
            destination[prefix + name] = t if keep_vars or is_lazy(t) else t.detach()
        if type(self).get_extra_state is not Stored.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor]:
        left_out = self._non_persistent_buffers_set
        return {n: t for n, t in itertools.chain(self._parameters.items(), self._buffers.items())
                if t is not None and n not in left_out}

    # --- taking --------------------------------------------------------------------------------
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> IncompatibleKeys:
        """Copy tensors or arrays in by name, in place; with ``assign`` take the tensors themselves.

        OpError lists all missing and unexpected keys (if ``strict``) and all shapes that do not
        fit; nothing is changed then.
        """
        if not isinstance(state_dict, Mapping):
            raise OpError(f"load_state_dict wants a dictionary, got {type(state_dict).__name__}")
        state = OrderedDict(state_dict)
        found = IncompatibleKeys([], [])
        errors = Loading()
        self.__load_into(state, "", getattr(state_dict, "_metadata", {}), assign, found,
                         errors)
        wrong = list(errors)
        if strict:
            wrong = [f"{what} key(s) in state_dict: {_quoted(keys)}. "
                     for what, keys in (("Missing", found[0]), ("Unexpected", found[1]))
                     if keys] + wrong
        if wrong:
            raise OpError(f"Error(s) in loading state_dict for {self._get_name()}:\n\t"
                          + "\n\t".join(wrong))
        with no_grad():
            for write in errors.writes:
                write()
        self.__loaded(found)
        return found

    def __load_into(self, state: Any, prefix: str, metadata: Any, assign: bool,
                    found: IncompatibleKeys, errors: Loading) -> None:
        local = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local["assign_to_params_buffers"] = True
        self._load_from_state_dict(state, prefix, local, True, *found, errors)
        for name, child in self._modules.items():
            if child is not None:
                inner = f"{prefix}{name}."
                child.__load_into({k: v for k, v in state.items() if k.startswith(inner)}, inner,
                                  metadata, assign, found, errors)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any,
                              strict: bool, missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:
        """Take what is in this module itself; subclasses may translate older states first."""
        for hook in (self._state_hooks or _NONE).before_load.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)
        writes = error_msgs.writes if isinstance(error_msgs, Loading) else []
        own = self._own_state()
        for name, t in own.items():
            key = prefix + name
            if key in state_dict:
                self.__take(name, t, key, state_dict[key],
                            local_metadata.get("assign_to_params_buffers", False), error_msgs,
                            writes)
            elif strict:
                missing_keys.append(key)
        key = prefix + EXTRA
        if type(self).set_extra_state is not Stored.set_extra_state:
            if key in state_dict:
                writes.append(partial(self.set_extra_state, state_dict[key]))
            elif strict:
                missing_keys.append(key)
        elif key in state_dict and strict:
            unexpected_keys.append(key)
        if strict:
            unexpected_keys += [k for k in state_dict if k.startswith(prefix) and k != key
                                and self.__is_unknown(k[len(prefix):], own)]

    def __is_unknown(self, name: str, own: Mapping[str, Any]) -> bool:
        first, dot, _ = name.partition(".")
        return first not in self._modules if dot else name not in own

    def __take(self, name: str, t: Tensor, key: str, new: Any, assign: bool, errors: list[str],
               writes: list[Callable[[], Any]]) -> None:
        if not hasattr(new, "shape"):
            errors.append(f"While copying the parameter named {key!r}, expected a tensor or array "
                          f"from checkpoint but received {type(new).__name__}")
            return
        if not is_lazy(t):
            shape = Size(new.shape)
            if not t.shape and shape == (1,):
                new = new[0]  # states from before there were 0-d tensors
            elif shape != t.shape:
                errors.append(f"size mismatch for {key}: copying a param with shape {shape} from "
                              f"checkpoint, the shape in current model is {t.shape}.")
                return
        writes.append(partial(_assign, self, name, t, new) if assign else partial(t.copy_, new))

    def __loaded(self, found: IncompatibleKeys) -> None:
        for child in self._modules.values():
            if child is not None:
                child.__loaded(found)
        for hook in (self._state_hooks or _NONE).after_load.values():
            if hook(self, found) is not None:
                raise OpError("hooks after load_state_dict return nothing; change the lists of "
                              "keys in place")

    # --- hooks ---------------------------------------------------------------------------------
    def __state_hooks_made(self) -> StateHooks:
        if self._state_hooks is None:
            self._state_hooks = StateHooks()
        return self._state_hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before the state is given."""
        return added(self.__state_hooks_made().before_save, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)``, which changes it in place."""
        return added(self.__state_hooks_made().after_save, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """The same as `register_state_dict_post_hook`; a result replaces the state."""
        return self.register_state_dict_post_hook(hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before the state is taken, of which it may rename keys in place.

        ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)``.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any],
                                           with_module: bool = False) -> RemovableHandle:
        """The same for hooks that are not told the module."""
        entry = partial(hook, self) if with_module else hook
        return added(self.__state_hooks_made().before_load, entry)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after the state was taken."""
        return added(self.__state_hooks_made().after_load, hook)


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{k}"' for k in keys)


def _assign(module: Stored, name: str, old: Tensor, new: Any) -> None:
    t = new if isinstance(new, Tensor) else Tensor(new)
    if isinstance(old, Parameter) and not isinstance(t, Parameter):
        t = Parameter(t, old.requires_grad)
    elif isinstance(old, Parameter):
        t.requires_grad_(old.requires_grad)
    setattr(module, name, t)
