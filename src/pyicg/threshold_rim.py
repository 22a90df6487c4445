"""Rims as thresholded masks, the way most tools find them: the baseline that `segment_rim` is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg._region_options import check_number
from pyicg._threads import check_threads
from pyicg.background import check_background, estimate_background
from pyicg.errors import InputError
from pyicg.results import Background, BoolArray, CalibratedFrame, FloatArray
from pyicg.statistics import RegionStatistics

__all__ = ["ThresholdedRims", "threshold_rim"]

_PERCENTILES: tuple[float, ...] = (5, 25, 50, 75, 95)


@dataclass(frozen=True, eq=False)
class ThresholdedRims:
    """All bright regions of one frame that are large enough, in whole pixels; rim k has the index k - 1 in every list.

    Maps are read-only, and are overwritten when the result is passed on as `out`: copy what is to be kept.

    Attributes
    ----------
    rim_mask, core_mask : ndarray of bool, shape (H, W)
        The rims, and what they enclose: every pixel from which no way, side by side, leads past them to the border of
        the frame. Flecks in a core, too small for a rim, belong to it.
    labels : ndarray of int32, shape (H, W)
        k on rim k and in its holes, 0 elsewhere; in order of the rims' first pixels, row by row.
    outer_contours : tuple of ndarray (N, 2)
        Of each rim the pixels (y, x) along its outside, each one of the eight neighbours of the one before.
    inner_contours : tuple of tuple of ndarray (N, 2)
        Of each rim the pixels along each of its holes. They are pixels of the rim, not of the hole.
    distances : ndarray of float32, shape (H, W)
        Distance of every pixel of a rim to the nearest pixel that is none, centre to centre; 0 outside. The border of
        the frame is no edge.
    thickness : ndarray of float32, shape (n, 360)
        Of each rim twice the largest distance along each of 360 rays from the middle of its box, (top + height / 2,
        left + width / 2), read at every whole pixel from there, linear between pixels; column k is the angle k degrees
        from +x towards +y. 0 where a ray meets no rim.
    threshold : float
        Smoothed pixels over it are bright, in the unit of the frame; NaN where no pixel is over 0, or all are alike.
    sbr : RegionStatistics
        SBR of the rims' valid pixels: values over `background.level`, unit ``"1"``.
    sbr_map : ndarray of float32, shape (H, W), or None
        The frame over the background level; None unless asked for.
    background : Background
        What SBR is a multiple of.
    reasons : tuple of str
        Codes of what limits these figures: ``no_lesion`` (no rim at all), ``saturated_lower_bound``, why the background
        cannot be used, ``uncalibrated``.
    """

    rim_mask: BoolArray
    core_mask: BoolArray
    labels: npt.NDArray[np.int32]
    outer_contours: tuple[FloatArray, ...]
    inner_contours: tuple[tuple[FloatArray, ...], ...]
    distances: npt.NDArray[np.float32]
    thickness: npt.NDArray[np.float32]
    threshold: float
    sbr: RegionStatistics
    sbr_map: npt.NDArray[np.float32] | None
    background: Background
    reasons: tuple[str, ...] = ()
    _memory: _core.ThresholdRims | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the memory: a copy has none to use again."""
        return {**self.__dict__, "_memory": None}


