"""The report's section on the choice of background: SBR under every policy, and what the interval is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from pyicg.report.figures import DPI, WIDTH_INCH, png
from pyicg.report.words import RESEARCH_ONLY, digits, number, percent, sentence, value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyicg.report.source import Scored
    from pyicg.results import Contrast, FrameScore, Measurement, UncertaintyBudget
    from pyicg.sensitivity import PolicyRow, SensitivityTable

__all__ = ["SensitivitySection", "draw", "section"]

POLICY_WORDS = {
    "mode": "most frequent level of the frame",
    "median": "median of the frame",
    "percentile": "25th percentile of the frame",
    "annulus": "ring around the signal",
    "distant": "most frequent level far from the signal",
    "surface": "smooth surface under the signal",
    "mask": "region drawn by the user",
}
PART_WORDS = {
    "pixel_noise": "pixel noise",
    "sampling": "finite number of pixels",
    "heterogeneity": "uneven tissue or light",
    "placement": "placement of the region",
}
USED, OTHER, CUT = "#00579c", "#6b7480", "#b35900"


@dataclass(frozen=True, slots=True)
class SensitivitySection:
    """Display texts of the section.

    `spread` says how far the choice moves the SBR, and how many pixels the signal is the mean of, where that is known;
    `rows` are (policy, in words, level, pixels, SBR, CNR, whether the answer used it); `budget` are (level, total, and
    one cell per part), empty where the parts are not known; `png` is the picture.
    """

    short: str
    spread: str
    level_unit: str
    rows: tuple[tuple[str, str, str, str, str, str, bool], ...]
    largest: str
    budget: tuple[tuple[str, ...], ...]
    png: bytes


def section(score: Scored) -> SensitivitySection | None:
    """Return what the report shows of ``score.sensitivity``; None where there is no table.

    Parameters
    ----------
    score : Scored
        The scored stack. A score without the attribute `sensitivity` has no table.

    Returns
    -------
    SensitivitySection or None
    """
    table: SensitivityTable | None = getattr(score, "sensitivity", None)
    if table is None:
        return None
    key = score.frames[score.key_index]
    used = key.background.policy
    return SensitivitySection(
        short=_short(table),
        spread=_spread(table, key) + _signal(score, table),
        level_unit=table.unit,
        rows=tuple(_row(row, used) for row in table.rows),
        largest=_largest(key.contrast),
        budget=tuple(_budget_rows(key.contrast)),
        png=draw(table, used=used, sbr_cut=key.sbr_cut),
    )


def draw(table: SensitivityTable, *, used: str, sbr_cut: float) -> bytes:
    """Draw the SBR and its 95 % interval under every policy, one line each, with the SBR cut.

    Parameters
    ----------
    table : SensitivityTable
        The policies.
    used : str
        The policy behind the answer; its line is bold.
    sbr_cut : float
        SBR at which a region counts as fluorescent.

    Returns
    -------
    bytes
        A PNG, about 1200 pixels wide. An interval that leaves the picture ends in an arrow.
    """
    figure = Figure(figsize=(WIDTH_INCH, 1.2 + 0.3 * len(table.rows)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    low, high = _range(table, sbr_cut)
    axes.set(xlim=(low, high), ylim=(len(table.rows) - 0.5, -0.5))
    axes.axvline(sbr_cut, color=CUT, linestyle=(0, (5, 3)), linewidth=1.3, zorder=1)
    axes.text(
        sbr_cut, 1.0, f" cut {sbr_cut:g}", transform=axes.get_xaxis_transform(), color=CUT, fontsize=8.5, va="bottom"
    )
    for place, row in enumerate(table.rows):
        _draw_row(axes, place, row.contrast.sbr, USED if row.policy == used else OTHER)
    axes.set_yticks(range(len(table.rows)), [row.policy for row in table.rows])
    for label, row in zip(axes.get_yticklabels(), table.rows, strict=True):
        label.set_fontweight("bold" if row.policy == used else "normal")
    axes.set_xlabel("signal-to-background ratio, 95 % interval", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    figure.supxlabel(RESEARCH_ONLY, fontsize=7.5, color="#555555")
    return png(figure)


def _draw_row(axes: Axes, place: int, sbr: Measurement, colour: str) -> None:
    low, high = axes.get_xlim()
    if math.isnan(sbr.value):
        axes.text((low + high) / 2, place, "undefined", color="#666666", fontsize=9, ha="center", va="center")
        return
    lo, hi = (sbr.value if math.isnan(bound) else bound for bound in sbr.ci)
    axes.plot([max(lo, low), min(hi, high)], [place, place], color=colour, linewidth=2.6, solid_capstyle="butt")
    for bound, edge, marker in ((lo, low, "<"), (hi, high, ">")):
        if bound < low or bound > high:
            axes.plot(edge, place, marker=marker, color=colour, markersize=7, clip_on=False)
    axes.plot(sbr.value, place, marker="o", color=colour, markersize=8, markeredgecolor="white", zorder=3)


def _range(table: SensitivityTable, sbr_cut: float) -> tuple[float, float]:
    """Limits that hold every SBR and the cut, and of the intervals what lies near them."""
    values = [sbr_cut, *_defined(table)]
    bounds = [b for row in table.rows if not math.isnan(row.contrast.sbr.value) for b in row.contrast.sbr.ci]
    span = max(max(values) - min(values), 0.2 * max(values))
    low = min([min(values), *(b for b in bounds if b >= min(values) - span)])
    high = max([max(values), *(b for b in bounds if b <= max(values) + span)])
    pad = 0.06 * (high - low) or 0.5 * sbr_cut
    return low - pad, high + pad


def _defined(table: SensitivityTable) -> list[float]:
    return [row.contrast.sbr.value for row in table.rows if not math.isnan(row.contrast.sbr.value)]


def _short(table: SensitivityTable) -> str:
    """Return one line for the card with the SBR."""
    found = _defined(table)
    if len(found) < 2:
        return ""
    least, most = min(found), max(found)
    figures = digits(least, most)
    return f"{number(least, figures)} to {number(most, figures)} over {len(found)} background policies, see below."


def _spread(table: SensitivityTable, key: FrameScore) -> str:
    """Say how far the choice of background moves the SBR, and whether it moves it over the cut."""
    rows = [row for row in table.rows if not math.isnan(row.contrast.sbr.value)]
    undefined = len(table.rows) - len(rows)
    if not rows:
        return "No policy gives an SBR."
    least, most = (pick(rows, key=lambda row: row.contrast.sbr.value) for pick in (min, max))
    if math.isnan(table.spread):
        text = "Too few policies give an SBR to compare them."
    else:
        ends = least.contrast.sbr.value, most.contrast.sbr.value
        low, high = (number(end, digits(*ends)) for end in ends)
        text = (
            f"The choice of background moves this SBR from {low} ({least.policy}) to {high} ({most.policy}), "
            f"{number(table.spread)}-fold."
        )
    below = sum(row.contrast.sbr.value < key.sbr_cut for row in rows)
    if 0 < below < len(rows):
        text += f" With {below} of the {len(rows)} policies it lies below the cut of {key.sbr_cut:g}."
    if undefined:
        text += f" {undefined} of {len(table.rows)} policies give no SBR."
    own = key.contrast.sbr
    found = [row.contrast.sbr for row in rows if row.policy == key.background.policy]
    figures = max(digits(*item.ci) for item in (own, *found))
    if found and value(found[0], significant=figures) != value(own, significant=figures):
        text += f" The answer above is {value(own)}: it left the signal in the frame, this table leaves it out."
    return text


def _signal(score: Scored, table: SensitivityTable) -> str:
    """Say how much of the frame the signal is; nothing where the number of its pixels is not known."""
    pixels = table.signal_pixels
    if pixels <= 0:
        return ""
    share = pixels / score.key_image.size
    text = f" The signal T is the mean of {pixels} pixels, {percent(share)} of the frame."
    if share > 0.5:
        text += " Warning: the signal covers more than half of the frame: check that the background is tissue."
    return text


def _row(row: PolicyRow, used: str) -> tuple[str, str, str, str, str, str, bool]:
    return (
        row.policy,
        POLICY_WORDS.get(row.policy, row.policy),
        number(row.background.level),
        str(row.background.n_pixels),
        _figure(row.contrast.sbr),
        _figure(row.contrast.cnr),
        row.policy == used,
    )


def _figure(item: Measurement) -> str:
    """Value and interval without the remark that every uncalibrated figure carries; undefined with the reason."""
    if math.isnan(item.value):
        return f"undefined: {sentence(item.reason)}"
    low, high = (number(end, digits(*item.ci)) for end in item.ci)
    return f"{value(item)} ({low} to {high})"


def _levels(contrast: Contrast) -> Iterator[tuple[str, float, UncertaintyBudget]]:
    for name, level, budget in (
        ("signal", contrast.signal_level.value, contrast.signal_budget),
        ("background", contrast.background_level.value, contrast.background_budget),
    ):
        if budget is not None and level > 0:
            yield name, level, budget


def _largest(contrast: Contrast) -> str:
    """Return one sentence: which part makes the interval of the SBR as wide as it is."""
    parts = [
        (part / level, PART_WORDS[name], whose)
        for whose, level, budget in _levels(contrast)
        for name in PART_WORDS
        if (part := getattr(budget, name)) is not None
    ]
    if not parts or math.isnan(contrast.sbr.value):
        return ""
    share, part, whose = max(parts)
    return f"Largest part of the interval: {part} of the {whose}, {_percent(share)} of its level (standard error)."


def _budget_rows(contrast: Contrast) -> Iterator[tuple[str, ...]]:
    if math.isnan(contrast.sbr.value):
        return
    for whose, level, budget in _levels(contrast):
        parts = [getattr(budget, name) for name in PART_WORDS]
        cells = ["not known apart" if part is None else _percent(part / level) for part in parts]
        if budget.placement == 0:
            cells[-1] = "taken as exact" if whose == "signal" else "does not apply"
        yield whose, _percent(budget.total / level), *cells


def _percent(share: float) -> str:
    """Return a share of the level in per cent, two significant figures."""
    if share == 0:
        return "0 %"
    return "< 0.001 %" if share < 1e-5 else f"{100 * share:.2g} %"
