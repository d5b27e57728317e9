"""An anchor-free detector: a small FCOS head over two levels, and its non-maximum suppression."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Detector(nn.Module):
    def __init__(self, width=8, classes=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.GroupNorm(2, width), nn.SiLU())
        self.down = nn.Sequential(nn.Conv2d(width, width, 3, 2, 1), nn.GroupNorm(2, width),
                                  nn.SiLU())
        self.lateral = nn.Conv2d(width, width, 1)
        self.head = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.cls_logits = nn.Conv2d(width, classes, 3, padding=1)
        self.bbox_reg = nn.Conv2d(width, 4, 3, padding=1)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(2)])

    def forward(self, x):
        fine = self.stem(x)
        coarse = self.down(fine)
        fine = self.lateral(fine) + F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        scores, boxes = [], []
        for level, (feature, stride) in enumerate(((fine, 2), (coarse, 4))):
            h = self.head(feature)
            N, _, H, W = h.shape
            ys, xs = torch.meshgrid(torch.arange(H, dtype=x.dtype), torch.arange(W, dtype=x.dtype),
                                    indexing="ij")
            centers = (torch.stack((xs, ys), dim=-1).reshape(-1, 2) + 0.5) * stride
            ltrb = torch.exp(self.bbox_reg(h) * self.scales[level]).permute(0, 2, 3, 1)
            ltrb = ltrb.reshape(N, -1, 4) * stride
            boxes.append(torch.cat([centers - ltrb[..., :2], centers + ltrb[..., 2:]], dim=-1))
            scores.append(self.cls_logits(h).permute(0, 2, 3, 1).reshape(N, H * W, -1))
        return torch.cat(scores, dim=1), torch.cat(boxes, dim=1)


def box_iou(a, b):
    lt = torch.max(a[:, None, :2], b[:, :2])
    rb = torch.min(a[:, None, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(dim=2)
    area = lambda box: (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])  # noqa: E731
    return inter / (area(a)[:, None] + area(b) - inter)


def nms(boxes, scores, threshold):
    order, keep = scores.argsort(descending=True), []
    while order.numel() > 0:
        i = order[0]
        keep.append(i.item())
        if order.numel() == 1:
            break
        iou = box_iou(boxes[i].unsqueeze(0), boxes[order[1:]])[0]
        order = order[1:][iou <= threshold]
    return torch.tensor(keep)


def build():
    return Detector()


def inputs(rng):
    corners = rng.uniform(0, 10, (2, 2))
    return (rng.normal(size=(1, 3, 16, 16)), __import__("numpy").hstack([corners, corners + 5]),
            rng.integers(0, 3, 2))


def loss(model, image, gt_boxes, gt_labels):
    scores, boxes = model(image)
    scores, boxes = scores[0], boxes[0]
    iou = box_iou(boxes.detach(), gt_boxes)
    best, matched = iou.max(dim=1)
    positive = best > 0.2
    target = torch.zeros_like(scores)
    where = torch.nonzero(positive).squeeze(1)
    target[where, gt_labels[matched[where]]] = 1.0
    p = torch.sigmoid(scores)
    ce = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
    focal = (ce * ((1 - (p * target + (1 - p) * (1 - target))) ** 2)).sum()
    reg = F.smooth_l1_loss(boxes[positive], gt_boxes[matched[positive]], reduction="sum")
    kept = nms(boxes.detach(), p.detach().max(dim=1)[0], 0.5)
    return (focal + reg) / positive.sum().clamp(min=1) + boxes[kept].mean() * 0.01