def threshold_rim(
    cal: CalibratedFrame,
    *,
    background: Background | None = None,
    smooth_px: float = 2.0,
    min_area_px: float = 64.0,
    sbr_map: bool = False,
    threads: int = 1,
    out: ThresholdedRims | None = None,
) -> ThresholdedRims:
    """Find rims by a threshold, as most tools do: a baseline to compare `segment_rim` with, and no measure of margins.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame. Pixels that are bad, excluded, out of range or not finite have no part in the smoothed frame.
    background : Background, optional
        What SBR is a multiple of; the masks do not depend on it. Left out: `estimate_background` with policy
        ``"mode"``.
    smooth_px : float
        Sigma of the Gaussian before the threshold, 0.5 to 100 px.
    min_area_px : float
        Smaller regions are flecks, no rims. 64 is an assumption.
    sbr_map : bool
        Whether to make the map of SBR too.
    threads : int
        Worker threads; the bits do not depend on it.
    out : ThresholdedRims, optional
        A result of a frame of the same shape that is no longer needed: its memory is used again, which is faster than
        new memory, and its maps are overwritten.

    Returns
    -------
    ThresholdedRims
        Masks, labels, contours through pixels, distances, thickness by angle and the SBR of the rims.

    Raises
    ------
    InputError, UnitError
        Options out of range, a background of another frame, or an `out` that is of another shape, no result of this
        function, or shares memory with the frame.

    Notes
    -----
    Research software, not a medical device. **No margin should be taken from these masks**: their edge is where the
    smoothed picture passes a level. Around a core of radius R that is inside the tumour's edge by about sigma^2/(2 R),
    sigma being the blur with the smoothing in it, and by more where the rim is thin: the unsafe direction. A broken
    rim encloses nothing and has no core. The threshold moves with whatever else is in the frame, and splits a frame
    without any rim in the middle of its noise.

    The steps and their order are those of scipy and OpenCV, and so are the outputs: a Gaussian of taps up to 4 sigma
    (rounded), mirrored about the frame's edge pixels (``scipy.ndimage.gaussian_filter(..., mode="mirror")``); 256
    levels from 0 to the largest smoothed value, rounded, and the level that best parts them in two (Otsu, IEEE Trans.
    Syst. Man Cybern. 9 (1979) 62); regions joined over sides and corners, of at least `min_area_px`; holes joined over
    sides only; borders followed from pixel to pixel (Suzuki and Abe, Computer Vision, Graphics, and Image Processing 30
    (1985) 32); exact Euclidean distances.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> y, x = np.mgrid[:120, :120]
    >>> r = np.hypot(y - 60, x - 60)
    >>> raw = np.where((r > 20) & (r < 25), 400, np.where(r <= 20, 50, 100)).astype(np.float32)
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> rims = pyicg.threshold_rim(cal)
    >>> len(rims.outer_contours), [len(holes) for holes in rims.inner_contours]
    (1, [1])
    >>> round(rims.sbr.median, 1), round(float(rims.thickness.mean()), 1)  # it is 5 px thick
    (4.0, 6.3)
    >>> radius = (rims.core_mask.sum() / np.pi) ** 0.5  # of the tumour: it is 20 px
    >>> round(float(radius), 1)
    19.4
    """
    check_number("smooth_px", smooth_px, optional=False)
    check_number("min_area_px", min_area_px, optional=False)
    if not isinstance(sbr_map, bool | np.bool_):
        raise InputError(f"sbr_map must be True or False, found {sbr_map!r}")
    check_threads(threads)
    memory = None if out is None else _memory_of(out, cal)
    if background is None:
        background = estimate_background(cal)
    check_background(background, cal)
    unresolved = background.reason or (None if background.level > 0 else "background_not_resolved")
    if memory is None:
        memory = _core.ThresholdRims(*_shape(cal))
    found = memory.find(
        cal.data,
        cal.mask,
        smooth_px=float(smooth_px),
        min_area_px=float(min_area_px),
        background_level=math.nan if unresolved else background.level,
        sbr_map=bool(sbr_map),
        percentages=list(_PERCENTILES),
        threads=int(threads),
    )
    sbr = _sbr(found.pop("sbr"), unresolved)
    limits = (
        (None if found["outer_contours"] else "no_lesion"),
        ("saturated_lower_bound" if sbr.n_saturated else None),
        unresolved,
        (None if cal.calibrated else "uncalibrated"),
    )
    return ThresholdedRims(
        **found,
        **memory.maps(),
        sbr=sbr,
        background=background,
        reasons=tuple(limit for limit in limits if limit is not None),
        _memory=memory,
    )


def _sbr(found: dict[str, Any], unresolved: str | None) -> RegionStatistics:
    percentiles = dict(zip(_PERCENTILES, found.pop("percentiles"), strict=True))
    reason = unresolved or ("too_few_pixels" if math.isnan(found["sd"]) else None)
    return RegionStatistics(**found, percentiles=percentiles, unit="1", reason=reason)


def _shape(cal: CalibratedFrame) -> tuple[int, int]:
    data = cal.data
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.size == 0:
        found = f"shape {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"cal.data must be a 2-D array of at least one pixel, found {found}; use pyicg.calibrate")
    height, width = data.shape
    return height, width


def _memory_of(out: ThresholdedRims, cal: CalibratedFrame) -> _core.ThresholdRims | None:
    """Return the memory of an earlier result once it is known to fit; None when it is a copy, which has none."""
    if not isinstance(out, ThresholdedRims):
        raise InputError(f"out must be an earlier result of threshold_rim, found {type(out).__name__}; leave it out")
    if out.rim_mask.shape != _shape(cal):
        raise InputError(f"out is of a frame of {out.rim_mask.shape}, this one is {_shape(cal)}; leave it out")
    maps = (out.rim_mask, out.core_mask, out.labels, out.distances, out.sbr_map)
    if any(np.may_share_memory(given, made) for given in (cal.data, cal.mask) for made in maps if made is not None):
        raise InputError("out shares memory with the frame, which would be overwritten; leave it out")
    return out._memory
