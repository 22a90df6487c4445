"""SBR over time: frames left out by rule, a smoothed curve and its band."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg.errors import InputError

if TYPE_CHECKING:
    from pyicg.results import FrameScore
    from pyicg.score import StackScore

__all__ = ["FrameRules", "SbrCurve", "sbr_curve"]

_Reals = npt.NDArray[np.float64]

_NORMAL_95 = 1.959963984540054
_FEW_FRAMES = 4  # fewer tell nothing of a window or of a scatter of their own
_SERIES_FROM = 3  # frames from which a median says what the series is like
_UNDERSMOOTH = 0.6
_WINDOWS = 24
_ROWS = 512  # of smoother matrices held at a time, and frames that judge a window in long series
_LUCK = 0.2  # chance that scatter by luck alone looks smaller than the frames say
_ALONE = 0.99  # of its own weight in the curve: a frame that nothing near it checks
_FAR = 1e3  # windows, beyond which a weight is zero anyway


@dataclass(frozen=True, kw_only=True)
class FrameRules:
    """What leaves a frame out of the curve. Every default is an assumption of ours, not a published limit.

    Attributes
    ----------
    max_saturated : float
        Largest share of saturated pixels (``frame_saturated``).
    min_focus : float
        Least focus, as a share of the series' median (``out_of_focus``): at 0.75, edges about half wider. 0: no rule.
    min_isotropy : float
        Least isotropy of the focus, as a share of the series' median (``motion_blur``). 0: no rule.
    max_glare : float
        Largest share of pixels in small bright spots (``glare``).

    Raises
    ------
    InputError
        A value outside 0 to 1.

    Examples
    --------
    >>> from pyicg.timeline import FrameRules
    >>> FrameRules(min_focus=0.5).min_focus
    0.5
    """

    max_saturated: float = 0.01
    min_focus: float = 0.75
    min_isotropy: float = 0.8
    max_glare: float = 0.001

    def __post_init__(self) -> None:
        for name in ("max_saturated", "min_focus", "min_isotropy", "max_glare"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a share, 0 to 1")


@dataclass(frozen=True, eq=False)
class SbrCurve:
    """SBR of the frames of a video, and the smoothed curve through those that no rule left out.

    Attributes
    ----------
    times : ndarray (N,)
        Seconds, or the frames' indices where no times were given.
    sbr, sigma : ndarray (N,)
        SBR of each frame and its standard uncertainty; NaN where undefined.
    ci : ndarray (N, 2)
        95 % interval of each frame's SBR.
    left_out : tuple of tuple of str
        Reason codes that left each frame out; empty for a frame that was used.
    smooth : ndarray (N,)
        The curve at every frame's time, also of those left out; NaN where no used frame is near.
    band : ndarray (N, 2)
        Pointwise 95 % band of the curve.
    window : float
        Standard deviation of the kernel, in the unit of `times`; NaN where nothing was smoothed.
    extra_sigma : float
        Scatter of the frames about the curve beyond their own uncertainties, in SBR.
    common_share : float
        Share (0-1) of the frames' variances that the frames do not show as scatter: it is common to all of them, does
        not average out, and is in the band in full.
    """

    times: _Reals
    sbr: _Reals
    sigma: _Reals
    ci: _Reals
    left_out: tuple[tuple[str, ...], ...]
    smooth: _Reals
    band: _Reals
    window: float
    extra_sigma: float
    common_share: float

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary per frame: a table for `pandas.DataFrame` or a CSV file."""
        return [
            {
                "time": float(self.times[i]),
                "sbr": float(self.sbr[i]),
                "sbr_sigma": float(self.sigma[i]),
                "sbr_lo": float(self.ci[i, 0]),
                "sbr_hi": float(self.ci[i, 1]),
                "left_out": " ".join(self.left_out[i]),
                "smooth": float(self.smooth[i]),
                "smooth_lo": float(self.band[i, 0]),
                "smooth_hi": float(self.band[i, 1]),
            }
            for i in range(len(self.times))
        ]


