"""The report's section on the choice of background: what it says of each policy, and what its picture shows."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pyicg
from pyicg.report import build, sensitivity
from pyicg.report.answer import answer
from pyicg.report.words import SENTENCES, digits, interval, number, value
from pyicg.results import Background, Contrast, Measurement, UncertaintyBudget
from pyicg.sensitivity import PolicyRow, SensitivityTable

NAN, INF = math.nan, math.inf
SIGNAL_BUDGET = UncertaintyBudget(0.3, 0.03, 0.12)
BACKGROUND_BUDGET = UncertaintyBudget(0.01, 0.0, 0.05)


def contrast_of(sbr: Measurement, **changes: Any) -> Contrast:
    parts: dict[str, Any] = {
        "cnr": Measurement(7.0, 0.5, (6.0, 8.0)),
        "signal_level": Measurement(30.0, 0.1, (29.8, 30.2)),
        "background_level": Measurement(10.0),
        "signal_budget": SIGNAL_BUDGET,
        "background_budget": BACKGROUND_BUDGET,
    }
    return replace(Contrast(*[sbr] * 8), **parts | changes)


def row_of(policy: str, sbr: Measurement, level: float = 10.0, n: int = 900) -> PolicyRow:
    return PolicyRow(policy, Background(level, 1.0, 0.05, n, policy, sbr.reason), contrast_of(sbr))


def around(value: float, half: float = 0.1) -> Measurement:
    return Measurement(value, half / 2, (value - half, value + half))


def table_of(**sbr: Measurement) -> SensitivityTable:
    return SensitivityTable(tuple(row_of(policy, item) for policy, item in sbr.items()), "DN/ms")


@dataclass(frozen=True)
class Frame:
    contrast: Contrast
    background: Background = field(default_factory=lambda: Background(10.0, 1.0, 0.05, 900, "mode"))
    sbr_cut: float = 1.5


@dataclass(frozen=True)
class Score:
    sensitivity: SensitivityTable | None
    frames: tuple[Frame, ...] = (Frame(contrast_of(around(3.0))),)
    key_index: int = 0


def section_of(score: Any) -> sensitivity.SensitivitySection | None:
    return sensitivity.section(score)


def shown(table: SensitivityTable, **changes: Any) -> sensitivity.SensitivitySection:
    score = Score(table, (Frame(contrast_of(around(3.0), **changes)),))
    found = section_of(score)
    assert found is not None
    return found


def pixels(png: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


def columns_of(png: bytes, colour: str) -> npt.NDArray[np.intp]:
    """Return the columns of a picture that hold nearly this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.flatnonzero((np.abs(pixels(png) - wanted).max(axis=2) <= 6).any(axis=0))


@pytest.fixture(scope="module")
def bed() -> Any:
    scene = pyicg.phantom.bed_scene(shape=(96, 96), n_frames=2, sbr=3.0)
    return pyicg.score_stack(scene.stack, profile=scene.profile, prevalence="mimic-overall")


def test_no_table_no_section(bed: Any) -> None:
    assert sensitivity.section(replace(bed, sensitivity=None)) is None
    assert "every background policy" not in build(replace(bed, sensitivity=None))[1]
    missing: Any = type("Old", (), {"frames": bed.frames, "key_index": 0})()
    assert sensitivity.section(missing) is None


def test_page_shows_the_table_of_the_key_frame(bed: Any) -> None:
    page = build(bed)[1]
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert f"SBR of frame {bed.key_index} under every background policy" in text
    assert page.count('class="used"') == 1
    assert "mode (the answer's) most frequent level of the frame" in text
    position = 0
    for row in bed.sensitivity.rows:
        cells = f"{pyicg.report.words.number(row.background.level)} {row.background.n_pixels} "
        position = text.index(cells, position) + 1
    assert "Level, DN/ms" in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_spread_is_one_sentence_with_both_ends() -> None:
    table = table_of(mode=around(3.0), median=around(2.0), annulus=around(4.0))
    found = shown(table)
    assert found.spread == "The choice of background moves this SBR from 2.00 (median) to 4.00 (annulus), 2.00-fold."
    assert found.short == "2.00 to 4.00 over 3 background policies, see below."
    assert [row[6] for row in found.rows] == [True, False, False]
    assert found.rows[0][2:6] == ("10.0", "900", "3.00 (2.90 to 3.10)", "7.00 (6.00 to 8.00)")


def test_policies_on_both_sides_of_the_cut_are_told() -> None:
    found = shown(table_of(mode=around(3.0), annulus=around(1.2), percentile=around(3.1)))
    assert "With 1 of the 3 policies it lies below the cut of 1.5." in found.spread
    assert "below the cut" not in shown(table_of(mode=around(1.2), annulus=around(1.1))).spread


