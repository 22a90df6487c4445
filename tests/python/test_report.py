"""The report: what it says, what it must never say, and that its pictures show what they claim."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from pyicg.errors import InputError
from pyicg.margin import PublishedAnchorModel, from_distance
from pyicg.report import build, figures, geometry, html, marks, words
from pyicg.results import (
    Background,
    Contrast,
    Distance,
    FrameScore,
    HotSpot,
    Lesion,
    MarginStatus,
    Measurement,
    Quality,
    RejectedRegion,
    SpecimenLesion,
)
from pyicg.sensitivity import SensitivityTable
from pyicg.timeline import sbr_curve

NAN = math.nan
SIZE = 160
MM = 0.1
SBR = Measurement(3.1, 0.1, (2.9, 3.3))


@dataclass(frozen=True)
class FlatPlane:
    point_mm: tuple[float, float, float]
    normal: tuple[float, float, float]
    oriented: bool = True


@dataclass(frozen=True)
class Score:
    frames: tuple[FrameScore, ...]
    key_image: npt.NDArray[np.float32]
    key_mask: npt.NDArray[np.uint8]
    view: str = "section"
    lesions: tuple[SpecimenLesion, ...] = ()
    distance: Distance | None = None
    margin: MarginStatus | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    spacing_mm: tuple[float | None, float | None, float | None] = (None, None, None)
    plane: FlatPlane | None = None
    key_index: int = 0
    sensitivity: SensitivityTable | None = None


def circle(radius: float, centre: tuple[float, float] = (70.0, 80.0)) -> npt.NDArray[np.float64]:
    angle = np.arange(180) * math.tau / 180
    return np.stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)], axis=1)


def make_lesion(radius: float = 40.0, **changes: Any) -> Lesion:
    lesion = Lesion(
        label=1,
        inner_contour=circle(radius),
        outer_contour=circle(radius + 12),
        inner_sigma=np.full(180, 0.3),
        outer_sigma=np.full(180, 0.4),
        correlation_px=4.0,
        edge_sigma_px=1.8,
        thickness=Measurement(12.0, 0.4, (11.2, 12.8)),
        thickness_mm=Measurement(1.2, 0.04, (1.12, 1.28)),
        thickness_profile=np.full(180, 12.0),
        thickness_min_px=12.0,
        thickness_max_px=12.0,
        completeness=0.93,
        gaps_deg=np.array([[40.0, 65.0]]),
        area_px=math.pi * radius**2,
        area_mm2=Measurement(math.pi * radius**2 * MM**2, 0.5, (49.3, 51.3)),
        equivalent_diameter_px=2 * radius,
        equivalent_diameter_mm=Measurement(2 * radius * MM, 0.04, (7.92, 8.08)),
        centroid=(70.0, 80.0),
        sbr=Measurement(3.1, 0.1, (2.9, 3.3)),
        sbr_core=Measurement(7.5, 0.3, (6.9, 8.1)),
        core_depth=0.87,
        core_bright_share=0.0,
        pattern="rim",
        confidence=0.9,
    )
    return replace(lesion, **changes)


def make_frame(index: int = 0, sbr: Measurement = SBR, **changes: Any) -> FrameScore:
    frame = FrameScore(
        index=index,
        unit="DN/ms",
        background=Background(10.0, 1.0, 0.01, 9000, "mode"),
        contrast=Contrast(*[sbr] * 8),
        fluorescent=True,
        sbr_cut=1.5,
        sign_at={1.5: True, 1.75: True, 2.0: False},
        residual_area_px=900.0,
        residual_area_mm2=Measurement(9.0, 0.1, (8.8, 9.2)),
        hot_spots=(
            HotSpot(1, 3.9, (24.0, 80.0), 600.0, Measurement(6.0, 0.1, (5.8, 6.2))),
            HotSpot(2, 2.2, (130.0, 30.0), 300.0, Measurement.undefined("no_pixel_size")),
        ),
        lesions=(make_lesion(),),
        rejected=(RejectedRegion("no_enclosed_core", (130.0, 30.0), 300.0, (120, 20, 140, 40)),),
        quality=Quality(0.002, 0.0, 3, 1, 0.4, True, 0.95, 0.0),
        reasons=(),
        profile_digest="sha256:aa",
        frame_digest="sha256:bb",
    )
    return replace(frame, **changes)


def picture() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return a simulated rim with a saturated patch and two bad pixels."""
    y, x = np.mgrid[:SIZE, :SIZE]
    rim = np.exp(-(((np.hypot(y - 70, x - 80) - 46) / 5) ** 2))
    spot = np.exp(-(((y - 130) ** 2 + (x - 30) ** 2) / 60))
    noise = np.random.default_rng(1).normal(0, 0.6, (SIZE, SIZE))
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[20:24, 78:84] = 1
    mask[100, 100:102] = 4
    return (10 + 22 * rim + 12 * spot + noise).astype(np.float32), mask


