"""Room 2: the background level and every contrast definition, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyicg import _core
from pyicg.errors import InputError
from pyicg.results import Background, BoolArray, CalibratedFrame, Contrast, Measurement

__all__ = ["contrast", "estimate_background"]


def estimate_background(
    cal: CalibratedFrame,
    *,
    policy: str = "mode",
    mask: BoolArray | None = None,
    exclude: BoolArray | None = None,
) -> Background:
    """Estimate the background level of a frame under a named policy.

    Parameters
    ----------
    cal : CalibratedFrame
        Pixels whose mask holds any bit but 32 (repaired) are left out.
    policy : {"mode", "median", "percentile", "mask"}
        ``mode``: centre of the densest part of the histogram, robust to a bright lesion and to a dark drape;
        ``median``: after clipping at 3 sigma until nothing changes; ``percentile``: the 25th; ``mask``: mean and
        standard deviation of `mask`.
    mask : ndarray of bool, shape (H, W), optional
        True: use this pixel. Needed by policy ``"mask"``; limits the others.
    exclude : ndarray of bool, shape (H, W), optional
        True: leave this pixel out.

    Returns
    -------
    Background
        Level, spatial standard deviation of a pixel and standard error of the level, in ``cal.unit``. Fewer than 16
        valid pixels give NaN with reason ``too_few_pixels`` (or ``out_of_range``); a level within 1.96 standard errors
        of zero carries ``background_not_resolved``.

    Raises
    ------
    InputError
        Unknown policy, masks of another shape or dtype, or policy ``"mask"`` without a mask.

    Notes
    -----
    The standard error counts pixel scatter as independent; how uneven tissue widens it is not in it yet.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> raw = np.random.default_rng(0).poisson(100, (60, 60)).astype(np.uint16)
    >>> raw[:20] += 800
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape))
    >>> background = pyicg.estimate_background(cal)
    >>> abs(background.level - 100) < 3 * background.sem
    True
    """
    found = _core.estimate_background(
        cal.data,
        cal.mask,
        policy=policy,
        use=_as_bytes(mask, "mask"),
        exclude=_as_bytes(exclude, "exclude"),
        step=cal.step,
    )
    return background_of(found, policy)


def contrast(cal: CalibratedFrame, *, signal: BoolArray, background: Background) -> Contrast:
    """Compute every contrast between a signal region and a background.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    signal : ndarray of bool, shape (H, W)
        True on the signal. Saturated pixels stay in, and make every figure a lower bound.
    background : Background
        From `estimate_background` on the same frame.

    Returns
    -------
    Contrast
        Eight measurements. T is the mean over `signal`, B the background level.

    Raises
    ------
    InputError
        `signal` of another shape or dtype.

    Notes
    -----
    Intervals of ratios follow Fieller's theorem with the standard errors of T and B; a background within 1.96 standard
    errors of zero gives NaN with reason ``background_not_resolved`` and an unbounded interval. Definitions: see
    `Contrast`. ``sbr_raw`` adds the mean dark offset to T and B.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> rng = np.random.default_rng(1)
    >>> raw = rng.normal(100, 2, (60, 60)).astype(np.float32)
    >>> signal = np.zeros((60, 60), dtype=bool)
    >>> signal[20:30, 20:30] = True
    >>> raw[signal] *= 3
    >>> cal = pyicg.calibrate(raw, pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    >>> con = pyicg.contrast(cal, signal=signal, background=pyicg.estimate_background(cal))
    >>> round(con.sbr.value, 2), con.sbr.reason
    (3.0, 'uncalibrated')
    """
    region = _as_bytes(signal, "signal")
    if region is None:
        raise InputError("signal must be a bool mask of the frame's shape, found None")
    found = _core.contrast(
        cal.data,
        cal.mask,
        signal=region,
        level=background.level,
        sigma=background.sigma,
        sem=background.sem,
        n_pixels=background.n_pixels,
        reason=background.reason or "none",
        offset=cal.offset,
        calibrated=cal.calibrated,
    )
    return contrast_of(found)


def _as_bytes(mask: BoolArray | None, name: str) -> Any:
    """View a bool mask as bytes, without a copy."""
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = f"{mask.dtype} array" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f"{name} must be a bool array (True = use), found {found}; write mask.astype(bool)")
    return mask.view(np.uint8)


def background_of(found: Mapping[str, Any], policy: str) -> Background:
    """Build a `Background` from what the core returns."""
    return Background(policy=policy, **found)


def contrast_of(found: Mapping[str, Any]) -> Contrast:
    """Build a `Contrast` from what the core returns."""
    return Contrast(**{name: Measurement(*values) for name, values in found.items()})