@pytest.mark.parametrize("reason", ["background_not_resolved", "background_saturated", "too_few_pixels"])
def test_undefined_rows_say_why_in_words(reason: str) -> None:
    found = shown(table_of(mode=around(3.0), annulus=Measurement.undefined(reason), median=around(3.1)))
    assert found.rows[1][4] == f"undefined: {SENTENCES[reason]}"
    assert found.spread.endswith(" 1 of 3 policies give no SBR.")


def test_fewer_than_two_ratios() -> None:
    none = Measurement.undefined("background_not_resolved")
    one = shown(table_of(mode=around(3.0), median=none))
    assert one.spread == "Too few policies give an SBR to compare them. 1 of 2 policies give no SBR."
    assert one.short == ""
    assert shown(table_of(mode=none, median=none)).spread == "No policy gives an SBR."


def test_an_answer_that_differs_from_its_row_is_explained() -> None:
    found = shown(table_of(mode=around(3.3), median=around(3.2)))
    assert "The answer above is 3.00: it left the signal in the frame, this table leaves it out." in found.spread
    assert "answer above" not in shown(table_of(mode=around(3.0), median=around(3.2))).spread


@pytest.mark.parametrize(
    ("half", "text"),
    [
        (0.1, "4.00 (3.90 to 4.10)"),
        (0.003, "4.000 (3.997 to 4.003)"),
        (0.0002, "4.0000 (3.9998 to 4.0002)"),
        (1e-9, "4.00000 (4.00000 to 4.00000)"),
        (0.0, "4.00 (4.00 to 4.00)"),
    ],
)
def test_ends_that_read_the_same_get_more_figures(half: float, text: str) -> None:
    table = table_of(mode=around(4.0, half), median=around(3.0))
    assert shown(table).rows[0][4] == text
    assert f"{value(around(4.0, half))} ({interval(around(4.0, half))})" == text.replace("(", "(95 % CI ")


def test_ends_of_the_cnr_are_told_apart() -> None:
    row = row_of("mode", around(3.0))
    row = replace(row, contrast=replace(row.contrast, cnr=Measurement(38.5, 0.02, (38.46, 38.54))))
    assert shown(SensitivityTable((row, row_of("median", around(2.0))), "DN/ms")).rows[0][5] == "38.50 (38.46 to 38.54)"


def test_card_of_the_answer_tells_the_ends_apart(bed: Any) -> None:
    frame = bed.frames[bed.key_index]
    sbr = Measurement(4.0, 0.0007, (3.9987, 4.0013))
    frames = list(bed.frames)
    frames[bed.key_index] = replace(frame, contrast=replace(frame.contrast, sbr=sbr))
    card = answer(replace(bed, frames=tuple(frames)))["sbr"]
    assert (card["text"], card["interval"]) == ("4.000", "95 % CI 3.999 to 4.001")


def test_spread_tells_its_ends_apart() -> None:
    found = shown(table_of(mode=around(3.998), median=around(4.003)))
    assert found.short == "3.998 to 4.003 over 2 background policies, see below."
    assert found.spread.startswith(
        "The choice of background moves this SBR from 3.998 (mode) to 4.003 (median), 1.00-fold."
    )


@given(st.floats(-1e7, 1e7), st.floats(1e-12, 1e3))
def test_figures_tell_ends_apart_or_are_six(low: float, width: float) -> None:
    high = low + width
    count = digits(low, high)
    assert 3 <= count <= 6
    apart = [float(number(low, n)) != float(number(high, n)) for n in range(3, 7)]
    assert apart[: count - 3] == [False] * (count - 3)
    assert apart[count - 3] or count == 6 or low == high


@pytest.mark.parametrize("ends", [(NAN, NAN), (2.9, INF), (-INF, INF), (2.0, 2.0), (NAN, 2.0)])
def test_ends_that_no_figure_tells_apart(ends: tuple[float, float]) -> None:
    assert digits(*ends) == 3


def test_ends_either_side_of_a_power_of_ten() -> None:
    assert interval(Measurement(1.0, 0.0002, (0.9996, 1.0004))) == "95 % CI 0.9996 to 1.000"


def counted(pixels: int, image: Any) -> str:
    rows = table_of(mode=around(3.0), median=around(2.0)).rows
    score: Any = replace(image, sensitivity=SensitivityTable(rows, "DN/ms", signal_pixels=pixels))
    found = sensitivity.section(score)
    assert found is not None
    return found.spread