def make_section(**changes: Any) -> Score:
    frames = tuple(
        make_frame(
            i,
            Measurement(2 + i / 4, 0.1, (1.8 + i / 4, 2.2 + i / 4)),
            lesions=(make_lesion(20.0 + 10 * min(i, 4 - i)),),
        )
        for i in range(5)
    )
    distance = Distance(1.42, 0.11, (1.21, 1.64), 1.6, (4.0, 11.0, 8.0))
    margin = MarginStatus(
        0.0004, (0.0001, 0.002), "R0", None, (), {"method": "distance", "threshold_mm": 1.0, "tie": "R0"}
    )
    members = tuple((frame.index, frame.lesions[0]) for frame in frames)
    image, mask = picture()
    score = Score(
        frames,
        image,
        mask,
        lesions=(SpecimenLesion(1, members, distance, margin),),
        distance=distance,
        margin=margin,
        summary={
            "source": "specimen.tif",
            "version": "0.1.0",
            "input_digest": "sha256:cc",
            "profile_digest": "sha256:aa",
            "parameters": {"sbr_cut": 1.5, "smooth_px": None},
            "reasons": ["slice_too_thick"],
            "truth": [{"quantity": "smallest distance", "unit": "mm", "measured": 1.42, "true": 1.4}],
        },
        spacing_mm=(2.0, MM, MM),
        plane=FlatPlane((0.0, 12.42, 0.0), (0.0, 1.0, 0.0)),
        key_index=2,
    )
    return replace(score, **changes)


def make_bed(**changes: Any) -> Score:
    image, mask = picture()
    margin = MarginStatus(0.54, (0.40, 0.68), "R1", True, (), {"model": "published anchor", "risk_threshold": 0.2})
    score = Score((make_frame(lesions=()),), image, mask, view="bed", margin=margin, spacing_mm=(None, MM, MM))
    return replace(score, **changes)


def make_undefined() -> Score:
    """Return a score in which nothing could be measured."""
    none = Measurement.undefined("background_not_resolved")
    frame = make_frame(
        sbr=none,
        unit="DN",
        background=Background(NAN, NAN, NAN, 0, "mode", "background_not_resolved"),
        fluorescent=None,
        sign_at={1.5: None, 1.75: None, 2.0: None},
        residual_area_px=NAN,
        residual_area_mm2=Measurement.undefined("no_pixel_size"),
        hot_spots=(),
        lesions=(),
        rejected=(),
        quality=Quality(0.0, 0.0, 0, 0, NAN, False, NAN, NAN),
        reasons=("background_not_resolved", "uncalibrated", "a_new_code"),
    )
    distance = Distance(NAN, NAN, (NAN, NAN), NAN, (NAN, NAN, NAN), ("no_pixel_size",))
    margin = MarginStatus(NAN, (NAN, NAN), "indeterminate", None, ("no_prevalence",), {"prevalence": None, "x": NAN})
    return Score(
        (frame,),
        np.full((SIZE, SIZE), np.nan, np.float32),
        np.full((SIZE, SIZE), 64, np.uint8),
        distance=distance,
        margin=margin,
    )


