"""Room 3: the fluorescent rim with its inner boundary (the tumour's edge) and its outer one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyicg import _core
from pyicg.background import check_background, estimate_background
from pyicg.errors import UnitError
from pyicg.results import Background, CalibratedFrame, Lesion, Measurement, RejectedRegion, RimSegmentation

__all__ = ["segment_rim"]

_COMPLETE = 0.9  # a rim seen at this share of angles or more is called one; below it is partial


def segment_rim(
    cal: CalibratedFrame,
    *,
    background: Background | None = None,
    pixel_size_mm: float | None = None,
    sbr_cut: float = 1.5,
    psf_sigma_px: float | None = None,
    min_area_px: float | None = None,
    smooth_px: float | None = None,
) -> RimSegmentation:
    """Find the fluorescent rims of a frame.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    background : Background, optional
        Left out: `estimate_background` with policy ``"mode"``.
    pixel_size_mm : float, optional
        Without it every ``_mm`` field is NaN with reason ``no_pixel_size``.
    sbr_cut : float
        A pixel is bright over this multiple of the background; 1.5 is in clinical use (older papers: 2).
    psf_sigma_px : float, optional
        Gaussian blur of the optics; left out, the width of each lesion's own edge stands for it. On a curved and
        blurred rim the plain half level lies inside the tumour's true edge, the unsafe direction; the boundaries are
        corrected for that with the model of a blurred ring.
    min_area_px : float, optional
        Smaller bright regions and cores are no rim. Left out: 1 mm^2, or 64 px without a pixel size (an assumption).
    smooth_px : float, optional
        Sigma of the Gaussian that precedes everything, 0.5 to 100 px; 1 when left out.

    Returns
    -------
    RimSegmentation
        Masks, labels, lesions, and the bright regions that were rejected with their reason.

    Raises
    ------
    InputError, UnitError
        Options out of range.

    Notes
    -----
    Smooth, threshold at the SBR cut (and five times the noise that is left), connect, and look for dark cores that a
    bright region encloses; a region without one is split once more at its own Otsu threshold. Along rays from the
    core's centroid the boundary is where the smoothed grey image crosses half way between core and rim (inner) and
    rim and surroundings (outer). Cores must be seen from their centroid along straight rays; where they are not, the
    lesion carries ``not_star_shaped``. Rims open so wide that they enclose nothing are not found yet.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> y, x = np.mgrid[:120, :120]
    >>> r = np.hypot(y - 60, x - 60)
    >>> raw = np.where((r > 20) & (r < 32), 400, np.where(r <= 20, 50, 100)).astype(np.float32)
    >>> raw += np.random.default_rng(0).normal(0, 2, raw.shape).astype(np.float32)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> rim = pyicg.segment_rim(cal, pixel_size_mm=0.1)
    >>> [(round(les.area_mm2.value, 1), round(les.thickness_mm.value, 1), les.pattern) for les in rim.lesions]
    [(12.6, 1.2, 'rim')]
    """
    check_pixel_size(pixel_size_mm)
    if background is None:
        background = estimate_background(cal)
    check_background(background, cal)
    size = math.nan if pixel_size_mm is None else float(pixel_size_mm)
    rim_mask, core_mask, labels, lesions, rejected = _core.segment_rim(
        cal.data,
        cal.mask,
        level=background.level,
        sigma=background.sigma,
        sem=background.sem,
        n_pixels=background.n_pixels,
        reason=background.reason or "none",
        sbr_cut=sbr_cut,
        psf_sigma_px=math.nan if psf_sigma_px is None else psf_sigma_px,
        min_area_px=_core.default_min_area_px(size) if min_area_px is None else min_area_px,
        smooth_px=1.0 if smooth_px is None else smooth_px,
        pixel_size_mm=size,
        calibrated=cal.calibrated,
    )
    return RimSegmentation(
        rim_mask=rim_mask,
        core_mask=core_mask,
        labels=labels,
        lesions=tuple(lesion_of(found) for found in lesions),
        rejected=tuple(RejectedRegion(*region) for region in rejected),
        background=background,
        sbr_cut=sbr_cut,
        pixel_size_mm=pixel_size_mm,
    )


def check_pixel_size(pixel_size_mm: float | None) -> None:
    """Raise `UnitError` for a pixel size that is not a positive length."""
    if pixel_size_mm is not None and not (pixel_size_mm > 0 and math.isfinite(pixel_size_mm)):
        raise UnitError(
            f"pixel_size_mm must be a positive length in millimetres, found {pixel_size_mm}; "
            "leave it out when it is unknown"
        )


def lesion_of(found: Mapping[str, Any]) -> Lesion:
    """Build a `Lesion` from what the core returns."""
    values = dict(found)
    for name in ("thickness", "thickness_mm", "area_mm2", "sbr"):
        values[name] = Measurement(*values[name])
    return Lesion(pattern="rim" if values["completeness"] >= _COMPLETE else "partial", **values)
