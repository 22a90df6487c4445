"""The report's pictures show what they claim."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from pyicg.errors import InputError
from pyicg.report import build, figures, geometry, marks
from pyicg.results import (
    Distance,
    Measurement,
)
from pyicg.timeline import sbr_curve

from .reports import (
    MM,
    NAN,
    FlatPlane,
    Reader,
    Score,
    has_colour,
    make_bed,
    make_frame,
    make_lesion,
    make_section,
    make_undefined,
    pixels,
)

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
