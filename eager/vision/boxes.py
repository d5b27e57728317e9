"""Boxes of images: their forms, their overlaps, and which of many to keep.

A box is ``(x1, y1, x2, y2)`` in the last dim unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import eager
from eager.engine.mode import no_grad
from eager.engine.tensor import Tensor
from eager.ops.errors import OpError


def _check(name: str, boxes: Tensor) -> None:
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise OpError(f"{name}: boxes are [..., 4], got {boxes.spec}")


def _wide(x: Tensor) -> Tensor:
    """Numbers in which products of coordinates do not overflow: float32, float64 or int64."""
    if x.dtype.is_floating_point:
        return x if x.dtype in (eager.float32, eager.float64) else x.to(eager.float32)
    return x.to(eager.int64)


# --- forms -------------------------------------------------------------------------------------
def _from_xywh(b: Tensor) -> Tensor:
    return eager.cat([b[..., :2], b[..., :2] + b[..., 2:]], -1)


def _to_xywh(b: Tensor) -> Tensor:
    return eager.cat([b[..., :2], b[..., 2:] - b[..., :2]], -1)


def _from_cxcywh(b: Tensor) -> Tensor:
    half = b[..., 2:] * 0.5
    return eager.cat([b[..., :2] - half, b[..., :2] + half], -1)


def _to_cxcywh(b: Tensor) -> Tensor:
    return eager.cat([(b[..., :2] + b[..., 2:]) / 2, b[..., 2:] - b[..., :2]], -1)


_FORMS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "xyxy": (lambda b: b, lambda b: b), "xywh": (_from_xywh, _to_xywh),
    "cxcywh": (_from_cxcywh, _to_cxcywh)}


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes [..., 4] in another form: ``xyxy``, ``xywh`` or ``cxcywh`` (centre and size)."""
    _check("box_convert", boxes)
    for form in (in_fmt, out_fmt):
        if form not in _FORMS:
            raise OpError(f"box_convert: forms are {', '.join(_FORMS)}, got {form!r}")
    if in_fmt == out_fmt:
        return boxes.clone()
    return _FORMS[out_fmt][1](_FORMS[in_fmt][0](boxes))


