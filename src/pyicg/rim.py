"""Room 3: the fluorescent rim with its inner boundary (the tumour's edge) and its outer one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pyicg import _core
from pyicg._region_options import check_number, region_options
from pyicg.background import check_background, estimate_background
from pyicg.errors import InputError
from pyicg.results import Background, CalibratedFrame, Lesion, Measurement, RejectedRegion, RimSegmentation

__all__ = ["segment_rim"]

# Ishizawa's patterns (rim, partial, total) are words; these shares are our assumptions.
_COMPLETE = 0.9  # a rim over the cut at fewer angles is partial
_GLOWS_IN_PART = 0.1  # of the core over the cut
_GLOWS_WHOLLY = 0.9


def segment_rim(
    cal: CalibratedFrame,
    *,
    background: Background | None = None,
    pixel_size_mm: float | None = None,
    sbr_cut: float = 1.5,
    psf_sigma_px: float | None = None,
    min_area_px: float | None = None,
    smooth_px: float | None = None,
    threshold: str = "hysteresis",
    min_area_mm2: float | None = None,
    smooth_mm: float | None = None,
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
        Sigma of the Gaussian that blurs the image, optics and pixel together (`Lesion.edge_sigma_px` of a bright lesion
        is a good guess); left out, it is estimated from each lesion's edges.
    min_area_px : float, optional
        Smaller bright regions and cores are no rim. Left out: 1 mm^2, but no more than 0.25 % of the frame; 64 px
        without a pixel size (assumptions).
    smooth_px : float, optional
        Sigma of the Gaussian before the search, 0.5 to 100 px; 1 when left out. Over 1 px the image that the boundaries
        are fitted on is smoothed too: for grainy specimens.
    threshold : {"hysteresis", "otsu", "multi_otsu"}
        Where bright begins for the search: the SBR cut, and what hangs together with it at half that step; or the
        frame's own histogram.
    min_area_mm2, smooth_mm : float, optional
        The same as `min_area_px` and `smooth_px`, in millimetres: frames taken at different magnifications are then
        searched alike. They need `pixel_size_mm`.

    Returns
    -------
    RimSegmentation
        Masks, labels, lesions, and the bright regions and dark places that were rejected with their reason.

    Raises
    ------
    InputError, UnitError
        Options out of range, a size given twice, a size in millimetres without a pixel size.

    Notes
    -----
    On a pyramid of the frame, dark places with a bright edge around them are looked for, enclosed or open by up to half
    of the turn. Around each, the best closed paths through the polar image give both boundaries roughly; then the
    model of a curved step on either side of the rim, blurred by the point spread, is fitted to the grey image along the
    contours' normals, and the contours are smoothed as stiffly as makes the data most likely. The plain half level of a
    curved, blurred rim lies up to 0.65 px inside the tumour's edge, the unsafe direction; the model's edge does not.

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
    options = region_options(
        cal.data.size,
        sbr_cut=sbr_cut,
        min_area_px=min_area_px,
        min_area_mm2=min_area_mm2,
        smooth_px=smooth_px,
        smooth_mm=smooth_mm,
        pixel_size_mm=pixel_size_mm,
    )
    check_number("psf_sigma_px", psf_sigma_px)
    if not isinstance(threshold, str):
        raise InputError(f"threshold must be hysteresis, otsu or multi_otsu, found {threshold!r}")
    if background is None:
        background = estimate_background(cal)
    check_background(background, cal)
    rim_mask, core_mask, labels, lesions, rejected = _core.segment_rim(
        cal.data,
        cal.mask,
        level=background.level,
        sigma=background.sigma,
        sem=background.sem,
        n_pixels=background.n_pixels,
        reason=background.reason or "none",
        sbr_cut=options.sbr_cut,
        psf_sigma_px=math.nan if psf_sigma_px is None else psf_sigma_px,
        min_area_px=options.min_area_px,
        smooth_px=options.smooth_px,
        pixel_size_mm=options.pixel_size_mm,
        threshold=threshold,
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


def lesion_of(found: Mapping[str, Any]) -> Lesion:
    """Build a `Lesion` from what the core returns."""
    values = dict(found)
    for name in ("thickness", "thickness_mm", "area_mm2", "sbr", "sbr_core"):
        values[name] = Measurement(*values[name])
    profile = values["thickness_profile"]
    known = profile[~np.isnan(profile)]
    diameter_px = 2 * math.sqrt(values["area_px"] / math.pi)
    return Lesion(
        pattern=_pattern(values["completeness"], values["core_bright_share"]),
        thickness_min_px=float(known.min()) if known.size else math.nan,
        thickness_max_px=float(known.max()) if known.size else math.nan,
        equivalent_diameter_px=diameter_px,
        equivalent_diameter_mm=_diameter_mm(values["area_mm2"]),
        **values,
    )


def _pattern(completeness: float, core_bright_share: float) -> str:
    if core_bright_share >= _GLOWS_WHOLLY:
        return "total"
    return "partial" if core_bright_share >= _GLOWS_IN_PART or completeness < _COMPLETE else "rim"


def _diameter_mm(area: Measurement) -> Measurement:
    """Return 2 sqrt(area/pi); its relative uncertainty is half the area's."""
    if math.isnan(area.value):
        return Measurement.undefined(area.reason or "no_pixel_size")
    value = 2 * math.sqrt(area.value / math.pi)
    sigma = 0.5 * value * area.sigma / area.value
    lo, hi = (2 * math.sqrt(max(bound, 0.0) / math.pi) for bound in area.ci)
    return Measurement(value, sigma, (lo, hi), area.reason)
