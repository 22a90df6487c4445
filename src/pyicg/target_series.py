"""Targets of known concentration or depth: limit of detection, linearity, decay.

Targets are held in order of strength: the largest concentration or the smallest depth comes first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pyicg._detection_curves import (
    fit_exponential,
    fit_power,
    half_width,
    known,
    linear_crossing,
    student_interval,
)
from pyicg.errors import InputError
from pyicg.results import FloatArray, Measurement

__all__ = ["Decay", "Quantity", "Series"]

Quantity = Literal["concentration_nm", "depth_mm"]

_SATURATED = "saturated_lower_bound"


@dataclass(frozen=True, slots=True)
class Decay:
    """Curve ``factor * exp(slope_per_mm * depth)`` through the normalised contrasts; the slope is negative."""

    factor: Measurement
    slope_per_mm: Measurement


@dataclass(frozen=True, eq=False)
class Series:
    """Targets of known concentration or depth against one control, strongest first.

    Attributes
    ----------
    quantity : {"concentration_nm", "depth_mm"}
        What `values` are.
    values : tuple of float
        Concentrations in nM, falling, or depths in mm, rising.
    levels : tuple of Measurement
        Mean of each target, in the unit of the frame.
    cnr : tuple of Measurement
        (level - control) / control_sd of each target.
    control : Measurement
        Mean of the control.
    control_sd : Measurement
        Standard deviation of the control's pixels; its sigma is that of `Background.sigma_error`.
    """

    quantity: Quantity
    values: tuple[float, ...]
    levels: tuple[Measurement, ...]
    cnr: tuple[Measurement, ...]
    control: Measurement
    control_sd: Measurement

    @property
    def normalised(self) -> tuple[float, ...]:
        """Level minus control of each target, the largest of them being 1."""
        return tuple((self._contrasts() / self._largest()).tolist())

    def limit_of_detection(
        self, threshold: float = 3.0, *, method: Literal["linear", "exponential"] | None = None
    ) -> Measurement:
        """Return the concentration or depth at which the CNR falls to a threshold.

        Parameters
        ----------
        threshold : float
            CNR that counts as detected; 3 is that of AAPM TG-311.
        method : {"linear", "exponential"}, optional
            ``"linear"``, the default for concentrations: where the straight lines from target to target first fall
            below the threshold, seen from the strongest; what rises over it again further on does not count.
            ``"exponential"``, the default for depths and for them only: where the least-squares curve
            ``a * exp(-k * depth)`` through all contrasts, negative ones too, falls to it.

        Returns
        -------
        Measurement
            In nM or mm. NaN with ``outside_series`` where the crossing lies beyond the targets; the interval, with
            a bound of 0 or infinity, says on which side. NaN with ``saturated_lower_bound`` where the crossing
            follows upon a saturated target.

        Raises
        ------
        InputError
            A threshold that is not positive, or a method that does not suit the quantity.

        Notes
        -----
        Linear: the bounds are where the 95 % band of the lines crosses the threshold, from the errors of both levels,
        of the control's level and of its standard deviation; NaN when these are not known. Exponential: Student t on
        the scatter of the targets about the curve, joined with the control's errors as far as known; at least 3
        targets, or ``too_few_cases``.

        Examples
        --------
        >>> from pyicg.detection import Target, series_from_summary
        >>> wells = [Target(10, 600, 10, 900), Target(3, 250, 10, 900), Target(1, 150, 10, 900)]
        >>> found = series_from_summary(wells, Target(0, 100, 20, 900), quantity="concentration_nm")
        >>> str(found.limit_of_detection())
        '1.2 [1.137, 1.262]'
        """
        if not 0 < threshold < math.inf:
            raise InputError(f"threshold is {threshold!r}, expected a CNR above 0, such as 3")
        if method is None:
            method = "exponential" if self._is_depth else "linear"
        if method not in ("linear", "exponential"):
            raise InputError(f"method is {method!r}, expected 'linear' or 'exponential'")
        if method == "linear":
            return self._linear_limit(threshold)
        if not self._is_depth:
            raise InputError("method='exponential' is for depths, found concentrations: use method='linear'")
        return self._exponential_limit(threshold)

    def exponent(self, low: float | None = None, high: float | None = None) -> Measurement:
        """Return the exponent of the power law between concentration and contrast; 1 is linear.

        Parameters
        ----------
        low, high : float, optional
            Smallest and largest concentration to use, nM. With neither, those are used that come before the first with
            a CNR under 3, without saturated ones; `usable` names them.

        Returns
        -------
        Measurement
            Slope of the least-squares line through ln(level - control) on ln(concentration), with a Student t interval
            from the scatter about it and the error of the control's level as far as known. NaN with
            ``too_few_cases`` for fewer than 3 targets.

        Raises
        ------
        InputError
            The series is one of depths, or the range holds a saturated target or one at or below the control.

        Examples
        --------
        >>> from pyicg.detection import Target, series_from_summary
        >>> wells = [Target(x, 100 + 20 * x**0.9, 10) for x in (1, 3, 10, 30)]
        >>> round(series_from_summary(wells, Target(0, 100, 2), quantity="concentration_nm").exponent().value, 6)
        0.9
        """
        if self._is_depth:
            raise InputError("exponent() is for concentrations, found depths: use decay()")
        if (undefined := self._undefined()) is not None:
            return undefined
        used = self.usable(low, high)
        x, level = self._selected(used)
        for value, contrast_ in zip(x, level - self.control.value, strict=True):
            if not contrast_ > 0:
                raise InputError(
                    f"the target of {value:g} nM lies {-contrast_:.3g} below the control, and has no logarithm: "
                    f"leave it out with low"
                )
        if len(used) < 3:
            return Measurement.undefined("too_few_cases")

        slope, scatter = fit_power(x, level - self.control.value)
        moved, _ = fit_power(x, level - (self.control.value - known(self.control.sigma)))
        return student_interval(slope, scatter, len(used) - 2, moved - slope, self.control.reason)

    def decay(self, low: float | None = None, high: float | None = None) -> Decay:
        """Fit the decay of the contrast with depth.

        Parameters
        ----------
        low, high : float, optional
            Smallest and largest depth to use, mm; all that are not saturated by default. Targets at or below the
            control are used like any other: no logarithm is taken.

        Returns
        -------
        Decay
            Least-squares curve through the `normalised` contrasts, each with a Student t interval from the scatter
            about it and the error of the control's level as far as known. NaN with ``too_few_cases`` for fewer than 3
            targets, with ``no_signal`` where the contrast does not fall.

        Raises
        ------
        InputError
            The series is one of concentrations, or the range holds a saturated target.

        Examples
        --------
        >>> import math
        >>> from pyicg.detection import Target, series_from_summary
        >>> wells = [Target(z, 5 + 80 * math.exp(-0.9 * z), 2) for z in (1, 2, 3, 4, 5)]
        >>> fitted = series_from_summary(wells, Target(0, 5, 2), quantity="depth_mm").decay()
        >>> round(fitted.slope_per_mm.value, 6), round(fitted.factor.value, 6)  # e ** 0.9: 1 at 1 mm
        (-0.9, 2.459603)
        """
        if not self._is_depth:
            raise InputError("decay() is for depths, found concentrations: use exponent()")
        undefined = self._undefined()
        used = self.usable(low, high) if low is not None or high is not None else self._unsaturated()
        if undefined is None and len(used) < 3:
            undefined = Measurement.undefined("too_few_cases")
        if undefined is not None:
            return Decay(undefined, undefined)
        x, level = self._selected(used)

        def fit(control: float) -> tuple[FloatArray, FloatArray] | None:
            return fit_exponential(x, (level - control) / self._largest(), unit=1.0)

        # In the form exp(k (limit - depth)), k and limit; factor = exp(k limit).
        best = fit(self.control.value)
        moved = fit(self.control.value + known(self.control.sigma))
        if best is None or moved is None:
            nothing = Measurement.undefined("no_signal")
            return Decay(nothing, nothing)
        (limit, rate), covariance = best
        factor = math.exp(rate * limit)
        gradient = factor * np.array([rate, limit])
        factor_scatter = math.sqrt(gradient @ covariance @ gradient)
        dof, reason = len(used) - 2, self.control.reason
        return Decay(
            student_interval(factor, factor_scatter, dof, math.exp(math.prod(moved[0])) - factor, reason),
            student_interval(-rate, math.sqrt(covariance[1, 1]), dof, moved[0][1] - rate, reason),
        )

    def usable(self, low: float | None = None, high: float | None = None) -> tuple[float, ...]:
        """Return the values of the targets between `low` and `high`; with neither, of those detected.

        Parameters
        ----------
        low, high : float, optional
            Bounds, included. With neither, the targets from the strongest to the last before the first whose CNR is
            under 3, without saturated ones.

        Raises
        ------
        InputError
            A target within the bounds is saturated.

        Examples
        --------
        >>> from pyicg.detection import Target, series_from_summary
        >>> wells = [Target(10, 160, 10), Target(3, 118, 10), Target(1, 104, 10)]
        >>> found = series_from_summary(wells, Target(0, 100, 5), quantity="concentration_nm")
        >>> found.usable(), found.usable(low=1, high=3)
        ((10, 3), (3, 1))
        """
        if low is None and high is None:
            run = next((i for i, cnr in enumerate(self.cnr) if not cnr.value >= 3), len(self.cnr))
            return tuple(value for value in self.values[:run] if value in self._unsaturated())
        bounds = (-math.inf if low is None else low, math.inf if high is None else high)
        inside = tuple(value for value in self.values if bounds[0] <= value <= bounds[1])
        for value in inside:
            if value not in self._unsaturated():
                raise InputError(
                    f"the target of {value:g} is saturated and only a lower bound: leave it out of the range"
                )
        return inside

    @property
    def _is_depth(self) -> bool:
        return self.quantity == "depth_mm"

    def _contrasts(self) -> FloatArray:
        return np.array([level.value for level in self.levels]) - self.control.value

    def _largest(self) -> float:
        """Return the largest contrast; NaN where none is over the control."""
        largest = float(self._contrasts().max())
        return largest if largest > 0 else math.nan

    def _unsaturated(self) -> tuple[float, ...]:
        return tuple(v for v, level in zip(self.values, self.levels, strict=True) if level.reason != _SATURATED)

    def _selected(self, used: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
        level = dict(zip(self.values, self.levels, strict=True))
        return np.array(used, dtype=np.float64), np.array([level[value].value for value in used])

    def _undefined(self) -> Measurement | None:
        """Return the reason that leaves every figure undefined, if there is one."""
        for part in (self.control, *self.levels, *self.cnr):
            if math.isnan(part.value):
                return Measurement.undefined(part.reason or "no_signal")
        return None

    def _linear_limit(self, threshold: float) -> Measurement:
        """Follow the straight lines between targets down to the level control + threshold x standard deviation."""
        if (undefined := self._undefined()) is not None:
            return undefined
        sd = self.control_sd
        position, crossing = linear_crossing(
            np.array(self.values, dtype=np.float64),
            self._contrasts() - threshold * sd.value,
            np.array([[level.sigma, half_width(level)] for level in self.levels]).T,
            np.hypot([self.control.sigma, half_width(self.control)], threshold * np.array([sd.sigma, half_width(sd)])),
        )
        # The last target before the crossing; a saturated one may lie higher, which moves the crossing.
        if position < math.inf and self.levels[int(max(position, 0.0))].reason == _SATURATED:
            return Measurement.undefined(_SATURATED)
        return replace(crossing, reason=crossing.reason or self.control.reason)

    def _exponential_limit(self, threshold: float) -> Measurement:
        """Fit threshold x control_sd x exp(k (limit - depth)) to the contrasts, with the limit as a parameter."""
        if (undefined := self._undefined()) is not None:
            return undefined
        used = self._unsaturated()
        if len(used) < 3:
            return Measurement.undefined("too_few_cases")
        x, level = self._selected(used)

        def limit(control: float, sd: float) -> tuple[FloatArray, FloatArray] | None:
            return fit_exponential(x, level - control, unit=threshold * sd)

        control, sd = self.control.value, self.control_sd.value
        best = limit(control, sd)
        moved = limit(control + known(self.control.sigma), sd)
        if best is None or moved is None:
            if any(cnr.value >= threshold for cnr in self.cnr):
                return Measurement.undefined("no_signal")
            return Measurement(math.nan, ci=(0.0, float(x[0])), reason="outside_series")
        (value, rate), covariance = best
        noise = known(self.control_sd.sigma) / (sd * rate)
        shared = math.hypot(moved[0][0] - value, noise)
        found = student_interval(value, math.sqrt(covariance[0, 0]), len(used) - 2, shared, self.control.reason)
        low, high = found.ci
        # The curve is not known to hold beyond the targets.
        low = low if low >= x[0] else 0.0
        high = high if high <= x[-1] else math.inf
        if value < x[0]:
            return Measurement(math.nan, ci=(0.0, max(high, float(x[0]))), reason="outside_series")
        if value > x[-1]:
            return Measurement(math.nan, ci=(min(low, float(x[-1])), math.inf), reason="outside_series")
        return replace(found, ci=(low, high))
