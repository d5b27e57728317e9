"""Recurrent networks: cells, and layers of them along time."""

from __future__ import annotations

import functools
import math
from typing import Any

from eager.engine import creation
from eager.engine.device import check_device
from eager.engine.dropouts import dropout
from eager.engine.tensor import TAPED, Tensor
from eager.nn import init
from eager.nn.module import Module, Parameter
from eager.nn.utils.rnn import PackedSequence, sizes_of
from eager.ops import recurrence
from eager.ops.errors import OpError


class _Weighted(Module):
    """Weights that start as uniform numbers within 1 / sqrt(hidden_size)."""

    hidden_size: int

    def _hold(self, shapes: dict[str, tuple[int, ...]], device: Any, dtype: Any) -> None:
        check_device(device)
        for name, shape in shapes.items():
            self.register_parameter(name, Parameter(creation.zeros(*shape, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)


# --- along time --------------------------------------------------------------------------------
class RNNBase(_Weighted):
    """Layers of cells along sequences [T, N, input_size], in one direction or two.

    Also takes [T, input_size], [N, T, input_size] with ``batch_first``, and packed sequences.
    ``proj_size`` projects what each layer gives out (of LSTMs alone).
    """

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        name = type(self).__name__
        if not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise OpError(f"{name}: dropout is a probability, got {dropout}")
        if hidden_size <= 0 or num_layers <= 0 or not 0 <= proj_size < hidden_size:
            raise OpError(f"{name}: wanted a positive hidden_size and num_layers, and a proj_size "
                          f"below the hidden_size, got {hidden_size}, {num_layers}, {proj_size}")
        if proj_size and mode != "LSTM":
            raise OpError(f"{name}: proj_size goes with LSTM")
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size
        self._names = [self._weight_names(layer, side) for layer in range(num_layers)
                       for side in ("", "_reverse")[:1 + bidirectional]]
        self._hold(self._shapes(), device, dtype)

    def _weight_names(self, layer: int, side: str) -> list[str]:
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else []),
                 *(["weight_hr"] if self.proj_size else [])]
        return [f"{name}_l{layer}{side}" for name in names]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        rows = self._cell.gates * self.hidden_size
        out = self.proj_size or self.hidden_size
        sides = 1 + self.bidirectional
        found: dict[str, tuple[int, ...]] = {}
        for place, names in enumerate(self._names):
            inputs = self.input_size if place < sides else out * sides
            shapes = [(rows, inputs), (rows, out), *([(rows,)] * 2 if self.bias else []),
                      (out, self.hidden_size)]
            found.update(zip(names, shapes, strict=False))
        return found

    @property
    def _cell(self) -> recurrence.Cell:
        return recurrence.CELLS[self.mode.lower()]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, n) for n in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Nothing: the weights are used where they are."""

    def _grouped(self) -> list[recurrence.Weights]:
        flat = [w for weights in self.all_weights for w in weights]
        return recurrence.grouped(flat, self.bias, len(self._names))

    def _drop(self) -> recurrence.Drop | None:
        if not self.dropout or not self.training:
            return None
        return functools.partial(dropout, p=self.dropout, training=True)

    def _initial(self, given: tuple[Tensor, ...] | None, batch: Any, dtype: Any,
                 single: bool) -> tuple[Any, ...]:
        """The state to begin with: zeros, or what was given, checked."""
        F: Any = TAPED
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[:self._cell.parts]
        shapes = [(len(self._names), batch, width) for width in widths]
        if given is None:
            return tuple(F.full(shape=s, value=0.0, dtype=dtype) for s in shapes)
        if len(given) != len(shapes):
            raise OpError(f"{type(self).__name__}: the state is a pair (h, c)")
        states = []
        for state, shape in zip(given, shapes, strict=True):
            want = (shape[0], *shape[2:]) if single else shape
            if tuple(state.shape) != want:
                raise OpError(f"{type(self).__name__}: wanted a state {list(want)}, got "
                              f"{state.spec}")
            states.append(F.reshape(state, shape=shape) if single else state)
        return tuple(states)

    def _run(self, input: Any, given: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Any, ...]]:
        F: Any = TAPED
        if isinstance(input, PackedSequence):
            return self._run_packed(input, given)
        single = input.ndim == 2
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            raise OpError(f"{type(self).__name__}: wanted sequences [..., {self.input_size}] of 2 "
                          f"or 3 dims, got {input.spec}")
        first = self.batch_first and not single
        if single:
            input = F.reshape(input, shape=(input.shape[0], 1, input.shape[1]))
        batch = input.shape[0 if first else 1]
        state = self._initial(given, batch, input.dtype, single)
        out, final = recurrence.run_padded(F, self._cell, input, state, self._grouped(),
                                           self.bidirectional, first, self._drop())
        if single:
            out = F.reshape(out, shape=(out.shape[0], out.shape[2]))
            final = tuple(F.reshape(s, shape=(s.shape[0], s.shape[2])) for s in final)
        return out, final

    def _run_packed(self, packed: PackedSequence,
                    given: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Any, ...]]:
        F: Any = TAPED
        sizes = sizes_of(packed)
        if packed.data.ndim != 2 or packed.data.shape[1] != self.input_size:
            raise OpError(f"{type(self).__name__}: wanted packed rows [..., {self.input_size}], "
                          f"got {packed.data.spec}")
        state = self._initial(given, sizes[0], packed.data.dtype, False)
        if given is not None and packed.sorted_indices is not None:
            state = tuple(F.index_select(s, packed.sorted_indices, dim=1) for s in state)
        out, final = recurrence.run_layers(F, self._cell, packed.data, sizes, state,
                                           self._grouped(), self.bidirectional, self._drop())
        if packed.unsorted_indices is not None:
            final = tuple(F.index_select(s, packed.unsorted_indices, dim=1) for s in final)
        return packed._replace(data=out), final

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        out, (state,) = self._run(input, None if hx is None else (hx,))
        return out, state

    def extra_repr(self) -> str:
        shown = (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False),
                 ("dropout", 0.0), ("bidirectional", False))
        return f"{self.input_size}, {self.hidden_size}" + "".join(
            f", {name}={getattr(self, name)}" for name, usual in shown
            if getattr(self, name) != usual)


class RNN(RNNBase):
    """Layers of ``tanh`` (or ``relu``) of the input and the state (Elman, 1990)."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1,
                 nonlinearity: str = "tanh", bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise OpError(f"RNN: nonlinearity is 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, 0, device, dtype)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """Layers of gated recurrent units (Cho et al., 2014)."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, 0, device, dtype)


class LSTM(RNNBase):
    """Layers of long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device: Any = None, dtype: Any = None) -> None:
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)

    def forward(self, input: Any,  # type: ignore[override]
                hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        out, (h, c) = self._run(input, None if hx is None else tuple(hx))
        return out, (h, c)


# --- one step ----------------------------------------------------------------------------------
class RNNCellBase(_Weighted):
    """One step of inputs [N, input_size] (or [input_size])."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size),
                                              "weight_hh": (rows, hidden_size)}
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self._hold(shapes, device, dtype)

    def _step(self, step: Any, input: Tensor, hx: Any, parts: int) -> Any:
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise OpError(f"{type(self).__name__}: wanted an input [N, {self.input_size}] or "
                          f"[{self.input_size}], got {input.spec}")
        if hx is None:
            zeros = TAPED.full(shape=(*input.shape[:-1], self.hidden_size), value=0.0,
                               dtype=input.dtype)
            hx = zeros if parts == 1 else (zeros, zeros)
        return step(TAPED, input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def extra_repr(self) -> str:
        return (f"{self.input_size}, {self.hidden_size}"
                + ("" if self.bias else f", bias={self.bias}"))


class RNNCell(RNNCellBase):
    """``tanh`` (or ``relu``) of the input and the state."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True,
                 nonlinearity: str = "tanh", device: Any = None, dtype: Any = None) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise OpError(f"RNNCell: nonlinearity is 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        step = getattr(recurrence, f"rnn_{self.nonlinearity}_cell")
        result: Tensor = self._step(step, input, hx, 1)
        return result


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        result: Tensor = self._step(recurrence.gru_cell, input, hx, 1)
        return result


class LSTMCell(RNNCellBase):
    """One step of a long short-term memory: its state is (h, c)."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor,
                hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(recurrence.lstm_cell, input, hx, 2)
        return h, c
