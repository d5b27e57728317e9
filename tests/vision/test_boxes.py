"""Boxes: forms, overlaps and selection, against sums written out in Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import eager
from eager.vision import ops

RNG = np.random.default_rng(3)


def _boxes(n: int) -> np.ndarray[Any, Any]:
    low = RNG.uniform(0, 10, (n, 2))
    return np.concatenate([low, low + RNG.uniform(1, 6, (n, 2))], 1)


A, B = _boxes(5), _boxes(4)


def _iou(a: Any, b: Any) -> float:
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return w * h / (_area(a) + _area(b) - w * h)


def _area(a: Any) -> float:
    return (a[2] - a[0]) * (a[3] - a[1])


def _hull(a: Any, b: Any) -> list[float]:
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def _giou(a: Any, b: Any) -> float:
    iou, hull = _iou(a, b), _area(_hull(a, b))
    union = (_area(a) + _area(b)) / (1 + iou)
    return iou - (hull - union) / hull


def _diou(a: Any, b: Any) -> float:
    c = _hull(a, b)
    apart = math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2
    return _iou(a, b) - apart ** 2 / ((c[2] - c[0]) ** 2 + (c[3] - c[1]) ** 2)


def _ciou(a: Any, b: Any) -> float:
    angle = [math.atan((c[2] - c[0]) / (c[3] - c[1])) for c in (a, b)]
    v = 4 / math.pi ** 2 * (angle[0] - angle[1]) ** 2
    return _diou(a, b) - v * v / (1 - _iou(a, b) + v) if v else _diou(a, b)


@pytest.mark.parametrize(("ours", "loss", "one"), [
    (ops.box_iou, None, _iou), (ops.generalized_box_iou, ops.generalized_box_iou_loss, _giou),
    (ops.distance_box_iou, ops.distance_box_iou_loss, _diou),
    (ops.complete_box_iou, ops.complete_box_iou_loss, _ciou)])
def test_overlaps_of_all_pairs(ours: Any, loss: Any, one: Any) -> None:
    want = np.array([[one(a, b) for b in B] for a in A])
    got = ours(eager.tensor(A), eager.tensor(B))
    assert np.allclose(got.numpy(), want, atol=1e-6)
    if loss is not None:
        a, b = eager.tensor(A[:4], requires_grad=True), eager.tensor(B)
        lost = loss(a, b, reduction="sum")
        assert np.isclose(lost.item(), (1 - np.diag(want[:4])).sum(), atol=1e-5)
        lost.backward()
        assert a.grad is not None and np.isfinite(a.grad.numpy()).all()


def test_the_gradient_of_an_overlap_is_its_slope() -> None:
    from eager.autograd import gradcheck

    a = eager.tensor(A[:2], requires_grad=True)
    assert gradcheck(lambda x: ops.generalized_box_iou(x, eager.tensor(B)), (a,))


@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh"])
def test_forms_return(form: str) -> None:
    boxes = eager.tensor(A)
    there = ops.box_convert(boxes, "xyxy", form)
    assert np.allclose(ops.box_convert(there, form, "xyxy").numpy(), A)
    assert np.allclose(ops.box_area(boxes).numpy(), [_area(a) for a in A])
    with pytest.raises(eager.OpError, match="forms are"):
        ops.box_convert(boxes, "xyxy", "polar")


def test_cxcywh_is_centre_and_size() -> None:
    got = ops.box_convert(eager.tensor([[1.0, 2.0, 5.0, 10.0]]), "xyxy", "cxcywh")
    assert got.tolist() == [[3, 6, 4, 8]]
    assert ops.box_convert(eager.tensor([[1, 2, 3, 4]]), "xywh", "xyxy").tolist() == [[1, 2, 4, 6]]


def _nms(boxes: Any, scores: Any, threshold: float) -> list[int]:
    kept: list[int] = []
    for k in sorted(range(len(scores)), key=lambda k: -scores[k]):
        if all(_iou(boxes[k], boxes[j]) <= threshold for j in kept):
            kept.append(k)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5])
def test_nms_keeps_the_best(threshold: float) -> None:
    boxes, scores, classes = _boxes(30), RNG.uniform(size=30), RNG.integers(0, 3, 30)
    ours = ops.nms(eager.tensor(boxes), eager.tensor(scores), threshold)
    assert ours.dtype is eager.int64 and ours.tolist() == _nms(boxes, scores, threshold)
    apart = [k for c in range(3) for k in np.flatnonzero(classes == c)[
        _nms(boxes[classes == c], scores[classes == c], threshold)]]
    got = ops.batched_nms(eager.tensor(boxes), eager.tensor(scores), eager.tensor(classes),
                          threshold)
    assert got.tolist() == sorted(apart, key=lambda k: -scores[k])


def test_nms_of_nothing_and_of_wrong_shapes() -> None:
    none = ops.nms(eager.zeros(0, 4), eager.zeros(0), 0.5)
    assert none.tolist() == [] and none.dtype is eager.int64
    with pytest.raises(eager.OpError, match="nms: wants boxes"):
        ops.nms(eager.zeros(3, 4), eager.zeros(2), 0.5)


def test_clipped_small_and_masked() -> None:
    boxes = eager.tensor([[-1.0, 2.0, 5.0, 30.0], [1.0, 1.0, 1.5, 9.0]])
    assert ops.clip_boxes_to_image(boxes, (20, 4)).tolist() == [[0, 2, 4, 20], [1, 1, 1.5, 9]]
    assert ops.remove_small_boxes(boxes, 1.0).tolist() == [0]
    masks = np.zeros((2, 5, 6), bool)
    masks[0, 1:3, 2:6] = True
    assert ops.masks_to_boxes(eager.tensor(masks)).tolist() == [[2, 1, 5, 2], [0, 0, 0, 0]]