def test_share_of_the_frame_that_is_signal(bed: Any) -> None:
    size = bed.key_image.size
    assert size == 96 * 96
    told, warning = "The signal T is the mean of {} pixels, {} of the frame.", "covers more than half of the frame"
    assert "signal T" not in counted(0, bed)
    assert counted(1106, bed).endswith(told.format(1106, "12 %"))
    assert counted(4608, bed).endswith(told.format(4608, "50 %"))  # half is not more than half
    assert counted(4609, bed).endswith(
        told.format(4609, "50 %")
        + " Warning: the signal covers more than half of the frame: check that the background is tissue."
    )
    table = SensitivityTable(table_of(mode=around(3.0), median=around(2.0)).rows, "DN/ms", signal_pixels=8000)
    page = build(replace(bed, sensitivity=table))[1]
    assert told.format(8000, "87 %") in page
    assert page.count(warning) == 1


def test_lower_bounds_say_so() -> None:
    bound = Measurement(3.0, 0.1, (2.9, INF), "saturated_lower_bound")
    assert shown(table_of(mode=bound, median=around(3.0))).rows[0][4] == "at least 3.00 (2.90 to ∞)"


def test_budget_in_per_cent_of_each_level() -> None:
    found = shown(table_of(mode=around(3.0), median=around(2.0)))
    total = 100 * math.hypot(0.3, 0.03, 0.12) / 30
    assert found.budget == (
        ("signal", f"{total:.2g} %", "1 %", "0.1 %", "0.4 %", "taken as exact"),
        ("background", "0.51 %", "0.1 %", "0 %", "0.5 %", "does not apply"),
    )
    assert found.largest == (
        "Largest part of the interval: pixel noise of the signal, 1 % of its level (standard error)."
    )


@pytest.mark.parametrize(
    ("budget", "largest"),
    [
        (UncertaintyBudget(None, 0.6, 0.1), "finite number of pixels of the signal, 2 %"),
        (UncertaintyBudget(0.1, 0.1, 0.1, 1.5), "placement of the region of the signal, 5 %"),
        (UncertaintyBudget(0.0, 0.0, 0.0), "uneven tissue or light of the background, 0.5 %"),
    ],
)
def test_largest_part(budget: UncertaintyBudget, largest: str) -> None:
    found = shown(table_of(mode=around(3.0), median=around(2.0)), signal_budget=budget)
    assert largest in found.largest
    if budget.pixel_noise is None:
        assert found.budget[0][2] == "not known apart"


def test_no_budget_where_it_is_unknown_or_there_is_no_ratio() -> None:
    table = table_of(mode=around(3.0), median=around(2.0))
    unknown = shown(table, signal_budget=None, background_budget=None)
    assert (unknown.largest, unknown.budget) == ("", ())
    none = Measurement(NAN, NAN, (-INF, INF), "background_not_resolved")
    found = section_of(Score(table, (Frame(contrast_of(none)),)))
    assert found is not None
    assert (found.largest, found.budget) == ("", ())


def test_picture_marks_the_policy_used_and_the_cut() -> None:
    table = table_of(mode=around(3.0, 0.4), median=around(2.0), annulus=around(4.0))
    png = sensitivity.draw(table, used="mode", sbr_cut=1.5)
    assert pixels(png).shape[1] == 1200
    cut, used = columns_of(png, sensitivity.CUT), columns_of(png, sensitivity.USED)
    assert len(cut) > 0
    # From 1.5 (the cut) to 4.1 (the far end of annulus): both lie where the axis puts them.
    others = columns_of(png, sensitivity.OTHER)
    per_unit = (others.max() - cut.min()) / (4.1 - 1.5)
    assert used.min() - cut.min() == pytest.approx((2.6 - 1.5) * per_unit, abs=6)
    assert used.max() - cut.min() == pytest.approx((3.4 - 1.5) * per_unit, abs=6)
    assert len(columns_of(sensitivity.draw(table, used="mask", sbr_cut=1.5), sensitivity.USED)) == 0


@pytest.mark.parametrize(
    "sbr",
    [
        Measurement(3.0, NAN, (NAN, NAN)),
        Measurement(3.0, 0.1, (2.9, INF), "saturated_lower_bound"),
        Measurement(3.0, 9.0, (-400.0, 500.0)),
        Measurement(NAN, NAN, (-INF, INF), "background_not_resolved"),
        Measurement(-0.2, 0.1, (-0.4, 0.0)),
    ],
)
def test_picture_of_odd_intervals(sbr: Measurement) -> None:
    png = sensitivity.draw(table_of(mode=sbr, median=around(2.0)), used="mode", sbr_cut=1.5)
    assert pixels(png).shape[1] == 1200
    drawn = len(columns_of(png, sensitivity.USED))
    assert (drawn == 0) == math.isnan(sbr.value)
    assert len(columns_of(png, sensitivity.OTHER)) > 0


def test_picture_is_the_same_bytes_twice() -> None:
    table = table_of(mode=around(3.0), median=around(2.0))
    once, again = (sensitivity.draw(table, used="mode", sbr_cut=1.5) for _ in range(2))
    assert once == again
