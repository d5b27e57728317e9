"""Other sizes, grids, and pixels as channels."""

from __future__ import annotations

from typing import Any

from tests.ops.cases.case import Case, F, f

LINE, IMAGE, VOLUME = f(1, 2, 5), f(1, 2, 5, 4), f(1, 1, 3, 4, 3)
#: Few positions are so near to a pixel that a step of a slope crosses it.
GRID, DEEP = f(1, 3, 2, 2, low=-1.6, high=1.6), f(1, 2, 2, 1, 3, low=-1.6, high=1.6)
SQUARES = f(2, 8, 4, 6)


def _sampled() -> list[Case]:
    """Every mode with every border; a nearest pixel has no slope by the grid."""
    return [F("grid_sample", x, g, mode, padding, corners)
            for mode in ("bilinear", "nearest", "bicubic")
            for padding in ("zeros", "border", "reflection") for corners in (True, False)
            for x, g in ((IMAGE, GRID), (VOLUME, DEEP)) if (mode, x.ndim) != ("bicubic", 5)]


def _resized() -> list[Case]:
    return [F("interpolate", IMAGE, mode=mode, align_corners=corners, antialias=smooth, **size)
            for mode in ("bilinear", "bicubic") for corners in (True, False)
            for smooth in (True, False)
            for size in ({"size": (3, 7)}, {"scale_factor": (1.7, 0.6)})]


CASES: tuple[Any, ...] = (
    *_resized(), *_sampled(),
    *(F("interpolate", IMAGE, mode=mode, **size) for mode in ("nearest", "nearest-exact")
      for size in ({"size": (3, 7)}, {"scale_factor": (1.7, 0.6)})),
    F("interpolate", IMAGE, (3, 7), mode="area"),
    F("interpolate", LINE, 8, mode="linear"), F("interpolate", LINE, None, 2.5),
    F("interpolate", VOLUME, scale_factor=2, mode="trilinear", align_corners=True),
    F("interpolate", IMAGE, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
    F("upsample", IMAGE, scale_factor=2).but(peer=False),  # torch warns that it is old
    F("affine_grid", f(2, 2, 3), (2, 1, 3, 4), True),
    F("affine_grid", f(2, 2, 3), (2, 1, 3, 4), False),
    F("affine_grid", f(1, 3, 4), (1, 1, 2, 3, 2), False),
    F("pixel_shuffle", SQUARES, 2), F("pixel_shuffle", SQUARES[0], 2),
    F("pixel_unshuffle", SQUARES, 2), F("channel_shuffle", SQUARES, 4),
)
REJECTS: tuple[Any, ...] = (
    F("interpolate", IMAGE), F("interpolate", IMAGE, 4, 2.0), F("interpolate", IMAGE, (1, 2, 3)),
    F("interpolate", IMAGE, 4, mode="cubic"), F("interpolate", LINE, 4, mode="bilinear"),
    F("interpolate", IMAGE, 4, mode="nearest", align_corners=True),
    F("interpolate", IMAGE, 4, antialias=True), F("interpolate", IMAGE, 0),
    F("grid_sample", IMAGE, DEEP, align_corners=False), F("grid_sample", IMAGE, GRID, "cubic"),
    F("grid_sample", IMAGE, GRID, "nearest", "mirror"),
    F("affine_grid", f(2, 3, 3), (2, 1, 3, 4), False), F("pixel_shuffle", SQUARES, 3),
    F("pixel_unshuffle", SQUARES, 4), F("channel_shuffle", SQUARES, 3),
)
