"""Recurrent networks: cells, and layers of them along time in both directions.

Sequences are rows behind one another, time by time: the first ``sizes[0]`` rows are time 0.  A
batch whose sequences are sorted by length shrinks as time goes on, which is what packed sequences
are; the rows of one time are those of its longest sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eager.ops.affine import linear
from eager.ops.composite import Composite
from eager.ops.errors import OpError
from eager.ops.op import Spelling
from eager.ops.shapes import region

State = tuple[Any, ...]
Drop = Callable[[Any], Any]


# --- cells -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cell:
    """One step: ``step(F, gates of the input, gates of the state, state) -> state``.

    Weights have ``gates`` rows for each element of the state; its first part is what a layer
    gives out.
    """

    name: str
    gates: int
    parts: int
    step: Callable[[Any, Any, Any, State], State]


def _parts(F: Any, gates: Any, count: int) -> Iterator[Any]:
    size = F.typeof(gates).shape[1] // count
    return (region(F, gates, 1, k * size, (k + 1) * size) for k in range(count))


def _step_tanh(F: Any, x: Any, h: Any, state: State) -> State:
    return (F.tanh(F.add(x, h)),)


def _step_relu(F: Any, x: Any, h: Any, state: State) -> State:
    return (F.relu(F.add(x, h)),)


def _step_gru(F: Any, x: Any, h: Any, state: State) -> State:
    """Reset r, update z and news n: n + z (state - n) (Cho et al., 2014)."""
    xr, xz, xn = _parts(F, x, 3)
    hr, hz, hn = _parts(F, h, 3)
    reset, update = F.sigmoid(F.add(xr, hr)), F.sigmoid(F.add(xz, hz))
    news = F.tanh(F.add(xn, F.mul(reset, hn)))
    return (F.add(news, F.mul(update, F.sub(state[0], news))),)


def _step_lstm(F: Any, x: Any, h: Any, state: State) -> State:
    """Input, forget, cell and output gates (Hochreiter and Schmidhuber, 1997; Gers, 2000)."""
    i, f, g, o = _parts(F, F.add(x, h), 4)
    cell = F.add(F.mul(F.sigmoid(f), state[1]), F.mul(F.sigmoid(i), F.tanh(g)))
    return F.mul(F.sigmoid(o), F.tanh(cell)), cell


CELLS = {c.name: c for c in (Cell("rnn_tanh", 1, 1, _step_tanh), Cell("rnn_relu", 1, 1, _step_relu),
                             Cell("gru", 3, 1, _step_gru), Cell("lstm", 4, 2, _step_lstm))}


def _one_step(F: Any, cell: Cell, x: Any, state: State, w_ih: Any, w_hh: Any, b_ih: Any,
              b_hh: Any) -> State:
    """One step of inputs [N, in] (or [in]) and states [N, hidden]."""
    t, h = F.typeof(x), F.typeof(state[0])
    if t.ndim not in (1, 2) or any(F.typeof(s).ndim != t.ndim for s in state):
        raise OpError(f"{cell.name}_cell: wanted an input [N, in] and a state [N, hidden], or both "
                      f"without N, got {t} and {h}")
    if F.typeof(w_hh).shape != (cell.gates * h.shape[-1], h.shape[-1]):
        raise OpError(f"{cell.name}_cell: the weight of a state {h} is [{cell.gates} hidden, "
                      f"hidden], got {F.typeof(w_hh)}")
    if t.ndim == 1:
        x = F.reshape(x, shape=(1, *t.shape))
        state = tuple(F.reshape(s, shape=(1, *h.shape)) for s in state)
    state = cell.step(F, linear(F, x, w_ih, b_ih), linear(F, state[0], w_hh, b_hh), state)
    return tuple(F.reshape(s, shape=h.shape) for s in state) if t.ndim == 1 else state


def rnn_tanh_cell(F: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:
    """tanh(w_ih x + b_ih + w_hh h + b_hh) of inputs [N, in] and states [N, hidden]."""
    return _one_step(F, CELLS["rnn_tanh"], input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(F: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
                  b_hh: Any = None) -> Any:
    """`rnn_tanh_cell` with max(x, 0) for tanh."""
    return _one_step(F, CELLS["rnn_relu"], input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def gru_cell(F: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None,
             b_hh: Any = None) -> Any:
    """The next state of a gated recurrent unit; weights hold reset, update and new."""
    return _one_step(F, CELLS["gru"], input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def lstm_cell(F: Any, input: Any, hx: Sequence[Any], w_ih: Any, w_hh: Any, b_ih: Any = None,
              b_hh: Any = None) -> tuple[Any, Any]:
    """The next state (h, c); weights hold the input, forget, cell and output gates."""
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise OpError("lstm_cell: the state is a pair (h, c)")
    h, c = _one_step(F, CELLS["lstm"], input, tuple(hx), w_ih, w_hh, b_ih, b_hh)
    return h, c


# --- along time --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Weights:
    """What one layer has in one direction; absent ones are None."""

    ih: Any
    hh: Any
    b_ih: Any = None
    b_hh: Any = None
    hr: Any = None  #: projects what a layer gives out


def _next(F: Any, cell: Cell, x: Any, state: State, w: Weights) -> State:
    state = cell.step(F, x, linear(F, state[0], w.hh, w.b_hh), state)
    return state if w.hr is None else (linear(F, state[0], w.hr), *state[1:])


def _rows(F: Any, state: State, start: Any, stop: Any) -> State:
    return tuple(region(F, s, 0, start, stop) for s in state)


def _joined(F: Any, *states: State) -> State:
    return tuple(F.concat(*parts, dim=0) for parts in zip(*states, strict=True))


def _differs(a: Any, b: Any) -> bool:
    return a is not b and bool(a != b)


def run_forward(F: Any, cell: Cell, x: Any, sizes: Sequence[Any], state: State,
                w: Weights) -> tuple[Any, State]:
    """What one layer gives out at each time, and the last state of each sequence."""
    gates, start, have = linear(F, x, w.ih, w.b_ih), 0, sizes[0]
    outs, ended = [], []
    for size in sizes:
        if _differs(size, have):  # some sequences have ended: their states are put aside
            ended.append(_rows(F, state, size, have))
            state, have = _rows(F, state, 0, size), size
        state = _next(F, cell, region(F, gates, 0, start, start + size), state, w)
        outs.append(state[0])
        start = start + size
    return F.concat(*outs, dim=0), _joined(F, state, *reversed(ended)) if ended else state


def run_backward(F: Any, cell: Cell, x: Any, sizes: Sequence[Any], state: State,
                 w: Weights) -> tuple[Any, State]:
    """The same from the end of each sequence to its start."""
    gates, stop, have = linear(F, x, w.ih, w.b_ih), F.typeof(x).shape[0], sizes[-1]
    outs, now = [], _rows(F, state, 0, have)
    for size in reversed(sizes):
        if _differs(size, have):  # some sequences begin here
            now, have = _joined(F, now, _rows(F, state, have, size)), size
        now = _next(F, cell, region(F, gates, 0, stop - size, stop), now, w)
        outs.append(now[0])
        stop = stop - size
    return F.concat(*reversed(outs), dim=0), now


def run_layers(F: Any, cell: Cell, x: Any, sizes: Sequence[Any], initial: State,
               weights: Sequence[Weights], bidirectional: bool,
               drop: Drop | None = None) -> tuple[Any, State]:
    """Layers on top of each other, of one direction or two; ``drop`` thins what goes between them.

    ``x`` is [rows, in]; ``initial`` and the last states [layers * directions, N, ...].
    """
    directions = (run_forward, run_backward) if bidirectional else (run_forward,)
    finals: list[State] = []
    for place in range(0, len(weights), len(directions)):
        outs = []
        for k, run in enumerate(directions):
            state = tuple(F.select(s, dim=0, index=place + k) for s in initial)
            out, final = run(F, cell, x, sizes, state, weights[place + k])
            outs.append(out)
            finals.append(final)
        x = F.concat(*outs, dim=1) if bidirectional else outs[0]
        if drop is not None and place + len(directions) < len(weights):
            x = drop(x)
    return x, tuple(_stacked(F, parts) for parts in zip(*finals, strict=True))


def _stacked(F: Any, parts: Sequence[Any]) -> Any:
    return F.concat(*(F.reshape(p, shape=(1, *F.typeof(p).shape)) for p in parts), dim=0)


def run_padded(F: Any, cell: Cell, input: Any, initial: State, weights: Sequence[Weights],
               bidirectional: bool, batch_first: bool,
               drop: Drop | None = None) -> tuple[Any, State]:
    """`run_layers` of sequences [T, N, in] (or [N, T, in]) of one length."""
    if batch_first:
        input = F.permute(input, dims=(1, 0, 2))
    steps, batch, width = F.typeof(input).shape
    if type(steps) is not int or steps < 1:
        raise OpError(f"{cell.name}: the length of sequences is a number from 1 up, got "
                      f"{F.typeof(input)}; jit.scan runs a cell (nn.GRUCell, nn.LSTMCell) over a "
                      f"dynamic length")
    out, final = run_layers(F, cell, F.reshape(input, shape=(steps * batch, width)),
                            (batch,) * steps, initial, weights, bidirectional, drop)
    out = F.reshape(out, shape=(steps, batch, F.typeof(out).shape[1]))
    return (F.permute(out, dims=(1, 0, 2)) if batch_first else out), final


# --- under torch's names -----------------------------------------------------------------------
def grouped(params: Sequence[Any], has_biases: bool, count: int) -> list[Weights]:
    """A flat list of weights, layer by layer and direction by direction."""
    each, plain = len(params) // max(count, 1), 4 if has_biases else 2
    if count < 1 or each * count != len(params) or each not in (plain, plain + 1):
        raise OpError(f"{len(params)} weights are not {plain} (or, projected, {plain + 1}) for "
                      f"each of {count} layers and directions")
    found = []
    for k in range(count):
        ih, hh, *others = params[k * each:(k + 1) * each]
        b_ih, b_hh = others[:2] if has_biases else (None, None)
        found.append(Weights(ih, hh, b_ih, b_hh, others[-1] if each > plain else None))
    return found


def _network(F: Any, name: str, input: Any, initial: State, params: Sequence[Any],
             has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
             batch_first: bool) -> tuple[Any, State]:
    if dropout and train:
        raise OpError(f"{name}: dropout draws from a stream; use nn.{name.upper()[:4]}")
    if F.typeof(input).ndim != 3:
        raise OpError(f"{name}: sequences are [T, N, in] (batch_first: [N, T, in]), got "
                      f"{F.typeof(input)}")
    weights = grouped(params, has_biases, num_layers * (2 if bidirectional else 1))
    return run_padded(F, CELLS[name], input, initial, weights, bidirectional, batch_first)


def lstm(F: Any, input: Any, hx: Sequence[Any], params: Sequence[Any], has_biases: bool,
         num_layers: int, dropout: float, train: bool, bidirectional: bool,
         batch_first: bool) -> tuple[Any, Any, Any]:
    """A long short-term memory along [T, N, in]: what it gives out, and its last (h, c).

    ``params`` are w_ih, w_hh, b_ih, b_hh (and w_hr) for each layer and direction.
    """
    out, (h, c) = _network(F, "lstm", input, tuple(hx), params, has_biases, num_layers, dropout,
                           train, bidirectional, batch_first)
    return out, h, c


def _plain(name: str, doc: str) -> Callable[..., Any]:
    def body(F: Any, input: Any, hx: Any, params: Sequence[Any], has_biases: bool,
             num_layers: int, dropout: float, train: bool, bidirectional: bool,
             batch_first: bool) -> tuple[Any, Any]:
        out, (h,) = _network(F, name, input, (hx,), params, has_biases, num_layers, dropout,
                             train, bidirectional, batch_first)
        return out, h

    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    return body


FUNCTIONS = tuple(Composite(f.__name__, f, Spelling(("eager",))) for f in (
    rnn_tanh_cell, rnn_relu_cell, gru_cell, lstm_cell, lstm,
    _plain("gru", "Gated recurrent units along [T, N, in]: what they give out, their last state."),
    _plain("rnn_tanh", "A plain network of tanh along [T, N, in], and its last state."),
    _plain("rnn_relu", "A plain network of max(x, 0) along [T, N, in], and its last state.")))