def sbr_curve(
    frames: Sequence[FrameScore] | StackScore,
    *,
    times_s: Sequence[float] | npt.NDArray[np.floating[Any]] | None = None,
    rules: FrameRules | None = None,
    window: float | None = None,
) -> SbrCurve:
    """Return SBR over time, without the frames that a rule leaves out, and a smoothed curve with its band.

    A frame is left out by `rules`, and with a reason of its own where its SBR is undefined or only a lower bound; never
    by hand and never by the height of its SBR. Frames whose focus or isotropy cannot be told pass that rule, and series
    of one or two frames pass both.

    Parameters
    ----------
    frames : sequence of FrameScore, or StackScore
        In any order.
    times_s : sequence of float, optional
        Time of each frame in seconds, all different; the frames' indices when not given.
    rules : FrameRules, optional
        ``FrameRules()`` when not given.
    window : float, optional
        Standard deviation of the smoothing kernel, in the unit of the times. When not given, 0.6 of the window that
        leave-one-out cross-validation finds best, so that the curve's own bias stays small beside its band.

    Returns
    -------
    SbrCurve
        In the order of `frames`. With fewer than four frames left, or a `window` far below the distance of the frames
        (under about 0.3 of it), nothing is smoothed: the curve is the frames' own values with their own intervals.

    Raises
    ------
    InputError
        No frames, times that do not fit them, or a window that is not positive.

    Notes
    -----
    Local linear regression with a Gaussian kernel (Fan and Gijbels 1996), each frame weighted by the reciprocal of its
    variance. Variances are the frames' own plus, where residuals scatter more than they say, one extra variance for
    all; its band uses Student's t. The extra variance is the smaller of two estimates: from residuals about the curve,
    and from those of each frame about the straight line through its two neighbours (Gasser, Sroka and Jennen-Steinmetz
    1986), which hold less of the curve's own bending. At left-out frames, where the curve itself runs straight between
    neighbours, the band takes the larger one. Where residuals scatter less (by the 20 % point of chi-squared), the rest
    of the frames' variance is taken as common to all frames.

    Examples
    --------
    >>> import pyicg
    >>> bed = pyicg.phantom.bed_scene(n_frames=6, shape=(120, 160), sbr=3.0)
    >>> result = pyicg.score_stack(bed.stack, profile=bed.profile)
    >>> curve = pyicg.sbr_curve(result, times_s=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    >>> curve.left_out == ((),) * 6, bool(abs(curve.smooth - 3.0).max() < 0.05)
    (True, True)
    """
    scores = frames if isinstance(frames, Sequence) else frames.frames
    if len(scores) == 0:
        raise InputError("sbr_curve got no frames; expected at least one scored frame")
    times = _times(scores, times_s)
    if window is not None and not 0 < window < math.inf:
        raise InputError(f"window is {window}; expected a positive number in the unit of the times")
    left_out = _left_out(scores, FrameRules() if rules is None else rules)
    measured = [score.contrast.sbr for score in scores]
    sbr = np.array([item.value for item in measured], dtype=float)
    sigma = np.array([item.sigma for item in measured], dtype=float)
    ci = np.array([item.ci for item in measured], dtype=float)

    # In order of time, so that the order of the frames does not change a bit.
    order = np.argsort(times)
    used = order[[not left_out[i] for i in order]]
    smooth, band = np.full(len(times), np.nan), np.full((len(times), 2), np.nan)
    width, extra, common = math.nan, 0.0, 0.0
    fit = _Series(times[used], sbr[used], np.maximum(sigma[used], 1e-9 * np.abs(sbr[used])))
    if len(used) < _FEW_FRAMES or (window is not None and fit.own_weights(window).min() > _ALONE):
        smooth[used], band[used] = sbr[used], ci[used]
    else:
        best = fit.best_window() if window is None else window
        width = _UNDERSMOOTH * best if window is None else window
        extra, common, dof = fit.scatter(best)
        smooth, half = fit.curve(times, width, extra=extra, common=common, dof=dof)
        # At left-out frames the larger scatter stays: it holds what a straight run across the gap cuts off.
        local, local_dof = fit.local_scatter()
        if local < extra:
            extra = local
            smooth[used], half[used] = fit.curve(times[used], width, extra=extra, common=common, dof=local_dof)
        band = np.stack([smooth - half, smooth + half], axis=1)
    return SbrCurve(
        times=times,
        sbr=sbr,
        sigma=sigma,
        ci=ci,
        left_out=left_out,
        smooth=smooth,
        band=band,
        window=width,
        extra_sigma=math.sqrt(extra),
        common_share=common,
    )


