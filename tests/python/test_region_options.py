"""Sizes of `segment_rim` and `residual_fluorescence` in pixels and in millimetres."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyicg
from pyicg import CameraProfile, InputError, UnitError
from pyicg.results import CalibratedFrame

DOORS: list[Callable[..., Any]] = [pyicg.segment_rim, pyicg.residual_fluorescence]


def rings(scale: int) -> CalibratedFrame:
    """Two rims of 3.2 and 0.9 mm outer radius at 0.1 mm / `scale` a pixel."""
    y, x = np.mgrid[: 120 * scale, : 160 * scale] / scale
    image = np.full(y.shape, 100.0)
    for cx, inner, outer in ((50, 20, 32), (130, 5, 9)):
        r = np.hypot(y - 60, x - cx)
        image[r < outer] = 400
        image[r < inner] = 50
    image += np.random.default_rng(0).normal(0, 2, image.shape)
    return pyicg.calibrate(image.astype(np.float32), CameraProfile.identity(image.shape, bit_depth=None))


@pytest.mark.parametrize("scale", [1, 2])
def test_a_smallest_area_in_square_millimetres_holds_at_any_magnification(scale: int) -> None:
    # The small core has pi 0.5^2 = 0.79 mm^2.
    size = 0.1 / scale
    assert len(pyicg.segment_rim(rings(scale), pixel_size_mm=size, min_area_mm2=0.6).lesions) == 2
    assert len(pyicg.segment_rim(rings(scale), pixel_size_mm=size, min_area_mm2=1.0).lesions) == 1
    # The small rim has pi (0.9^2 - 0.5^2) = 1.76 mm^2, more where smoothing carries light over the edge.
    spots = [
        len(pyicg.residual_fluorescence(rings(scale), pixel_size_mm=size, min_area_mm2=area).hot_spots)
        for area in (1.6, 3.5)
    ]
    assert spots == [2, 1]


def test_millimetres_are_pixels_times_their_size() -> None:
    cal = rings(1)
    by_px = pyicg.segment_rim(cal, pixel_size_mm=0.25, smooth_px=2.0, min_area_px=128.0)
    by_mm = pyicg.segment_rim(cal, pixel_size_mm=0.25, smooth_mm=0.5, min_area_mm2=8.0)
    assert len(by_mm.lesions) == 1
    np.testing.assert_array_equal(by_mm.lesions[0].inner_contour, by_px.lesions[0].inner_contour)
    bed_by_px = pyicg.residual_fluorescence(cal, pixel_size_mm=0.25, smooth_px=2.0)
    bed_by_mm = pyicg.residual_fluorescence(cal, pixel_size_mm=0.25, smooth_mm=0.5)
    np.testing.assert_array_equal(bed_by_mm.mask, bed_by_px.mask)
    assert bed_by_mm.area_px > pyicg.residual_fluorescence(cal, pixel_size_mm=0.25).area_px


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"smooth_mm": 0.1}, UnitError, "smooth_mm needs pixel_size_mm, found none; give it, or smooth_px"),
        ({"min_area_mm2": 1.0}, UnitError, "min_area_mm2 needs pixel_size_mm"),
        (
            {"smooth_mm": 0.1, "smooth_px": 1.0, "pixel_size_mm": 0.1},
            InputError,
            "both smooth_px=1.0 and smooth_mm=0.1",
        ),
        ({"min_area_mm2": 1.0, "min_area_px": 9, "pixel_size_mm": 0.1}, InputError, "both min_area_px=9"),
        ({"smooth_mm": 0.01, "pixel_size_mm": 0.1}, InputError, "smooth_px must be between"),
        ({"min_area_mm2": math.nan, "pixel_size_mm": 0.1}, InputError, "min_area_mm2 must be a finite number"),
        ({"min_area_px": "large"}, InputError, "min_area_px must be a finite number, found 'large'"),
        ({"smooth_px": True}, InputError, "smooth_px must be a finite number, found True"),
        ({"sbr_cut": None}, InputError, "sbr_cut must be a finite number, found None"),
        ({"pixel_size_mm": "0.1"}, UnitError, "pixel_size_mm must be a number of millimetres, found '0.1'"),
    ],
)
def test_sizes_that_cannot_be_meant(
    door: Callable[..., Any], options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        door(rings(1), **options)