class Reader(HTMLParser):
    """Collects tags, their references and the visible text; complains about tags that do not nest."""

    VOID = frozenset({"meta", "img", "br", "link", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.stack == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] != ["style"]:
            self.words.append(data)


def pixels(png: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


def has_colour(png: bytes, colour: str) -> int:
    """Return how many pixels of a picture have nearly this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(pixels(png) - wanted).max(axis=2) <= 6).sum())


# Words and numbers


@pytest.mark.parametrize("code", list(words.SENTENCES))
def test_every_sentence_is_one(code: str) -> None:
    assert re.fullmatch(r"[A-Z][^_]*\.", words.sentence(code))


def test_every_code_of_the_core_has_a_sentence() -> None:
    header = Path(__file__).parents[2] / "src" / "cpp" / "include" / "pyicg" / "measurement.hpp"
    codes = re.findall(r"^  (\w+) = \d+,", header.read_text("utf-8"), re.MULTILINE)
    assert {"no_pixel_size", "plane_not_flat"} <= set(codes)
    assert set(codes) - set(words.SENTENCES) == {"none"}


@given(st.floats(min_value=0.0, max_value=1.0))
def test_percent_never_claims_certainty(share: float) -> None:
    text = words.percent(share)
    shown = float(text.strip("<> %"))
    assert 0 < shown < 100
    assert text[0] in "<>" or abs(shown - 100 * share) <= 0.5


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_number_keeps_three_figures(value: float) -> None:
    assert float(words.number(value)) == pytest.approx(value, rel=5.1e-3, abs=1e-300)


def test_number_never_reads_nan() -> None:
    assert [words.number(value) for value in (NAN, math.inf, -math.inf)] == ["undefined", "∞", "-∞"]


def test_lower_bound_says_at_least() -> None:
    bound = Measurement(2.81, 0.1, (2.81, math.inf), "saturated_lower_bound")
    assert words.measurement(bound) == "at least 2.81 (95 % CI 2.81 to ∞)"


@given(st.floats(min_value=1e-4, max_value=1e5))
def test_scale_bar_length_is_1_2_5(longest: float) -> None:
    length = marks.round_length(longest)
    assert longest / 2.5 <= length * (1 + 1e-9)
    assert length <= longest * (1 + 1e-9)
    assert f"{length:.0e}"[0] in "125"


def test_characters_without_glyph_become_boxes() -> None:
    assert marks.drawable("a\n肝\x00\udcff µ²") == "a□□□□ µ²"


# Geometry


@given(
    st.floats(-3.0, 12.0),
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)).filter(lambda n: math.hypot(n[1], n[2]) > 0.05),
)
def test_plane_line_lies_on_plane_and_in_frame(offset: float, normal: tuple[float, float, float]) -> None:
    line = geometry.line_of_plane((1.0, offset, 2.0), normal, z_mm=0.5, spacing_yx_mm=(0.2, 0.1), shape=(40, 60))
    for y, x in line or ():
        on = normal[0] * (0.5 - 1.0) + normal[1] * (0.2 * y - offset) + normal[2] * (0.1 * x - 2.0)
        assert abs(on) < 1e-9
        assert -0.5 <= y <= 39.5
        assert -0.5 <= x <= 59.5


def test_plane_outside_or_parallel_gives_no_line() -> None:
    where: dict[str, Any] = {"z_mm": 0.0, "spacing_yx_mm": (1.0, 1.0), "shape": (10, 10)}
    assert geometry.line_of_plane((0, 20, 0), (0, 1, 0), **where) is None
    assert geometry.line_of_plane((0, 0, 0), (1, 0, 0), **where) is None


def test_distance_per_slice_matches_circle() -> None:
    frames = (make_frame(0), make_frame(1, lesions=()), make_frame(2, lesions=(make_lesion(30.0),)))
    wanted = [12.42 - 11.0, NAN, 12.42 - 10.0]
    for plane in (FlatPlane((0, 12.42, 0), (0, 2, 0)), FlatPlane((0, 12.42, 0), (0, -1, 0), oriented=False)):
        got = geometry.distance_per_slice(frames, plane, spacing_mm=(2.0, MM, MM))
        assert got == pytest.approx(wanted, nan_ok=True)
    beyond = geometry.distance_per_slice(frames, FlatPlane((0, 10.5, 0), (0, 1, 0)), spacing_mm=(2.0, MM, MM))
    assert beyond == pytest.approx([-0.5, NAN, 0.5], nan_ok=True)


def test_closest_point_only_in_its_slice() -> None:
    distance = Distance(1.0, 0.1, (0.8, 1.2), 1.1, (4.2, 11.0, 8.0))
    assert geometry.closest_in_slice(distance, index=2, spacing_mm=(2.0, 0.1, 0.2)) == pytest.approx((110.0, 40.0))
    assert geometry.closest_in_slice(distance, index=1, spacing_mm=(2.0, 0.1, 0.2)) is None


# Pictures


def draw(of: Score, **changes: Any) -> bytes:
    options: dict[str, Any] = {
        "mask": of.key_mask,
        "score": of.frames[of.key_index],
        "pixel_size_mm": MM,
        "title": "Slice 2",
        "unit": "DN/ms",
    }
    return figures.overlay(of.key_image, **options | changes)


def test_overlay_shows_each_mark_in_its_own_colour() -> None:
    score = make_section()
    plain = replace(score.frames[2], lesions=(), hot_spots=())
    full = draw(
        score,
        foot_yx=(110.0, 80.0),
        plane_line=((124.2, -0.5), (124.2, 159.5)),
        distance=Distance(1.42, 0.1, (1.22, 1.62), 1.5, (0.0, 0.0, 0.0)),
    )
    bare = draw(score, score=plain, mask=np.zeros_like(score.key_mask))
    for colour in (marks.OUTER, marks.PLANE, marks.CLOSEST, marks.SATURATED_COLOUR):
        assert has_colour(bare, colour) == 0
        assert has_colour(full, colour) > 100
    assert 900 <= pixels(full).shape[1] <= 1400


def test_an_unsure_rim_is_thin_dotted_and_named_so() -> None:
    axes = Figure().add_subplot()
    marks.draw_lesions(axes, [make_lesion(), make_lesion(confidence=0.1, reasons=("low_confidence",))])
    sure, unsure = axes.lines[:2], axes.lines[2:]
    assert [line.get_linestyle() for line in sure] == ["--", "-"]
    assert [line.get_linestyle() for line in unsure] == [":", ":"]
    assert [line.get_label() for line in unsure] == [f"{line.get_label()}: confidence under 0.5" for line in sure]
    assert max(line.get_linewidth() for line in unsure) < min(line.get_linewidth() for line in sure)


def test_overlay_is_the_same_bytes_twice() -> None:
    assert draw(make_section()) == draw(make_section())


def test_overlay_crops_to_window() -> None:
    score = make_section()
    whole, part = draw(score), draw(score, window=((100.0, 60.0), (130.0, 90.0)))
    assert has_colour(whole, marks.SATURATED_COLOUR) > 2 * has_colour(part, marks.SATURATED_COLOUR) > 0  # legend only


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3)])
@pytest.mark.parametrize("fill", [NAN, math.inf, 7.0])
def test_overlay_of_odd_images(shape: tuple[int, int], fill: float) -> None:
    image = np.full(shape, fill, np.float32)
    frame = make_frame(lesions=(), hot_spots=())
    png = figures.overlay(image, mask=np.zeros(shape, np.uint8), score=frame, pixel_size_mm=None, title="$x_{ 肝")
    assert 900 <= pixels(png).shape[1] <= 1400


def test_overlay_refuses_a_mask_of_another_shape() -> None:
    with pytest.raises(InputError, match=r"\(160, 160\).*\(2, 2\)"):
        draw(make_section(), mask=np.zeros((2, 2), np.uint8))


@pytest.fixture
def axes() -> Any:
    from matplotlib.figure import Figure

    drawn = Figure().add_subplot()
    drawn.set(xlim=(-0.5, 159.5), ylim=(159.5, -0.5))
    return drawn


@pytest.mark.parametrize(("pixel_size", "text"), [(MM, "2 mm"), (0.013, "0.5 mm"), (None, "20 px, no pixel size")])
def test_scale_bar_names_its_unit(axes: Any, pixel_size: float | None, text: str) -> None:
    marks.draw_scale_bar(axes, 160.0, pixel_size)
    assert axes.artists[0].txt_label.get_text() == text


def distance_of(value: float, sigma: float) -> Distance:
    return Distance(value, sigma, (value - 2 * sigma, value + 2 * sigma), value, (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("size", "distance", "text"),
    [
        ((MM, MM), distance_of(1.42, 0.1), "1.42 mm [1.22, 1.62]"),
        ((MM, MM), distance_of(1.42, NAN), "1.42 mm"),
        (None, None, "14.2 px"),
        ((MM, MM), distance_of(NAN, NAN), None),
    ],
)
def test_distance_label(axes: Any, size: Any, distance: Distance | None, text: str | None) -> None:
    marks.draw_plane(axes, (110.0, 80.0), ((124.2, 0.0), (124.2, 159.0)), distance, size)
    assert [item.get_text() for item in axes.texts] == ([] if text is None else [text])


def test_perpendicular_is_dropped_in_millimetres(axes: Any) -> None:
    marks.draw_plane(axes, (10.0, 10.0), ((0.0, 20.0), (20.0, 0.0)), None, (1.0, 1.0))
    marks.draw_plane(axes, (5.0, 10.0), ((0.0, 20.0), (20.0, 0.0)), distance_of(1.0, 0.1), (2.0, 1.0))
    (x0, x1), (y0, y1) = axes.lines[-1].get_data()
    along, across = np.array([20 * 2.0, -20.0]), np.array([(y1 - y0) * 2.0, x1 - x0])
    assert (x0, y0) == (10.0, 5.0)
    assert along @ across == pytest.approx(0.0, abs=1e-9)


def test_chart_of_one_frame_is_a_dot_with_a_bar(axes: Any) -> None:
    marks.draw_sbr(axes, np.array([0.0]), [make_frame()], 1.5)
    (bar,) = axes.collections
    assert bar.get_segments()[0].tolist() == [[0.0, 2.9], [0.0, 3.3]]
    assert axes.lines[0].get_xydata().tolist() == [[0.0, 3.1]]
    assert axes.lines[0].get_marker() == "o"


def test_chart_marks_gaps_and_open_intervals(axes: Any) -> None:
    items = [Measurement(2.0, 0.1, (1.8, 2.2))] * 40
    items[10] = items[12] = Measurement.undefined("background_not_resolved")
    items[20] = Measurement(3.0, NAN, (3.0, math.inf), "saturated_lower_bound")
    marks.draw_sbr(axes, np.arange(40.0), [make_frame(i, item) for i, item in enumerate(items)], 1.5)
    line, crosses, cut = axes.lines
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [10, 12]
    assert crosses.get_xdata().tolist() == [10.0, 12.0]
    assert set(cut.get_ydata()) == {1.5}
    (alone,) = axes.collections[1].get_segments()  # frame 11 stands between two gaps
    assert alone.tolist() == [[11.0, 1.8], [11.0, 2.2]]
    assert axes.get_ylim() == pytest.approx((0.0, 1.12 * 3.0))


def test_chart_with_a_smoothed_curve(axes: Any) -> None:
    frames = [make_frame(i, Measurement(2.0 + i / 10, 0.1, (1.8 + i / 10, 2.2 + i / 10))) for i in range(9)]
    frames[4] = replace(frames[4], quality=replace(frames[4].quality, saturated_fraction=0.2))
    curve = sbr_curve(frames)
    marks.draw_sbr(axes, np.arange(9.0), frames, 1.5, curve)
    drawn = {line.get_label(): line for line in axes.lines}
    assert drawn["SBR"].get_linestyle() == "None"
    np.testing.assert_allclose(drawn["smoothed SBR"].get_ydata(), 2 + np.arange(9) / 10, rtol=1e-9)
    assert drawn["left out by rule"].get_xdata().tolist() == [4.0]
    assert "95 % band of the curve" in [item.get_label() for item in axes.collections]
    with pytest.raises(InputError, match="9 values for 8 frames"):
        figures.chart(frames[:8], axis_label="Frame", sbr_cut=1.5, curve=curve)
    assert "rests on 8 of 9 frames" in Reader(build(make_bed(frames=tuple(frames)))[1]).text


def test_chart_of_nothing_defined() -> None:
    frames = make_undefined().frames * 3
    assert pixels(figures.chart(frames, axis_label="Frame", sbr_cut=1.5)).shape[1] == 1200


def test_chart_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="no frames"):
        figures.chart((), axis_label="Frame", sbr_cut=1.5)
    with pytest.raises(InputError, match="2 values for 1 frames"):
        figures.chart((make_frame(),), axis_label="Slice", sbr_cut=1.5, distance_per_slice=[1.0, 2.0])


# The page


def text_of(score: Score) -> str:
    """Return the visible text of a report without pictures."""
    return Reader(html.render(score, pictures=())).text


def test_section_report_answers_first() -> None:
    png, page = build(make_section())
    seen = Reader(page)
    assert png.startswith(b"\x89PNG")
    order = [
        words.RESEARCH_ONLY,
        "specimen.tif",
        "5 slices, signal in DN/ms, slice spacing 2.00 mm, pixel height 0.100 mm",
        "SIMULATED data",
        "R0 probability of R1 < 0.1 % (95 % interval < 0.1 % to 0.2 %)",
        "R1 when its whole interval lies below 1 mm",
        "1.42 mm 95 % CI 1.21 to 1.64 mm",
        "Lesions with a rim 1 Rim complete to 93.0 % of its angles in the key slice In 5 of 5 slices.",
        "2.50 95 % CI 2.30 to 2.70",
        "Slice 2, the key slice.",
        "Closest point, enlarged.",
        "0 to 4 (5 slices)",
        "Hot spots in slice 2",
        "between slices the tumour may come closer. whole stack slice_too_thick",
        "smallest distance 1.42 mm 1.4 mm 0.0200 mm",
        "sha256:cc",
        "parameters: smooth px not stated",
        "margin: threshold mm 1",
        words.RESEARCH_ONLY,
    ]
    position = 0
    for part in order:
        position = seen.text.index(part, position) + 1
    assert seen.tags.count("img") == 3
    assert "UNCALIBRATED" not in seen.text


def test_section_report_tells_unsure_rims() -> None:
    score = make_section()
    doubtful = [
        replace(item, members=tuple((k, replace(seen, reasons=("low_confidence",))) for k, seen in item.members))
        for item in score.lesions
    ]
    text = text_of(replace(score, lesions=(*score.lesions, *doubtful)))
    assert "Lesions with a rim 2, 1 of low confidence Rim complete" in text
    assert "Lesions with a rim 1, all of low confidence Rim complete" in text_of(replace(score, lesions=doubtful))
    assert "Unsure whether this is a rim (confidence under 0.5): check it on the picture." in text


def test_bed_report_gives_probability_and_sign() -> None:
    text = text_of(make_bed())
    assert "R1 probability of R1 54 % (95 % interval 40 % to 68 %)" in text
    assert "From the fluorescent sign (present). R1 when the whole interval lies above a risk of 20 %" in text
    assert "present at an SBR cut of 1.5 Frame 0 at a cut of 1.5: present, 1.75: present, 2: absent" in text
    assert "Present in 1 of 1 frames. A proximity sign" in text
    assert "not measured A bed view has no plane to measure to." in text
    assert "No lesion was found." in text


def test_undefined_reads_undefined_with_the_reason() -> None:
    text = text_of(make_undefined())
    assert "indeterminate probability of R1 undefined No prevalence of R1 was given" in text
    assert "undefined The pixel size is unknown, so nothing can be given in millimetres." in text
    assert "undefined The background level could not be separated" in text
    assert "UNCALIBRATED : no camera calibration" in text
    assert "a_new_code 1 of 1 slices a_new_code" in text
    assert "Lesions with a rim none found In 0 of 1 slices." in text
    assert "Hot spots" not in text


@pytest.mark.parametrize(
    ("sign", "said"), [(False, "No region lies over the SBR cut."), (None, "No region could be ranked.")]
)
def test_no_hot_spot_is_not_taken_for_an_absent_sign(sign: bool | None, said: str) -> None:
    text = text_of(make_bed(frames=(make_frame(fluorescent=sign, hot_spots=(), lesions=()),)))
    assert f"Hot spots in frame 0 {said}" in text
    assert ("undecided in 1" in text) is (sign is None)


@pytest.mark.parametrize("score", [make_section(), make_bed(), make_undefined()], ids=["section", "bed", "undefined"])
def test_what_no_report_may_hold(score: Score) -> None:
    page = build(score)[1]
    seen = Reader(page)
    assert not re.search(r"\b(nan|NaN|None|[Cc]lear|inf)\b", seen.text)
    assert not re.search(r"https?:|//cdn|@import|url\(", page)
    assert not {"script", "link", "iframe", "object"} & set(seen.tags)
    assert all(item.startswith("data:image/png;base64,") for item in seen.references)
    assert seen.text.count(words.RESEARCH_ONLY) == 2
    assert "SIMULATED" in seen.text or not score.summary


@pytest.mark.parametrize("source", ["<script>alert(1)<x>.tif", '"><img src=x onerror=a>.tif', "$x_{肝\udcff.tif", None])
def test_hostile_file_names_stay_text(source: str | None) -> None:
    page = build(make_bed(summary={"source": source, "parameters": {"<b>": "<script>"}}))[1]
    seen = Reader(page)
    assert "script" not in seen.tags
    assert seen.tags.count("img") == 2
    assert (source or "array in memory").replace("\udcff", "?") in seen.text
    assert "parameters: <b> <script>" in seen.text


def test_sign_shown_is_the_one_behind_the_status() -> None:
    frames = (make_frame(0), *(make_frame(i, fluorescent=False) for i in (1, 2)))
    margin = PublishedAnchorModel(prevalence=0.126).predict(fluorescent=False)
    text = text_of(make_bed(frames=frames, margin=margin))
    assert "Fluorescent sign absent at an SBR cut of 1.5 Frame 0 at a cut of 1.5: present" in text
    assert "Present in 1 of 3 frames" in text


def test_published_anchor_model_is_told_in_words() -> None:
    margin = PublishedAnchorModel(prevalence="mimic-accuracy").predict(fluorescent=True)
    text = text_of(make_bed(margin=margin))
    assert "R1 probability of R1 54 % (95 % interval 40 % to 68 %) 0 % threshold 20 % 100 %" in text
    assert "From the fluorescent sign (present)" in text
    assert "margin: table.reconstructed yes" in text


def test_sign_without_prevalence_is_told_in_words() -> None:
    text = text_of(make_bed(margin=PublishedAnchorModel(prevalence=None).predict(fluorescent=True)))
    assert "indeterminate probability of R1 undefined No prevalence of R1 was given" in text


def test_margin_from_distance_is_told_in_words() -> None:
    score = make_section()
    assert score.distance is not None
    text = text_of(replace(score, margin=from_distance(score.distance, tie="R1")))
    assert "From the measured distance. R1 when its whole interval lies at or below 1 mm" in text
    assert "R1 below 1 mm" in text


def test_trained_model_is_told_in_words() -> None:
    margin = MarginStatus(0.3, (0.25, 0.4), "R1", provenance={"model": "trained", "risk_threshold": 0.2})
    assert "From a model trained by the user." in text_of(make_bed(margin=margin))


def test_distance_without_interval_says_so() -> None:
    distance = Distance(1.42, NAN, (NAN, NAN), 1.6, (4.0, 11.0, 8.0))
    assert "1.42 mm interval unknown" in text_of(make_section(distance=distance))


def test_label_without_probability_is_not_shown() -> None:
    margin = MarginStatus(NAN, (NAN, NAN), "R0", False, (), {})
    text = text_of(make_bed(margin=margin))
    assert "Resection margin indeterminate probability of R1 undefined" in text
    assert "The label R0 came without a probability and its interval, so it is not shown." in text


def test_remaining_risk_of_r0_is_said() -> None:
    margin = MarginStatus(0.083, (0.049, 0.117), "R0", False, (), {"risk_threshold": 0.2})
    text = text_of(make_bed(margin=margin))
    assert "R0 probability of R1 8.3 % (95 % interval 4.9 % to 12 %)" in text
    assert "not a finding that no tumour is left" in text


def test_negative_distance_is_explained() -> None:
    distance = Distance(-0.31, 0.2, (-0.7, 0.1), 0.1, (4.0, 11.0, 8.0), ("extrapolated",))
    text = text_of(make_section(distance=distance, margin=None))
    assert "-0.310 mm 95 % CI -0.700 to 0.100 mm" in text
    assert "the tumour's edge reaches beyond the resection plane" in text
    assert "not determined No margin model was run." in text


def test_leaning_plane_is_explained() -> None:
    score = make_section(plane=FlatPlane((4.0, 12.42, 0.0), (0.5, 1.0, 0.0)))
    caption = html.overlay_caption(score, ((124.2, 0.0), (124.2, 159.0)), (110.0, 80.0))
    assert "leans out of the picture by 27 degrees" in caption
    assert "does not cross this picture" in html.overlay_caption(score, None, None)


@pytest.mark.parametrize(
    ("sure", "said"),
    [(0, "All outlines are dotted: confidence under 0.5"), (1, "Dotted outlines are unsure: confidence")],
)
def test_caption_tells_dotted_outlines(sure: int, said: str) -> None:
    frame = make_frame(lesions=(*[make_lesion()] * sure, make_lesion(reasons=("low_confidence",))))
    assert said in html.overlay_caption(make_section(frames=(frame,), key_index=0), None, None)


def test_long_lists_are_cut_and_said_to_be() -> None:
    spots = tuple(HotSpot(i + 1, 3.0, (9.0, 9.0), 4.0, Measurement(0.04)) for i in range(30))
    lesions = tuple(SpecimenLesion(i, ((0, make_lesion()),), None, None) for i in range(250))
    text = text_of(make_bed(frames=(make_frame(hot_spots=spots),), lesions=lesions))
    assert "The first 12 of 30 are shown." in text
    assert "The first 200 of 250 are shown; lesions.csv holds all." in text


def test_lesion_without_pixel_size_is_given_in_pixels() -> None:
    none = Measurement.undefined("no_pixel_size")
    lesion = make_lesion(thickness_mm=none, area_mm2=none, reasons=("clipped_by_border",))
    score = make_bed(lesions=(SpecimenLesion(7, ((0, lesion),), None, None),), spacing_mm=(None, None, None))
    text = text_of(score)
    assert "7 0 5027 px, frame 0 12.0 px (95 % CI 11.2 to 12.8) 93.0 % (rim)" in text
    assert "The region is cut off by the border of the image." in text
    assert "pixel height unknown" in text


def test_key_frame_must_exist() -> None:
    with pytest.raises(InputError, match="key_index is 1 with 1 frames"):
        build(make_bed(key_index=1))


def test_no_global_plot_state() -> None:
    code = (
        "import sys, pyicg.report\n"
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "import pyicg.report.figures, pyicg.report.html\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