def _times(scores: Sequence[FrameScore], times_s: Iterable[float] | None) -> _Reals:
    if times_s is None:
        times = np.array([score.index for score in scores], dtype=float)
        if len(np.unique(times)) < len(times):
            raise InputError("two frames have the same index; say times_s, one time for each frame")
        return times
    times = np.array(times_s, dtype=float)
    if times.shape != (len(scores),):
        raise InputError(f"times_s has shape {times.shape} for {len(scores)} frames; expected one time for each")
    if not np.isfinite(times).all() or len(np.unique(times)) < len(times):
        raise InputError("times_s must be finite and all different")
    return times


def _left_out(scores: Sequence[FrameScore], rules: FrameRules) -> tuple[tuple[str, ...], ...]:
    """Return the reasons that leave each frame out."""
    focus = rules.min_focus * _of_series([score.quality.focus for score in scores])
    isotropy = rules.min_isotropy * _of_series([score.quality.isotropy for score in scores])
    result = []
    for score in scores:
        quality, sbr = score.quality, score.contrast.sbr
        found = {
            "frame_saturated": quality.saturated_fraction > rules.max_saturated,
            "out_of_focus": quality.focus < focus,
            "motion_blur": quality.isotropy < isotropy,
            "glare": quality.glare_fraction > rules.max_glare,
        }
        reasons = [reason for reason, holds in found.items() if holds]
        if math.isnan(sbr.value) or math.isnan(sbr.sigma) or sbr.reason == "saturated_lower_bound":
            reasons.append(sbr.reason or "too_few_pixels")
        result.append(tuple(reasons))
    return tuple(result)


