"""Convolutions, pools, borders and norms."""

from __future__ import annotations

import numpy as np

from tests.ops.cases.case import F, f, i

LINE, IMAGE, VOLUME = f(2, 4, 9), f(2, 4, 7, 6), f(1, 2, 5, 6, 4)
# Neighbours are far apart, so that no step of a slope changes who is the largest.
APART = np.random.default_rng(3).permutation(2 * 2 * 8 * 7).reshape(2, 2, 8, 7) * 0.05
FLAT = APART.reshape(2, 2, 56)[:, :, :11].copy()
DEEP = np.random.default_rng(4).permutation(2 * 6 * 5 * 6).reshape(1, 2, 6, 5, 6) * 0.05


CASES = (
    F("conv1d", LINE, f(6, 4, 3), f(6), stride=2, padding=1), F("conv1d", LINE[0], f(3, 4, 2)),
    F("conv1d", LINE, f(4, 2, 3), dilation=2, groups=2, padding="same"),
    F("conv2d", IMAGE, f(8, 1, 3, 3), f(8), padding=1, groups=4),
    F("conv2d", IMAGE, f(6, 2, 3, 2), None, (2, 1), (1, 0), (1, 2), 2),
    F("conv2d", IMAGE, f(3, 4, 1, 1), f(3)), F("conv2d", IMAGE, f(3, 4, 1, 1), stride=2),
    F("conv3d", VOLUME, f(3, 2, 3, 2, 2), f(3), stride=(2, 1, 2), padding=1),
    F("conv3d", VOLUME, f(4, 1, 2, 3, 2), groups=2, dilation=(2, 1, 1), padding="same"),
    F("conv_transpose1d", LINE, f(4, 3, 3), f(3), stride=2, padding=1, output_padding=1),
    F("conv_transpose2d", IMAGE, f(4, 3, 3, 2), f(3), stride=2, padding=1),
    F("conv_transpose2d", IMAGE, f(4, 2, 3, 3), None, 2, 1, 1, 2, 2),
    F("conv_transpose2d", IMAGE[0], f(4, 3, 2, 2)),
    F("conv_transpose2d", IMAGE, f(4, 2, 2, 3), f(2), 1, 1, 2, 1, 3),
    F("conv_transpose3d", VOLUME, f(2, 3, 2, 3, 2), f(3), stride=(2, 1, 2), padding=(0, 1, 0)),
    F("unfold", IMAGE, (3, 2), padding=1, stride=2), F("unfold", IMAGE, 2, dilation=2),
    F("fold", f(2, 12, 20), (5, 6), (2, 2)), F("fold", f(2, 8, 9), (5, 6), 2, 1, (1, 0), 2),
    F("max_pool1d", FLAT, 3), F("max_pool1d", FLAT, 3, 2, 1, ceil_mode=True),
    F("max_pool1d", FLAT, 2, return_indices=True), F("max_pool2d", APART, 2),
    F("max_pool2d", APART, 3, 2, 1), F("max_pool2d", APART, (3, 2), (2, 1), ceil_mode=True),
    F("max_pool2d", APART, 3, 2, 1, 1, True, True), F("max_pool2d", APART[0], 2, dilation=2),
    F("max_pool3d", DEEP, 2), F("max_pool3d", DEEP, (3, 2, 2), 2, 1),
    F("max_pool3d", DEEP, 2, 1, ceil_mode=True, return_indices=True),
    F("avg_pool1d", LINE, 3), F("avg_pool1d", LINE, 4, 2, 1, True, False),
    F("avg_pool2d", IMAGE, 3, 2, 1, True), F("avg_pool2d", IMAGE, (3, 2), 2, 1, False, False),
    F("avg_pool2d", IMAGE, 2, divisor_override=3), F("avg_pool2d", IMAGE[0], 2, ceil_mode=True),
    F("avg_pool3d", VOLUME, 2),
    F("avg_pool3d", VOLUME, (3, 2, 2), 1, 1, False, False),
    F("lp_pool3d", VOLUME, 2, (2, 3, 2), 2), F("lp_pool1d", LINE, 2, 3),
    F("lp_pool2d", IMAGE, 2, 3, 2), F("lp_pool2d", IMAGE + 3, 3, 2),
    F("adaptive_avg_pool1d", LINE, 3), F("adaptive_avg_pool1d", LINE, 4),
    F("adaptive_avg_pool2d", IMAGE, (4, 3)), F("adaptive_avg_pool2d", IMAGE, (None, 4)),
    F("adaptive_avg_pool2d", IMAGE, 1), F("adaptive_avg_pool3d", VOLUME, (2, 3, 4)),
    F("adaptive_max_pool1d", FLAT, 4), F("adaptive_max_pool2d", APART, (3, 4)),
    F("adaptive_max_pool2d", APART, (4, 7), True), F("adaptive_max_pool3d", DEEP, (2, 3, 4)),
    F("max_unpool1d", f(1, 2, 3), i([[1, 3, 4], [0, 2, 5]]).reshape(1, 2, 3), 2),
    F("max_unpool2d", f(1, 1, 2, 2), i([[[[0, 3], [9, 15]]]]).reshape(1, 1, 2, 2), 2),
    F("max_unpool3d", f(1, 1, 1, 1, 2), i([[[[[3, 9]]]]]).reshape(1, 1, 1, 1, 2), 2),
    F("pad", IMAGE, (1, 2, 0, 1), "reflect"), F("pad", LINE, (2, 1), "replicate"),
    F("pad", IMAGE, (1, 2, 3, 0), "circular"),
    F("pad", VOLUME, (1, 1, 2, 0, 1, 2), "replicate"),
    F("pad", VOLUME, (1, 1, 2, 0, 1, 2), "reflect"), F("pad", IMAGE, (-1, 2, 1, -2), value=2.0),
    F("pad", i([1, 2]), (1, 0), value=7), F("pad", IMAGE[0], (1, 1), "reflect"),
    F("instance_norm", IMAGE, None, None, f(4), f(4)), F("instance_norm", LINE),
    F("instance_norm", IMAGE, f(4), f(4, low=0.5), use_input_stats=False),
    F("local_response_norm", IMAGE, 3), F("local_response_norm", IMAGE, 2, 0.1, 0.5, 2.0),
    F("layer_norm", IMAGE, (7, 6), f(7, 6), f(7, 6)), F("group_norm", LINE, 4),
    F("rms_norm", IMAGE, (6,), f(6)),
)
REJECTS = (
    F("conv1d", LINE, f(6, 3, 3)), F("conv2d", IMAGE, f(6, 4, 9, 9)), F("conv2d", IMAGE, LINE),
    F("conv2d", IMAGE, f(6, 4, 3, 3), padding="most"), F("conv2d", IMAGE, f(6, 4, 3, 3), stride=0),
    F("conv2d", IMAGE, f(6, 4, 3, 3), stride=2, padding="same"),
    F("conv2d", IMAGE, f(5, 2, 3, 3), groups=2), F("conv_transpose2d", IMAGE, f(3, 3, 2, 2)),
    F("conv_transpose2d", IMAGE, f(4, 3, 2, 2), output_padding=2), F("max_pool2d", IMAGE, 9),
    F("max_pool2d", IMAGE, 2, padding=2), F("avg_pool2d", IMAGE, 2, padding=2),
    F("avg_pool2d", IMAGE, 2, divisor_override=0), F("pad", IMAGE, (1, 2, 3)),
    F("pad", IMAGE, (9, 0), "reflect"), F("pad", IMAGE, (1, 1), "mirror"),
    F("group_norm", IMAGE, 3), F("layer_norm", IMAGE, (5,)), F("fold", f(2, 12, 20), (5, 5), 2),
    F("instance_norm", f(2, 3)), F("adaptive_avg_pool2d", f(3), 2),
)
