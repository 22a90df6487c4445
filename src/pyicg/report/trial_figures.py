"""The figures of a trial: ROC, calibration, decision curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from pyicg.report.figures import DPI, png
from pyicg.report.marks import drawable
from pyicg.report.trial_tables import title
from pyicg.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyicg.results import Measurement
    from pyicg.trial_results import TrialAnalysis

__all__ = ["pictures"]

# Okabe and Ito's colours, apart for every common colour vision; the line styles differ as well.
_SIGN, _SCORE, _MODEL, _GREY = "#d55e00", "#0072b2", "#007a5a", "#6b7280"
_LEGEND: dict[str, Any] = {"fontsize": 8.5, "framealpha": 0.9, "edgecolor": "none"}
_STYLE = {"score": (_SCORE, "-", "score"), "p_r1": (_MODEL, "--", "predicted P(R1)"), "sign": (_SIGN, "-", "sign")}


def pictures(analysis: TrialAnalysis) -> dict[str, bytes]:
    """Return the figures that the data allow, as PNG by file name."""
    curves, found = analysis.curves, {}
    if curves.accuracy is not None:
        found["roc.png"] = _roc(analysis)
    if curves.calibration is not None:
        found["calibration.png"] = _calibration(analysis)
    if curves.decision:
        found["decision_curve.png"] = _decision(analysis)
    return found


def _with_interval(item: Measurement) -> str:
    low, high = item.ci
    return f"{item.value:.2f}" + ("" if np.isnan(low) or np.isnan(high) else f" [{low:.2f}, {high:.2f}]")


def _roc(analysis: TrialAnalysis) -> bytes:
    """Draw the curves of the scores, and the sign as a point with its intervals."""
    figure, axes = _figure(analysis, "How well fluorescence tells R1 from R0", (6.4, 6.6))
    axes.plot([0, 1], [0, 1], color=_GREY, ls=":", lw=1.2, label="no better than chance")
    counts = _roc_counts(analysis)
    alike = not analysis.curves.roc_differ
    for name, roc in analysis.curves.roc.items():
        colour, line, words = _STYLE[name]
        text = f"{words}: AUC {_with_interval(roc.auc)}" + ("" if alike else f",\n{_roc_n(counts[name])}")
        axes.plot(roc.false_positive_rate, roc.true_positive_rate, color=colour, ls=line, lw=2, label=text)
    table = analysis.curves.accuracy
    assert table is not None
    fpr, sensitivity = 1 - table.specificity.value, table.sensitivity.value
    if np.isfinite([fpr, sensitivity]).all():
        axes.plot([0, fpr, 1], [0, sensitivity, 1], color=_SIGN, lw=1.2, alpha=0.6)
        axes.errorbar(
            [fpr],
            [sensitivity],
            xerr=_arms(fpr, (1 - table.specificity.ci[1], 1 - table.specificity.ci[0])),
            yerr=_arms(sensitivity, table.sensitivity.ci),
            fmt="D",
            color=_SIGN,
            ms=7,
            capsize=4,
            lw=1.8,
            zorder=4,
            label=f"sign: AUC {_with_interval(table.auc)},\nsensitivity {sensitivity:.2f}, specificity {1 - fpr:.2f}"
            + ("" if alike else f",\n{_roc_n(counts['sign'])}"),
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    of_r1, of_r0 = (f" (n = {n})" if alike else "" for n in counts["sign"])
    x_label = f"False positive rate: share of R0 lesions called R1{of_r0}"
    _finish(axes, x_label, f"Sensitivity: share of R1 lesions called R1{of_r1}")
    axes.legend(loc="lower right", title="bars and brackets: 95 % intervals", title_fontsize=8.5, **_LEGEND)
    return png(figure)


def _roc_counts(analysis: TrialAnalysis) -> dict[str, tuple[int, int]]:
    """Return the number of R1 and R0 lesions behind each curve."""
    r1 = analysis.table.values["r1"] == 1
    return {name: (int((r1 & of).sum()), int((~r1 & of).sum())) for name, of in analysis.curves.lesions.items()}


def _roc_n(counts: tuple[int, int]) -> str:
    return f"of {counts[0]} R1 and {counts[1]} R0"


def _arms(value: float, ci: tuple[float, float]) -> list[list[float]] | None:
    low, high = ci
    return None if np.isnan(low) or np.isnan(high) else [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def _calibration(analysis: TrialAnalysis) -> bytes:
    """Draw the observed share over the prediction, a point per bin, and where the predictions lie."""
    found = analysis.curves.calibration
    assert found is not None
    figure = _sheet(analysis, "Do the predicted risks come true?", (6.4, 6.6))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    axes.plot([0, 1], [0, 1], color=_GREY, ls=":", lw=1.2, label="perfect calibration")
    low, high = np.asarray(found.observed_ci).T
    arms = np.vstack([found.observed - low, high - found.observed]).clip(min=0)
    words = "lesions with like predictions, 95 % interval"
    axes.errorbar(found.expected, found.observed, yerr=arms, fmt="o", color=_MODEL, ms=7, capsize=3, label=words)
    slope = f"calibration slope {_with_interval(found.slope)}; 1 is ideal, less is too sure"
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, title=slope, title_fontsize=9, **_LEGEND)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="Observed share of R1 at pathology")
    below.bar(found.expected, found.count, width=0.03, color=_MODEL)
    _tidy(axes)
    _finish(below, f"Predicted P(R1) (n = {int(found.count.sum())} lesions)", "lesions\nper bin")
    return png(figure)


def _decision(analysis: TrialAnalysis) -> bytes:
    """Draw net benefit over the risk threshold, per 100 lesions, with bands."""
    figure, axes = _figure(analysis, "Is it worth re-resecting by the fluorescence?", (8.0, 5.4))
    curves = analysis.curves.decision
    reference = curves["sign"]
    pt = np.asarray(reference.thresholds)
    top = 100 * max(float(np.max(curve.follow_sign)) for curve in curves.values())
    banded = False
    for name, curve in curves.items():
        colour, line, words = _STYLE[name]
        low, high = 100 * np.asarray(curve.follow_ci).T
        if np.isfinite(low).any():
            banded = True
            axes.fill_between(curve.thresholds, low, high, color=colour, alpha=0.15, lw=0)
        text = f"re-resect by the {words}" if name == "sign" else f"re-resect by {words}"
        axes.plot(curve.thresholds, 100 * curve.follow_sign, color=colour, ls=line, lw=2.2, label=text)
    axes.plot(pt, 100 * reference.treat_all, color="#111111", ls="-.", lw=1.4, label="re-resect all")
    axes.plot(pt, 100 * reference.treat_none, color=_GREY, ls=":", lw=1.8, label="re-resect none")
    at = analysis.options.risk_threshold
    axes.axvline(at, color=_GREY, lw=1)
    axes.text(at, 0.985, f" risk threshold {at:g}", transform=axes.get_xaxis_transform(), va="top", fontsize=9)
    reach = max(top, 100 * float(reference.treat_all[0]), 1.0)
    axes.set(xlim=(0, max(0.8, min(at + 0.1, 1.0))), ylim=(-0.35 * reach, 1.3 * reach))
    _finish(
        axes,
        f"Risk of R1 at which one would cut again (n = {analysis.curves.decision_n} lesions)",
        "Net benefit: R1 found per 100 lesions,\nless the price of cutting again in vain",
    )
    axes.legend(
        loc="upper right", title="higher is better" + ("; bands: 95 %" if banded else ""), title_fontsize=9, **_LEGEND
    )
    return png(figure)


def _sheet(analysis: TrialAnalysis, heading: str, size: tuple[float, float]) -> Figure:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    what = drawable(title(analysis))
    figure.suptitle(f"{what}\n{heading}" if what else heading, fontsize=12)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return figure


def _figure(analysis: TrialAnalysis, heading: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = _sheet(analysis, heading, size)
    return figure, figure.add_subplot()


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)


def _finish(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlabel=x_label, ylabel=y_label)
    _tidy(axes)
