"""What `segment_rim` and `residual_fluorescence` take in common: the cut, and sizes in pixels or in millimetres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from pyicg import _core
from pyicg.errors import InputError, UnitError


@dataclass(frozen=True)
class RegionOptions:
    """Options as the core takes them: sizes in pixels, NaN for an unknown pixel size."""

    sbr_cut: float
    min_area_px: float
    smooth_px: float
    pixel_size_mm: float


def region_options(
    frame_pixels: int,
    *,
    sbr_cut: float,
    min_area_px: float | None,
    min_area_mm2: float | None,
    smooth_px: float | None,
    smooth_mm: float | None,
    pixel_size_mm: float | None,
) -> RegionOptions:
    """Check the options and turn millimetres into pixels; the core checks the ranges."""
    check_pixel_size(pixel_size_mm)
    size = math.nan if pixel_size_mm is None else float(pixel_size_mm)
    check_number("sbr_cut", sbr_cut, optional=False)
    area = _in_pixels("min_area", min_area_px, min_area_mm2, "mm2", size * size)
    smooth = _in_pixels("smooth", smooth_px, smooth_mm, "mm", size)
    return RegionOptions(
        sbr_cut=float(sbr_cut),
        min_area_px=_core.default_min_area_px(size, frame_pixels) if area is None else area,
        smooth_px=1.0 if smooth is None else smooth,
        pixel_size_mm=size,
    )


def _in_pixels(name: str, px: float | None, mm: float | None, unit: str, unit_of_a_pixel: float) -> float | None:
    check_number(f"{name}_px", px)
    check_number(f"{name}_{unit}", mm)
    if mm is None:
        return None if px is None else float(px)
    if px is not None:
        raise InputError(f"found both {name}_px={px!r} and {name}_{unit}={mm!r}; give one of them")
    if math.isnan(unit_of_a_pixel):
        raise UnitError(f"{name}_{unit} needs pixel_size_mm, found none; give it, or {name}_px in pixels")
    return float(mm) / unit_of_a_pixel


def check_pixel_size(pixel_size_mm: float | None) -> None:
    """Raise `UnitError` for a pixel size that is not a positive length."""
    if isinstance(pixel_size_mm, bool) or not isinstance(pixel_size_mm, (Real, type(None))):
        raise UnitError(f"pixel_size_mm must be a number of millimetres, found {pixel_size_mm!r}")
    if pixel_size_mm is not None and not 1e-15 <= pixel_size_mm <= 1e15:  # beyond, an area may be no number
        raise UnitError(
            f"pixel_size_mm must be a positive length in millimetres (1e-15 to 1e15), found {pixel_size_mm}; "
            "leave it out when it is unknown"
        )


def check_number(name: str, value: object, *, optional: bool = True) -> None:
    """Raise `InputError` for what is not a finite number."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, found {value!r}")
