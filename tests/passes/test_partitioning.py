"""A graph of results and gradients falls into two, which together compute what it did."""

from __future__ import annotations

from textwrap import dedent

import numpy as np

from jit.interpreter import interpret
from jit.passes.partitioning import Partition, partition
from jit.text import parse_graph, print_graph
from jit.verifier import verify
from tests.graphs import arguments


def parts_of(text: str, results: int = 1) -> Partition:
    """The parts, after checking them against the whole; inputs ``g...`` are the seeds."""
    graph = verify(parse_graph(dedent(text)))
    found = partition(graph, results, [i for i in graph.inputs if i.name.startswith("g")])
    given = dict(zip((i.name for i in graph.inputs), arguments(graph), strict=True))
    expected, writes = interpret(graph, given)
    forward, backward = verify(found.forward), verify(found.backward)
    outs, new_writes = interpret(forward, {i.name: given[i.name] for i in forward.inputs})
    given.update(zip((i.name for i in backward.inputs), outs[results:], strict=False))
    back, _ = interpret(backward, {i.name: given[i.name] for i in backward.inputs})
    assert list(writes) == list(new_writes) and found.kept == len(outs) - results
    for a, b in zip([*expected, *writes.values()], [*outs[:results], *back, *new_writes.values()],
                    strict=True):
        np.testing.assert_array_equal(a, b)
    return found


def backward_of(text: str, results: int = 1) -> str:
    return print_graph(parts_of(text, results).backward)


def test_a_mask_is_computed_again_from_the_activation() -> None:
    parts = parts_of("""
        f(%x: f32[n, 4], %w: f32[4, 3], %g: f32[n, 3]) where n in 0..9 {
          %0 = matmul(%x, %w) : f32[n, 3]
          %1 = relu(%0) : f32[n, 3]
          %2 = mul(%1, %1) : f32[n, 3]
          %3 = mul(%1, %g) : f32[n, 3]
          %4 = gt(%1, 0.0:f32) : bool[n, 3]
          %5 = where(%4, %3, 0.0:f32) : f32[n, 3]
          %6 = permute(%x, dims=(1, 0)) : f32[4, n]
          %7 = matmul(%6, %5) : f32[4, 3]
          return %2, %7
        }""")
    assert print_graph(parts.forward) == dedent("""
        f(%x: f32[n, 4], %w: f32[4, 3]) where n in 0..9 {
          %0 = matmul(%x, %w) : f32[n, 3]
          %1 = relu(%0) : f32[n, 3]
          %2 = mul(%1, %1) : f32[n, 3]
          return %2, %1
        }""").strip()
    assert print_graph(parts.backward) == dedent("""
        f_backward(%"kept.0": f32[n, 3], %x: f32[n, 4], %g: f32[n, 3]) where n in 0..9 {
          %0 = mul(%"kept.0", %g) : f32[n, 3]
          %1 = gt(%"kept.0", 0.0:f32) : bool[n, 3]
          %2 = where(%1, %0, 0.0:f32) : f32[n, 3]
          %3 = permute(%x, dims=(1, 0)) : f32[4, n]
          %4 = matmul(%3, %2) : f32[4, 3]
          return %4
        }""").strip()


def test_a_chain_is_computed_again_from_the_product_it_began_with() -> None:
    text = backward_of("""
        graph(%x: f32[5, 5], %w: f32[5, 5], %b: f32[5], %g: f32[5, 5]) {
          %0 = matmul(%x, %w) : f32[5, 5]
          %1 = add(%0, %b) : f32[5, 5]
          %2 = exp(%1) : f32[5, 5]
          %3 = tanh(%1) : f32[5, 5]
          %4 = mul(%2, %3) : f32[5, 5]
          %5 = mul(%g, %2) : f32[5, 5]
          %6 = mul(%g, %3) : f32[5, 5]
          %7 = add(%5, %6) : f32[5, 5]
          return %4, %7
        }""")
    assert 'graph_backward(%"kept.0": f32[5, 5], %b: f32[5], %g' in text and "matmul" not in text


def test_one_value_is_kept_rather_than_another_of_its_size() -> None:
    text = backward_of("""
        graph(%x: f32[5, 5], %w: f32[5, 5], %g: f32[5, 5]) {
          %0 = matmul(%x, %w) : f32[5, 5]
          %1 = exp(%0) : f32[5, 5]
          %2 = mul(%g, %1) : f32[5, 5]
          return %1, %2
        }""")
    assert "exp" not in text


def test_what_is_given_costs_nothing_and_a_broadcast_its_source() -> None:
    parts = parts_of("""
        graph(%x: f32[5, 64], %g: f32[5, 64]) {
          %0 = sum(%x, dims=(1,), keepdim=true) : f32[5, 1]
          %1 = broadcast_to(%0, shape=(5, 64)) : f32[5, 64]
          %2 = exp(%x) : f32[5, 64]
          %3 = mul(%1, %2) : f32[5, 64]
          %4 = mul(%g, %3) : f32[5, 64]
          return %3, %4
        }""")
    assert [str(i.type) for i in parts.backward.inputs] == ["f32[5, 1]", "f32[5, 64]",
                                                            "f32[5, 64]"]


def test_draws_and_the_old_value_of_what_is_written_are_kept() -> None:
    parts = parts_of("""
        graph(%x: f32[4], %s: i64[3] stream, %m: f32[4] buffer, %g: f32[4]) {
          %0 = rand_uniform(%s, shape=(4,), dtype=f32) : f32[4]
          %1 = rand_advance(%s, count=4) : i64[3]
          %2 = ge(%0, 0.5:f32) : bool[4]
          %3 = where(%2, %x, 0.0:f32) : f32[4]
          %4 = add(%m, %3) : f32[4]
          %5 = where(%2, %g, 0.0:f32) : f32[4]
          %6 = mul(%5, %m) : f32[4]
          return %3, %6
          update %s = %1
          update %m = %4
        }""")
    assert [str(i.type) for i in parts.backward.inputs] == ["f32[4]", "bool[4]", "f32[4]"]
    assert not any(n.op.name.startswith("rand") for n in parts.backward.nodes)


def test_a_dim_that_no_other_tells_is_told_by_an_argument() -> None:
    parts = parts_of("""
        graph(%x: f32[n, 2], %g: f32[2*n]) where n in 0..9 {
          %0 = reshape(%x, shape=(2*n,)) : f32[2*n]
          %1 = neg(%0) : f32[2*n]
          %2 = neg(%g) : f32[2*n]
          %3 = reshape(%2, shape=(n, 2)) : f32[n, 2]
          return %1, %3
        }""")
    assert [i.name for i in parts.backward.inputs] == ["x", "g"]


def test_names_that_are_taken() -> None:
    text = backward_of("""
        graph(%"kept.0": f32[4, 4], %w: f32[4, 4], %g: f32[4, 4]) {
          %0 = matmul(%"kept.0", %w) : f32[4, 4]
          %1 = exp(%0) : f32[4, 4]
          %2 = mul(%g, %1) : f32[4, 4]
          %3 = mul(%2, %"kept.0") : f32[4, 4]
          return %1, %3
        }""")
    assert '%"kept.1": f32[4, 4]' in text
