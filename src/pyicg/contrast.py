"""Room 2, second half: every contrast definition between a signal region and a background, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pyicg import _core
from pyicg.background import budget_of, check_background, check_length, frame_parts, region_bytes
from pyicg.errors import InputError
from pyicg.results import Background, BoolArray, CalibratedFrame, Contrast, Measurement

__all__ = ["contrast"]


def contrast(cal: CalibratedFrame, *, signal: BoolArray, background: Background, placement_px: float = 0.0) -> Contrast:
    """Compute every contrast between a signal region and a background.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    signal : ndarray of bool, shape (H, W)
        True on the signal. Saturated pixels stay in, and make every figure a lower bound.
    background : Background
        From `estimate_background` on the same frame.
    placement_px : float
        How well the region is placed: standard deviation of its position along each axis, pixels. 0 takes the region as
        exact. Whoever draws by hand should state a number: 1 or 2 pixels are usual.

    Returns
    -------
    Contrast
        Eight measurements and two budgets. T is the mean over `signal`, B the background level.

    Raises
    ------
    InputError
        `signal` of another shape or dtype.
    UnitError
        A negative `placement_px`.

    Notes
    -----
    The standard errors of T and B join pixel noise (``cal.variance``), finite sample, unevenness over more than a pixel
    (blocking, see `estimate_background`; for T at least what patches of background of the region's size differ by,
    relative to their level) and, for T, placement: the mean square change of T when the region moves by
    sqrt(2) `placement_px` up, down, left and right. Intervals of ratios follow Fieller's theorem, with Student's t in
    place of 1.96 as far as the spread was estimated from few values (Welch and Satterthwaite); a background within that
    many standard errors of zero gives NaN with reason ``background_not_resolved`` and an unbounded interval.
    Definitions: see `Contrast`. ``sbr_raw`` adds the mean dark offset to T and B.

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
    frame = frame_parts(cal)
    check_background(background, cal)
    if placement_px is None:
        raise InputError("placement_px must be a number of pixels, found None; 0 takes the region as exact")
    check_length(placement_px, "placement_px")
    found = _core.contrast(
        *frame,
        signal=region_bytes(signal, "signal"),
        background=_plain(background),
        placement_px=placement_px,
        offset=cal.offset,
        calibrated=cal.calibrated,
    )
    return contrast_of(found)


def contrast_of(found: Mapping[str, Any]) -> Contrast:
    """Build a `Contrast` from what the core returns."""
    budgets = ("signal_budget", "background_budget")
    figures = {name: Measurement(*values) for name, values in found.items() if name not in budgets}
    return Contrast(
        **figures,
        signal_budget=budget_of(found["signal_budget"]),
        background_budget=budget_of(found["background_budget"]),
    )


def _plain(background: Background) -> dict[str, Any]:
    """Turn a background into what the core takes."""
    budget = background.budget
    parts = None if budget is None else tuple(math.nan if p is None else p for p in asdict(budget).values())
    return {**{f.name: getattr(background, f.name) for f in fields(background)}, "budget": parts,
            "reason": background.reason or "none"}  # fmt: skip