def _of_series(values: list[float]) -> float:
    """Return the median of what is known; NaN, which no comparison holds for, where the frames are too few."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if len(known) >= _SERIES_FROM else math.nan


class _Series:
    """Values at times in ascending order, and the linear smoothers over them."""

    def __init__(self, times: _Reals, values: _Reals, sigma: _Reals) -> None:
        self.times, self.values, self.variance = times, values, sigma**2
        self.judges = np.arange(0, len(times), max(1, -(-len(times) // _ROWS)))

    def matrix(self, at: _Reals, window: float, variance: _Reals) -> _Reals:
        """Rows of weights: the curve at the times `at` is ``matrix @ values``; NaN where no value is near."""
        d = np.clip(self.times[None, :] - at[:, None], -_FAR * window, _FAR * window) / window
        k = np.exp(-0.5 * d**2) * (variance.min() / variance)[None, :]
        s0, s1, s2 = (np.sum(k * d**power, axis=1, keepdims=True) for power in (0, 1, 2))
        determinant = s0 * s2 - s1**2
        with np.errstate(invalid="ignore", divide="ignore"):
            line = k * (s2 - s1 * d) / determinant
            # A value that stands alone knows no slope.
            weights: _Reals = np.where(determinant > 1e-9 * s0**2, line, k / np.where(s0 > 1e-12, s0, np.nan))
        return weights

    def own_weights(self, window: float) -> _Reals:
        """Return the weight that values which judge a window have in the curve at their own times."""
        rows = self.judges
        weights: _Reals = self.matrix(self.times[rows], window, self.variance)[np.arange(len(rows)), rows]
        return weights

    def best_window(self) -> float:
        """Return the window with the least leave-one-out error, from half the frame interval to twice the series."""
        spacing, length = float(np.median(np.diff(self.times))), float(np.ptp(self.times))
        rows = self.judges
        best, least = 2 * length, math.inf
        for window in np.geomspace(0.5 * spacing, 2 * length, _WINDOWS):
            weights = self.matrix(self.times[rows], float(window), self.variance)
            own = weights[np.arange(len(rows)), rows]
            if own.max() > _ALONE:
                continue
            residuals = (self.values[rows] - weights @ self.values) / (1 - own)
            error = float(np.mean(residuals**2 / self.variance[rows]))
            if error < least:
                best, least = float(window), error
        return best

    def scatter(self, window: float) -> tuple[float, float, float]:
        """Return the extra variance of every value, the common share of the variances, and degrees of freedom."""
        from scipy.stats import chi2

        rows = self.judges
        extra = 0.0
        for _ in range(5):  # the weights depend on the result; it settles in two or three rounds
            total = self.variance + extra
            rest = -self.matrix(self.times[rows], window, total)
            rest[np.arange(len(rows)), rows] += 1
            squares = float(np.sum((rest @ self.values) ** 2 / total[rows]))
            known = float(np.sum((rest**2 @ self.variance) / total[rows]))
            extra = max(0.0, (squares - known) / float(np.sum(np.sum(rest**2, axis=1) / total[rows])))
        dof = max(1.0, float(np.sum(rest**2)))
        shown = squares / known * dof / float(chi2.ppf(_LUCK, dof)) if extra == 0 else 1.0
        return extra, max(0.0, 1.0 - shown), dof

    def local_scatter(self) -> tuple[float, float]:
        """Return the extra variance by residuals about the line through both neighbours, and degrees of freedom."""
        t, v = self.times, self.variance
        before = (t[2:] - t[1:-1]) / (t[2:] - t[:-2])
        after = 1 - before
        squares = (before * self.values[:-2] + after * self.values[2:] - self.values[1:-1]) ** 2
        known = before**2 * v[:-2] + after**2 * v[2:] + v[1:-1]
        gain = before**2 + after**2 + 1  # variance of a residual when that of every value is 1
        extra = 0.0
        for _ in range(5):
            weights = 1 / (known + gain * extra)
            extra = max(0.0, float(weights @ (squares - known)) / float(weights @ gain))
        # Residuals of neighbours share values; equally spaced, 35 of them tell as much as 18 that share none.
        next_one = (before[1:] + after[:-1]) ** 2 / (gain[1:] * gain[:-1])
        next_but_one = (after[:-2] * before[2:]) ** 2 / (gain[:-2] * gain[2:])
        shared = float(np.sum(next_one) + np.sum(next_but_one))
        return extra, max(1.0, len(gain) ** 2 / (len(gain) + 2 * shared))

    def curve(self, at: _Reals, window: float, *, extra: float, common: float, dof: float) -> tuple[_Reals, _Reals]:
        """Return the curve at the times `at`, and half the width of its band."""
        from scipy.stats import t

        smooth, half = np.empty(len(at)), np.empty(len(at))
        for start in range(0, len(at), _ROWS):
            part = slice(start, start + _ROWS)
            weights = self.matrix(at[part], window, self.variance + extra)
            own = weights**2 @ ((1 - common) * self.variance) + (weights @ np.sqrt(common * self.variance)) ** 2
            estimated = np.sum(weights**2, axis=1) * extra
            factor = _NORMAL_95
            if extra > 0:  # Welch and Satterthwaite: only the extra part is estimated
                factor = t.ppf(0.975, dof * (1 + own / estimated) ** 2)
            smooth[part] = weights @ self.values
            half[part] = factor * np.sqrt(own + estimated)
        return smooth, half
