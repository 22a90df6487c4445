"""The plots of the camera page: photon transfer, linearity, dark current."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pyicg.report.camera_figures import four
from pyicg.report.figures import DPI, WIDTH_INCH, png
from pyicg.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyicg.characterize import CameraReport, Level

__all__ = ["dark_current", "linearity", "photon_transfer"]

_Reals = npt.NDArray[np.float64]

POINT, LINE, LEFT_OUT = "#00579c", "#b35900", "#6b7280"
LINEARITY_RANGE = (0.05, 0.95)


def photon_transfer(report: CameraReport) -> bytes:
    """Draw temporal variance over signal with the line whose slope is the gain. Returns a PNG."""
    signal, variance = _columns(report.levels, "signal_dn", "variance_dn2")
    variance = variance - _columns(report.levels, "dark_variance_dn2")[0]
    fitted = np.array([level.in_fit for level in report.levels])
    figure, axes = _figure()
    _points(axes, signal, variance, fitted, "levels in the fit")
    gain = report.gain_dn_per_e.value
    if np.isfinite(gain) and fitted.any():
        offset = 0.0 if report.release == "3.1" else float(np.mean(variance[fitted] - gain * signal[fitted]))
        ends = np.array([0.0, 1.05 * float(signal[fitted].max())])
        axes.plot(ends, offset + gain * ends, color=LINE, lw=1.8, label=f"line: gain K = {four(gain)} DN/e")
    axes.set_ylim(bottom=min(0.0, float(variance.min())))
    return _finish(figure, axes, "Signal above dark, DN", "Temporal variance\nof the light, DN²")


def linearity(report: CameraReport) -> bytes | None:
    """Draw signal over light with its straight line, and the deviations below; None when the light is unknown."""
    light, label = _light(report.levels)
    if light is None:
        return None
    (signal,) = _columns(report.levels, "signal_dn")
    (clipped,) = _columns(report.levels, "saturated_share")
    top = float(signal[clipped <= 0.002].max(initial=0.0))
    low, high = (share * top for share in LINEARITY_RANGE)
    used = (signal > 0) & (signal >= low) & (signal <= high) & (clipped <= 0.002)
    figure = Figure(figsize=(WIDTH_INCH, 5.6), dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
    _points(upper, light, signal, used, "levels in the fit, 5-95 %")
    if np.unique(light[used]).size >= 3:
        slope, offset = np.polyfit(light[used], signal[used], 1, w=1 / signal[used])
        expected = offset + slope * light
        upper.plot(np.sort(light), np.sort(expected), color=LINE, lw=1.8, label="straight line")
        _points(lower, light[used], 100 * (signal / expected - 1)[used], np.ones(int(used.sum()), bool), "")
        reach = 1.25 * max(1.0, float(np.abs(100 * (signal / expected - 1)[used]).max()))
        lower.set_ylim(-reach, reach)
    lower.axhline(0, color=LINE, lw=1.4)
    upper.set_ylabel("Signal above dark, DN")
    _tidy(upper)
    return _finish(figure, lower, label, "Deviation, %", legend=upper)


def dark_current(report: CameraReport) -> bytes | None:
    """Draw the dark level over the exposure with the line whose slope is the dark current; None at one exposure."""
    levels = [level for level in report.levels if level.exposure_ms is not None]
    exposure, dark = _columns(levels, "exposure_ms", "dark_mean_dn")
    if np.unique(exposure[np.isfinite(exposure)]).size < 3:
        return None
    figure, axes = _figure()
    _points(axes, exposure, dark, np.ones(len(levels), bool), "dark stacks")
    rate = report.dark_current.value * report.gain_dn_per_e.value / 1000
    if np.isfinite(rate):
        ends = np.array([0.0, 1.03 * float(exposure.max())])
        name = f"line: dark current {four(report.dark_current.value)} e/s, mean of all pixels"
        axes.plot(ends, dark.mean() + rate * (ends - exposure.mean()), color=LINE, lw=1.8, label=name)
    return _finish(figure, axes, "Exposure, ms", "Mean dark level, DN")


def _light(levels: Sequence[Level]) -> tuple[_Reals | None, str]:
    photons, exposure = _columns(levels, "photons", "exposure_ms")
    if np.isfinite(photons).all():
        return photons, "Photons per pixel"
    if np.isfinite(exposure).all() and np.unique(exposure).size >= 3:
        return exposure, "Exposure at constant light, ms"
    return None, ""


def _columns(levels: Sequence[Level], *names: str) -> list[_Reals]:
    """Return one array per field; what is not known is NaN."""
    return [np.array([getattr(level, name) for level in levels], dtype=np.float64) for name in names]


def _points(axes: Axes, x: _Reals, y: _Reals, used: npt.NDArray[np.bool_], name: str) -> None:
    dot: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 5.5, "zorder": 3}
    axes.plot(x[used], y[used], mfc=POINT, mec=POINT, label=name, **dot)
    if not used.all():
        axes.plot(x[~used], y[~used], mfc="white", mec=LEFT_OUT, label="left out", **dot)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_INCH, 4.2), dpi=DPI, layout="constrained")
    return figure, figure.add_subplot()


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)


def _finish(figure: Figure, axes: Axes, x_label: str, y_label: str, legend: Axes | None = None) -> bytes:
    axes.set(xlabel=x_label, ylabel=y_label)
    _tidy(axes)
    (legend or axes).legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return png(figure)