def box_area(boxes: Tensor) -> Tensor:
    """Width times height of boxes [..., 4]; negative where corners are swapped."""
    _check("box_area", boxes)
    b = _wide(boxes)
    return (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes [..., 4] cut off at an image of ``size`` (height, width)."""
    _check("clip_boxes_to_image", boxes)
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return eager.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Positions of the boxes [N, 4] whose sides are both at least ``min_size``, int64."""
    _check("remove_small_boxes", boxes)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    keep = (width >= min_size) & (height >= min_size)
    return eager.nonzero(keep)[:, 0]


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The smallest box round what is not 0 in each mask [N, H, W]: float32 [N, 4], ends inside.

    A mask of zeros has the box of zeros.
    """
    if masks.ndim != 3:
        raise OpError(f"masks_to_boxes: masks are [N, H, W], got {masks.spec}")
    if masks.shape[0] == 0:
        return eager.zeros(0, 4)
    inside = masks != 0
    ends = []
    for dim in (1, 2):  # whether a column, then a row, holds anything
        line = inside.any(dim).to(eager.int64)
        ends.append((line.argmax(1), line.shape[1] - 1 - line.flip(1).argmax(1)))
    (x1, x2), (y1, y2) = ends
    found = inside.flatten(1).any(1, keepdim=True)
    return (eager.stack([x1, y1, x2, y2], 1) * found).to(eager.float32)


# --- overlaps ----------------------------------------------------------------------------------
def _corners(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Every box of ``a`` [..., N, 1, 4] against every one of ``b`` [..., 1, M, 4]."""
    _check("boxes", a)
    _check("boxes", b)
    return a.unsqueeze(-2), b.unsqueeze(-3)


def _shared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union."""
    low = eager.maximum(a[..., :2], b[..., :2])
    high = eager.minimum(a[..., 2:], b[..., 2:])
    size = _wide(high - low).clamp(min=0)
    inter = size[..., 0] * size[..., 1]
    return inter, box_area(a) + box_area(b) - inter


def _hull(a: Tensor, b: Tensor) -> Tensor:
    """Width and height of the smallest box round both."""
    low = eager.minimum(a[..., :2], b[..., :2])
    high = eager.maximum(a[..., 2:], b[..., 2:])
    return _wide(high - low).clamp(min=0)


def _generalized(a: Tensor, b: Tensor, eps: float) -> Tensor:
    """H. Rezatofighi et al., "Generalized intersection over union" (2019)."""
    inter, union = _shared(a, b)
    hull = _hull(a, b)
    area = hull[..., 0] * hull[..., 1]
    return inter / (union + eps) - (area - union) / (area + eps)


def _distance(a: Tensor, b: Tensor, eps: float, zero: float) -> tuple[Tensor, Tensor]:
    """Z. Zheng et al., "Distance-IoU loss" (2020): less the distance of centres; and the IoU."""
    inter, union = _shared(a, b)
    iou = inter / (union + zero)
    hull = _hull(a, b)
    diagonal = (hull * hull).sum(-1) + eps
    apart = _wide(a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return iou - (apart * apart).sum(-1) / diagonal, iou


def _complete(a: Tensor, b: Tensor, eps: float, zero: float) -> Tensor:
    """As `_distance`, less how far the proportions differ."""
    distance, iou = _distance(a, b, eps, zero)
    angles = [eager.atan((c[..., 2] - c[..., 0]) / (c[..., 3] - c[..., 1])) for c in (a, b)]
    v = 4 / math.pi ** 2 * (angles[1] - angles[0]) ** 2
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return distance - alpha * v


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of every two boxes: [..., N, 4] and [..., M, 4] to [..., N, M]."""
    inter, union = _shared(*_corners(boxes1, boxes2))
    return inter / union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """`box_iou` less the share of the smallest box round both that neither covers."""
    return _generalized(*_corners(boxes1, boxes2), 0.0)


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`box_iou` less the squared distance of centres over that of the hull's corners."""
    return _distance(*_corners(boxes1, boxes2), eps, 0.0)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`distance_box_iou` less how far the proportions of two boxes differ."""
    return _complete(*_corners(boxes1, boxes2), eps, 0.0)


# --- losses ------------------------------------------------------------------------------------
_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x, "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean() if x.numel() else 0.0 * x.sum()}


def reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The loss as ``none``, ``sum`` or ``mean`` (0 of nothing) want it."""
    if reduction not in _REDUCTIONS:
        raise OpError(f"{name}: reduction is 'none', 'mean' or 'sum', got {reduction!r}")
    return _REDUCTIONS[reduction](loss)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none",
                             eps: float = 1e-7) -> Tensor:
    """``1 - GIoU`` of boxes [N, 4] and as many others."""
    loss = 1 - _generalized(boxes1, boxes2, eps)
    return reduced("generalized_box_iou_loss", loss, reduction)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none",
                          eps: float = 1e-7) -> Tensor:
    """``1 - DIoU`` of boxes [N, 4] and as many others."""
    loss = 1 - _distance(boxes1, boxes2, eps, eps)[0]
    return reduced("distance_box_iou_loss", loss, reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none",
                          eps: float = 1e-7) -> Tensor:
    """``1 - CIoU`` of boxes [N, 4] and as many others."""
    return reduced("complete_box_iou_loss", 1 - _complete(boxes1, boxes2, eps, eps), reduction)


# --- which to keep -----------------------------------------------------------------------------
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Positions of the boxes [N, 4] that overlap no better one by more than ``iou_threshold``.

    In order of their scores [N], best first, int64.  Reads its data, so no trace holds it.
    """
    if boxes.ndim != 2 or boxes.shape[-1] != 4 or scores.shape != boxes.shape[:1]:
        raise OpError(f"nms: wants boxes [N, 4] and scores [N], got {boxes.spec} and "
                      f"{scores.spec}")
    b = boxes.detach().numpy()
    order = np.argsort(-scores.detach().numpy(), kind="stable")
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        size = np.minimum(b[best, 2:], b[order, 2:]) - np.maximum(b[best, :2], b[order, :2])
        inter = np.maximum(size, 0).prod(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            order = order[~(inter / (area[best] + area[order] - inter) > iou_threshold)]
    return eager.tensor(np.array(kept, np.int64))


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of each class ``idxs`` [N] apart; all kept, best first."""
    classes = idxs.detach().numpy()
    kept = [np.zeros(0, np.int64)]
    for c in np.unique(classes):
        members = eager.tensor(np.flatnonzero(classes == c))
        kept.append(members[nms(boxes[members], scores[members], iou_threshold)].numpy())
    found = np.concatenate(kept)
    order = np.lexsort((found, -scores.detach().numpy()[found]))
    return eager.tensor(found[order])
