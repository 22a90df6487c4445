from __future__ import annotations

import math
import struct
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiwrite

import pyicg
from pyicg import InputError, regions
from pyicg.regions import circle, polygon, read_rois

Mask = npt.NDArray[np.bool_]
SHAPE = (24, 30)
RECT = {"left": 4, "top": 3, "right": 10, "bottom": 8}  # 6 wide, 5 high


def oracle(shape: tuple[int, int], *paths: list[tuple[float, float]]) -> Mask:
    """Even-odd rule in exact fractions: an edge counts on rows in (top, bottom], to the right of its crossing."""
    mask = np.zeros(shape, dtype=bool)
    for path in paths:
        points = [(Fraction(float(y)), Fraction(float(x))) for y, x in path]
        for a, b in zip(points, points[1:] + points[:1], strict=True):
            (top, left), (bottom, right) = sorted([a, b], key=lambda p: p[0])
            for row in range(shape[0]):
                if top < row <= bottom:
                    crossing = left + (row - top) * (right - left) / (bottom - top)
                    mask[row] ^= np.array([column > crossing for column in range(shape[1])])
    return mask


# ---- polygons


sixteenths = st.integers(min_value=-8, max_value=16 * 22 + 8).map(lambda k: k / 16)
points = st.lists(st.tuples(sixteenths, sixteenths), min_size=3, max_size=9)


@settings(max_examples=80, deadline=None)
@given(points)
def test_polygon_is_the_exact_even_odd_rule(path: list[tuple[float, float]]) -> None:
    expected = oracle(SHAPE, path)
    if not expected.any():
        with pytest.raises(InputError, match=r"empty|outside"):
            polygon(SHAPE, vertices_px=path, clip=True)
        return
    found = polygon(SHAPE, vertices_px=path, clip=True)
    assert found.dtype == np.bool_
    assert found.shape == SHAPE
    assert np.array_equal(found, expected)
    assert np.array_equal(polygon(SHAPE, vertices_px=path[::-1], clip=True), expected)
    assert np.array_equal(polygon(SHAPE, vertices_px=[*path, path[0]], clip=True), expected)


def test_polygon_agrees_with_matplotlib_where_no_centre_is_on_an_edge() -> None:
    from matplotlib.path import Path as Outline

    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centres = np.stack([y.ravel(), x.ravel()], axis=1)
    for _ in range(30):
        angles = np.sort(rng.uniform(0, 2 * math.pi, 12))
        radii = rng.uniform(3, 10, 12)
        path = np.stack([11.3 + radii * np.sin(angles), 14.7 + radii * np.cos(angles)], axis=1)
        expected = Outline(path).contains_points(centres).reshape(SHAPE)
        assert np.array_equal(polygon(SHAPE, vertices_px=path, clip=True), expected)


def test_neighbours_that_share_edges_share_no_pixel_and_leave_none_out() -> None:
    rng = np.random.default_rng(5)
    corners = np.array([(-0.5, -0.5), (-0.5, 29.5), (23.5, 29.5), (23.5, -0.5)])
    for middle in [(11.0, 14.0), (12.0, 15.0), *rng.uniform(2, 21, (20, 2))]:
        fan = [polygon(SHAPE, vertices_px=[corners[k], corners[(k + 1) % 4], middle]) for k in range(4)]
        assert np.array_equal(np.sum(fan, axis=0), np.ones(SHAPE, dtype=int))


def test_edge_rule_left_and_top_outside_right_and_bottom_inside() -> None:
    mask = polygon((6, 8), vertices_px=[(1, 2), (1, 5), (4, 5), (4, 2)])
    expected = np.zeros((6, 8), dtype=bool)
    expected[2:5, 3:6] = True
    assert np.array_equal(mask, expected)


def test_an_outline_that_crosses_itself_has_a_hole_where_it_is_wound_twice() -> None:
    star = [(12 - 10 * math.cos(0.8 * math.pi * k), 14 + 10 * math.sin(0.8 * math.pi * k)) for k in range(5)]
    mask = polygon(SHAPE, vertices_px=star)
    assert not mask[12, 14]
    assert mask[5, 14]


def test_polygon_beyond_the_frame_says_how_much() -> None:
    half_out = [(-0.5, -10.5), (-0.5, 9.5), (9.5, 9.5), (9.5, -10.5)]
    with pytest.raises(InputError, match=r"partly outside the frame of 24 x 30 .*: 100 of its 200 pixels \(50 %\)"):
        polygon(SHAPE, vertices_px=half_out)
    assert polygon(SHAPE, vertices_px=half_out, clip=True).sum() == 100
    with pytest.raises(InputError, match="lies outside the frame"):
        polygon(SHAPE, vertices_px=np.add(half_out, (0, 100)), clip=True)
    around = polygon(SHAPE, vertices_px=[(-60000, -60000), (-60000, 60000), (60000, 60000), (60000, -60000)], clip=True)
    assert around.all()


@pytest.mark.parametrize(
    ("vertices", "told"),
    [
        ([(1, 1), (2, 2)], r"shape \(2, 2\)"),
        ([1, 2, 3], r"shape \(3,\)"),
        ([(1, 1, 1)] * 3, r"shape \(3, 3\)"),
        ([(1, 1), (2,), (3, 3)], "not numbers"),
        ([("a", "b")] * 3, "not numbers"),
        ([(1, 1), (math.nan, 2), (3, 3)], "finite"),
        ([(1, 1), (math.inf, 2), (3, 3)], "finite"),
        ([(1, 1), (1e300, 2), (3, 3)], "within 65536 px"),
        ([(1, 1), (5, 5), (9, 9)], "empty"),
        ([(1.1, 1.1), (1.1, 1.4), (1.4, 1.2)], "empty"),
    ],
)
def test_polygons_that_cannot_be_used(vertices: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        polygon(SHAPE, vertices_px=vertices)  # type: ignore[arg-type]


# ---- circles


@settings(max_examples=80, deadline=None)
@given(sixteenths, sixteenths, st.integers(1, 16 * 14).map(lambda k: k / 16))
def test_circle_is_exact(cy: float, cx: float, radius: float) -> None:
    y, x = np.mgrid[-20:60, -20:60]
    sixteen = [int(16 * value) for value in (cy, cx, radius)]  # whole numbers from here on
    everywhere = (16 * y - sixteen[0]) ** 2 + (16 * x - sixteen[1]) ** 2 <= sixteen[2] ** 2
    window = everywhere[20 : 20 + SHAPE[0], 20 : 20 + SHAPE[1]]
    if not window.any():
        with pytest.raises(InputError, match=r"empty|outside"):
            circle(SHAPE, centre_px=(cy, cx), radius_px=radius, clip=True)
        return
    assert np.array_equal(circle(SHAPE, centre_px=(cy, cx), radius_px=radius, clip=True), window)
    outside = everywhere.sum() - window.sum()
    if outside:
        with pytest.raises(InputError, match=rf"{outside} of its {everywhere.sum()} pixels"):
            circle(SHAPE, centre_px=(cy, cx), radius_px=radius)


def test_circle_holds_the_pixel_centres_on_its_edge() -> None:
    pythagoras = circle((11, 11), centre_px=(5, 5), radius_px=5)
    assert pythagoras[5, 0]
    assert pythagoras[1, 2]
    assert pythagoras.sum() == 81  # lattice points in a circle of radius 5
    y, x = np.indices(SHAPE)
    expected = (y - 11.3) ** 2 + (x - 14.6) ** 2 <= 8.21**2
    assert np.array_equal(circle(SHAPE, centre_px=(11.3, 14.6), radius_px=8.21), expected)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"centre_px": (5, 5), "radius_px": 0}, "radius_px is 0"),
        ({"centre_px": (5, 5), "radius_px": -2}, "radius_px is -2"),
        ({"centre_px": (5, 5), "radius_px": math.nan}, "radius_px is nan"),
        ({"centre_px": (5, math.nan), "radius_px": 2}, "finite"),
        ({"centre_px": (5, 5), "radius_px": "3"}, "radius_px is '3'; expected a positive number of pixels"),
        ({"centre_px": (5, 5), "radius_px": True}, "radius_px is True"),
        ({"centre_px": (5, 5), "radius_px": None}, "radius_px is None"),
        ({"centre_px": (5, 5), "radius_px": np.array([1, 2])}, "radius_px is array"),
        ({"centre_px": (5, 5, 5), "radius_px": 2}, "expected \\(y, x\\)"),
        ({"centre_px": 3, "radius_px": 2}, "centre_px is 3; expected \\(y, x\\): two numbers"),
        ({"centre_px": None, "radius_px": 2}, "centre_px is None"),
        ({"centre_px": {5, 6}, "radius_px": 2}, "centre_px is {5, 6}"),
        ({"centre_px": ("a", 1), "radius_px": 2}, "centre_px is \\('a', 1\\); expected"),
        ({"centre_px": "55", "radius_px": 2}, "centre_px is '55'"),
        ({"centre_px": (5, True), "radius_px": 2}, "centre_px is \\(5, True\\)"),
        ({"centre_px": np.float64(5), "radius_px": 2}, "centre_px is np.float64"),
        ({"centre_px": (5.5, 5.5), "radius_px": 0.5}, "empty"),
        ({"centre_px": (50, 5), "radius_px": 4}, "lies outside the frame of 24 x 30"),
    ],
)
def test_circles_that_cannot_be_used(options: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        circle(SHAPE, **options)  # type: ignore[arg-type]


def test_circle_takes_numbers_of_numpy() -> None:
    found = circle(SHAPE, centre_px=np.array([5, 5]), radius_px=np.float32(2))  # type: ignore[arg-type]
    assert np.array_equal(found, circle(SHAPE, centre_px=(5, 5), radius_px=2))


@pytest.mark.parametrize("shape", [(0, 5), (5,), (5.5, 3), 5, (5, 5, 5), (-1, 3)])
def test_shape_must_be_that_of_a_frame(shape: object) -> None:
    with pytest.raises(InputError, match="shape is"):
        circle(shape, centre_px=(2, 2), radius_px=1)  # type: ignore[arg-type]


# ---- ImageJ ROIs


def vertices(
    points_xy: list[tuple[float, float]], kind: ROI_TYPE, name: str = "r", dtype: type = np.int32
) -> ImagejRoi:
    roi = ImagejRoi.frompoints(np.array(points_xy, dtype=dtype), name=name)
    roi.roitype = kind
    return roi


def save(folder: Path, *rois: ImagejRoi) -> Path:
    if len(rois) == 1:
        path = folder / "one.roi"
        rois[0].tofile(path)
        return path
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for roi in rois:
            archive.writestr(f"{roi.name}.roi", roi.tobytes())
    return path


def only(path: Path, shape: tuple[int, int] = SHAPE) -> Mask:
    (mask,) = read_rois(path, shape=shape).values()
    return mask


def test_rectangle_covers_exactly_its_pixels(tmp_path: Path) -> None:
    expected = np.zeros(SHAPE, dtype=bool)
    expected[3:8, 4:10] = True
    path = save(tmp_path, ImagejRoi(roitype=ROI_TYPE.RECT, name="liver", **RECT))
    found = read_rois(str(path), shape=SHAPE)
    assert list(found) == ["liver"]
    assert np.array_equal(found["liver"], expected)
    corners = [(4, 3), (10, 3), (10, 8), (4, 8)]
    for kind in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        assert np.array_equal(only(save(tmp_path, vertices(corners, kind))), expected)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (5, 5), (10, 10), (13, 7), (20, 4)])
def test_oval_is_that_of_imagej(tmp_path: Path, width: int, height: int) -> None:
    roi = ImagejRoi(roitype=ROI_TYPE.OVAL, left=5, top=2, right=5 + width, bottom=2 + height, name="o")
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    # twice the offset from the centre, so that everything is whole
    across, down = 2 * x + 1 - 2 * 5 - width, 2 * y + 1 - 2 * 2 - height
    expected = (across * height) ** 2 + (down * width) ** 2 <= (width * height) ** 2
    assert np.array_equal(only(save(tmp_path, roi)), expected)


def test_integer_vertices_are_corners_of_pixels(tmp_path: Path) -> None:
    path_xy = [(3, 2), (20, 5), (14, 19), (7, 11), (2, 21)]
    expected = oracle(SHAPE, [(y - 0.5, x - 0.5) for x, y in path_xy])
    assert np.array_equal(only(save(tmp_path, vertices(path_xy, ROI_TYPE.POLYGON))), expected)


def test_sub_pixel_vertices_rectangles_and_ovals(tmp_path: Path) -> None:
    path_xy = [(3.25, 2.5), (20.75, 5.125), (14.5, 19.625), (7.0, 11.875)]
    expected = oracle(SHAPE, [(y - 0.5, x - 0.5) for x, y in path_xy])
    assert np.array_equal(only(save(tmp_path, vertices(path_xy, ROI_TYPE.FREEHAND, dtype=np.float64))), expected)
    exact = {
        "xd": 4.75,
        "yd": 3.25,
        "widthd": 6.5,
        "heightd": 8.5,
        "options": ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
        "version": 227,
    }
    rect = ImagejRoi(roitype=ROI_TYPE.RECT, left=4, top=3, right=11, bottom=12, name="r", **exact)
    expected = np.zeros(SHAPE, dtype=bool)
    expected[3:12, 5:11] = True
    assert np.array_equal(only(save(tmp_path, rect)), expected)
    oval = ImagejRoi(roitype=ROI_TYPE.OVAL, left=4, top=3, right=11, bottom=12, name="r", **exact)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    expected = ((x + 0.5 - 8) / 3.25) ** 2 + ((y + 0.5 - 7.5) / 4.25) ** 2 <= 1
    assert np.array_equal(only(save(tmp_path, oval)), expected)


def test_rounded_rectangle_loses_its_corners(tmp_path: Path) -> None:
    roi = ImagejRoi(roitype=ROI_TYPE.RECT, left=3, top=2, right=23, bottom=18, rounded_rect_arc_size=12, name="round")
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    beyond_y = np.maximum(0, np.abs(y - 10) - 2)  # past the centres of the corners, whose radius is 6
    beyond_x = np.maximum(0, np.abs(x - 13) - 4)
    assert np.array_equal(only(save(tmp_path, roi)), beyond_y**2 + beyond_x**2 <= 36)


def turned(subtype: ROI_SUBTYPE, parameter: float) -> ImagejRoi:
    roi = vertices([(5, 5), (20, 5), (20, 15)], ROI_TYPE.FREEHAND)  # as in ImageJ, the axis counts and not these
    roi.subtype = subtype
    roi.x1, roi.y1, roi.x2, roi.y2 = 5.0, 4.0, 21.0, 16.0
    first, second, rest = struct.unpack(">BBh", struct.pack(">f", parameter))
    roi.arrow_style_or_aspect_ratio, roi.arrow_head_size, roi.rounded_rect_arc_size = first, second, rest
    return roi


def test_rotated_rectangle_and_ellipse(tmp_path: Path) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    along = ((x - 13) * 16 + (y - 10) * 12) / 20  # the axis is 20 px long
    across = ((y - 10) * 16 - (x - 13) * 12) / 20
    found = only(save(tmp_path, turned(ROI_SUBTYPE.ROTATED_RECT, 7.3)))
    assert np.array_equal(found, (np.abs(along) < 10) & (np.abs(across) < 3.65))
    found = only(save(tmp_path, turned(ROI_SUBTYPE.ELLIPSE, 0.53)))
    inner = (along / 10) ** 2 + (across / 5.3) ** 2 < math.cos(math.pi / 72) ** 2  # in the polygon of 72 vertices
    outer = (along / 10) ** 2 + (across / 5.3) ** 2 <= 1
    assert inner.sum() > 150
    assert (inner <= found).all()
    assert (found <= outer).all()


def composite(*numbers: float) -> ImagejRoi:
    path = np.array(numbers, dtype=np.float32)
    return ImagejRoi(
        roitype=ROI_TYPE.RECT,
        left=2,
        top=2,
        right=20,
        bottom=20,
        name="shape",
        shape_roi_size=path.size,
        multi_coordinates=path,
    )


OUTER = (0, 2, 2, 1, 20, 2, 1, 20, 20, 1, 2, 20, 4)
HOLE = (0, 5, 6, 1, 9, 6, 1, 9, 14, 1, 5, 14, 4)
APART = (0, 22, 3, 1, 27.5, 3, 1, 27.5, 8.25, 1, 22, 8.25, 4)


def test_composite_has_holes_and_parts(tmp_path: Path) -> None:
    expected = np.zeros(SHAPE, dtype=bool)
    expected[2:20, 2:20] = True
    expected[6:14, 5:9] = False
    expected[3:8, 22:28] = True  # centres of column 27 lie on the right edge: inside
    assert np.array_equal(only(save(tmp_path, composite(*OUTER, *HOLE, *APART))), expected)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((*OUTER, 0, 5, 6, 2, 9, 6, 9, 14, 4), "composite with curves"),
        ((*OUTER, 0, 5, 6, 3, 9, 6, 9, 14, 5, 14, 4), "composite with curves"),
        ((*OUTER, 7), "damaged composite"),
        ((*OUTER, 0, 5), "damaged composite"),
        ((0, 5, 6, 4), "empty"),
    ],
)
def test_composites_that_cannot_be_read(tmp_path: Path, numbers: tuple[float, ...], told: str) -> None:
    path = save(tmp_path, composite(*numbers))
    with pytest.raises(InputError, match=told) as caught:
        read_rois(path, shape=SHAPE)
    assert "'shape'" in str(caught.value)


@pytest.mark.parametrize(
    "kind", [ROI_TYPE.LINE, ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE, ROI_TYPE.ANGLE, ROI_TYPE.POINT, ROI_TYPE.NOROI]
)
def test_rois_without_an_area_are_named(tmp_path: Path, kind: ROI_TYPE) -> None:
    path = save(tmp_path, vertices([(3, 3), (9, 3), (9, 9)], kind, name="mark 7"))
    with pytest.raises(InputError, match=rf"'mark 7'\): a {kind.name.lower()} ROI has no area"):
        read_rois(path, shape=SHAPE)


def test_text_spline_and_flat_rois_are_refused(tmp_path: Path) -> None:
    text = ImagejRoi(roitype=ROI_TYPE.RECT, subtype=ROI_SUBTYPE.TEXT, text="hello", name="t", **RECT)
    with pytest.raises(InputError, match="a text ROI has no area"):
        read_rois(save(tmp_path, text), shape=SHAPE)
    spline = vertices([(3, 3), (9, 3), (9, 9)], ROI_TYPE.POLYGON)
    spline.options |= ROI_OPTIONS.SPLINE_FIT
    with pytest.raises(InputError, match="spline"):
        read_rois(save(tmp_path, spline), shape=SHAPE)
    flat = ImagejRoi(roitype=ROI_TYPE.OVAL, left=4, top=3, right=10, bottom=3, name="f")
    with pytest.raises(InputError, match="6 wide and 0 high"):
        read_rois(save(tmp_path, flat), shape=SHAPE)


def test_roi_beyond_the_frame(tmp_path: Path) -> None:
    path = save(tmp_path, ImagejRoi(roitype=ROI_TYPE.RECT, left=-2, top=3, right=4, bottom=8, name="edge"))
    with pytest.raises(InputError, match=r"ROI 'edge' lies partly outside .*: 10 of its 30 pixels \(33 %\)"):
        read_rois(path, shape=SHAPE)
    assert read_rois(path, shape=SHAPE, clip=True)["edge"].sum() == 20
    away = save(tmp_path, ImagejRoi(roitype=ROI_TYPE.RECT, left=40, top=3, right=44, bottom=8, name="away"))
    with pytest.raises(InputError, match="ROI 'away' lies outside the frame"):
        read_rois(away, shape=SHAPE, clip=True)


# ---- names and frames


def rect(name: str, **fields: int) -> ImagejRoi:
    return ImagejRoi(roitype=ROI_TYPE.RECT, name=name, **{**RECT, **fields})


def test_names_are_those_of_the_roi_manager(tmp_path: Path) -> None:
    path = save(tmp_path, rect("liver"), rect("Läsion 1", left=5), rect("0001-0005"))
    assert list(read_rois(path, shape=SHAPE)) == ["liver", "Läsion 1", "0001-0005"]
    nameless = rect("")
    nameless.tofile(tmp_path / "by file.roi")
    assert list(read_rois(tmp_path / "by file.roi", shape=SHAPE)) == ["by file"]
    written = tmp_path / "roifile.zip"
    roiwrite(written, [rect("a"), rect("b")])
    assert list(read_rois(written, shape=SHAPE)) == ["a", "b"]


def test_two_rois_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"

    def write(*rois: ImagejRoi) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for roi in rois:
                if f"{roi.name}.roi" in archive.namelist():
                    with pytest.warns(UserWarning, match="Duplicate name"):
                        archive.writestr(f"{roi.name}.roi", roi.tobytes())
                else:
                    archive.writestr(f"{roi.name}.roi", roi.tobytes())

    write(rect("a"), rect("a", left=6))
    with pytest.raises(InputError, match=r"two ROIs are named 'a', on every frame and on every frame\. Rename one"):
        read_rois(path, shape=SHAPE)
    write(rect("a", position=3), rect("a", left=6, position=5), rect("all", top=5))
    with pytest.raises(InputError, match=r"on frame 2 and on frame 4\. Pass frame="):
        read_rois(path, shape=SHAPE)
    third = read_rois(path, shape=SHAPE, frame=2)
    fifth = read_rois(path, shape=SHAPE, frame=4)
    assert list(third) == list(fifth) == ["a", "all"]
    assert (third["a"].sum(), fifth["a"].sum()) == (30, 20)
    assert list(read_rois(path, shape=SHAPE, frame=0)) == ["all"]


def test_frames_from_positions_of_stacks_and_hyperstacks(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        rect("stack", position=7),
        rect("time", c_position=2, z_position=1, t_position=7),
        rect("slice", c_position=1, z_position=7, t_position=1),
        rect("first", c_position=1, z_position=1, t_position=1),
        rect("channel", c_position=2),
    )
    assert list(read_rois(path, shape=SHAPE)) == ["stack", "time", "slice", "first", "channel"]
    assert list(read_rois(path, shape=SHAPE, frame=6)) == ["stack", "time", "slice", "channel"]
    assert list(read_rois(path, shape=SHAPE, frame=0)) == ["first", "channel"]
    with pytest.raises(InputError, match="frame is -1"):
        read_rois(path, shape=SHAPE, frame=-1)
    for frame in (True, 1.0, "1"):
        with pytest.raises(InputError, match=rf"^frame is {frame!r}; expected a whole number, 0 or more"):
            read_rois(path, shape=SHAPE, frame=frame)  # type: ignore[arg-type]
    assert list(read_rois(path, shape=SHAPE, frame=np.int64(0))) == ["first", "channel"]  # type: ignore[arg-type]
    lone = save(tmp_path, rect("lone", position=7))
    with pytest.raises(InputError, match=r"no ROI belongs to frame 3 .* on frames \[6\]"):
        read_rois(lone, shape=SHAPE, frame=3)
    both = save(tmp_path, rect("both", z_position=3, t_position=4))
    with pytest.raises(InputError, match="slice 3 of time 4"):
        read_rois(both, shape=SHAPE)


# ---- files that are no ROIs


def test_missing_empty_foreign_and_locked_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"gone\.roi: no such file"):
        read_rois(tmp_path / "gone.roi", shape=SHAPE)
    with pytest.raises(InputError, match="cannot be read"):
        read_rois(tmp_path, shape=SHAPE)
    path = tmp_path / "x.roi"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_rois(path, shape=SHAPE)
    path.write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match=r"not an ImageJ ROI file: it begins with b'x,y\\n'"):
        read_rois(path, shape=SHAPE)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"x\.roi: cannot be read \(Permission denied\)"):
        read_rois(path, shape=SHAPE)


def test_archives_with_other_things_in_them(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "not a ROI")
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._liver.roi", b"resource fork")
        archive.writestr("liver.roi", rect("liver").tobytes())
    assert list(read_rois(path, shape=SHAPE)) == ["liver"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "not a ROI")
    with pytest.raises(InputError, match=r"holds no \.roi files"):
        read_rois(path, shape=SHAPE)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad.roi", "not a ROI")
    with pytest.raises(InputError, match=r"set\.zip, bad\.roi: not a complete ImageJ ROI"):
        read_rois(path, shape=SHAPE)


def test_names_that_climb_out_of_the_archive_write_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = folder / "slip.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../climbed.roi", rect("x").tobytes())
    before = sorted(tmp_path.rglob("*"))
    assert list(read_rois(path, shape=SHAPE)) == ["../../climbed"]
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "climbed.roi").exists()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("big.roi", "w") as file:
        for _ in range(65):
            file.write(bytes(1 << 20))
    with pytest.raises(InputError, match="bytes are no ROI"):
        read_rois(path, shape=SHAPE)


def test_files_cut_short_or_flipped_raise_input_errors_only(tmp_path: Path) -> None:
    samples = [
        rect("rect", position=2),
        ImagejRoi(roitype=ROI_TYPE.OVAL, name="oval", **RECT),
        vertices([(3.5, 3.5), (9.5, 3.25), (9.0, 9.0)], ROI_TYPE.POLYGON, "polygon", np.float64),
        composite(*OUTER, *HOLE),
        turned(ROI_SUBTYPE.ELLIPSE, 0.5),
    ]
    path = tmp_path / "damaged.roi"
    rng = np.random.default_rng(11)
    refused = 0
    for whole in (roi.tobytes() for roi in samples):
        for end in range(4, 64 + 52, 3):
            path.write_bytes(whole[:end])
            with pytest.raises(InputError):
                read_rois(path, shape=SHAPE)
        for _ in range(60):
            data = np.frombuffer(whole, dtype=np.uint8).copy()
            data[rng.integers(4, data.size, 2)] = rng.integers(0, 256, 2)
            path.write_bytes(data.tobytes())
            try:
                read_rois(path, shape=SHAPE)
            except InputError:
                refused += 1
    assert refused > 30
    archive = save(tmp_path, rect("a"), rect("b"))
    packed = archive.read_bytes()
    for end in range(4, len(packed), 17):
        archive.write_bytes(packed[:end])
        with pytest.raises(InputError):
            read_rois(archive, shape=SHAPE)
    flipped = bytearray(packed)
    flipped[60] ^= 0xFF  # inside the first ROI: its checksum no longer fits
    archive.write_bytes(bytes(flipped))
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_rois(archive, shape=SHAPE)


# ---- what the rim room found


@pytest.fixture(scope="module")
def rim() -> pyicg.RimSegmentation:
    y, x = np.mgrid[:120, :200]
    raw = np.full(y.shape, 100.0)
    for centre in ((60, 50), (60, 140)):
        r = np.hypot(y - centre[0], x - centre[1])
        raw[(r > 20) & (r < 32)] = 400
        raw[r <= 20] = 50
    raw += np.random.default_rng(0).normal(0, 2, raw.shape)
    cal = pyicg.calibrate(raw.astype(np.float32), pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    return pyicg.segment_rim(cal)


def test_rims_and_cores_of_one_and_all_lesions(rim: pyicg.RimSegmentation) -> None:
    assert len(rim.lesions) == 2
    assert np.array_equal(regions.of_rim(rim), rim.rim_mask)
    assert np.array_equal(regions.of_core(rim), rim.core_mask)
    for part in (regions.of_rim, regions.of_core):
        one, other = (part(rim, label=lesion.label) for lesion in rim.lesions)
        assert not (one & other).any()
        assert np.array_equal(one | other, part(rim))
    lesion = rim.lesions[0]
    core = regions.of_core(rim, label=lesion.label)
    assert core[round(lesion.centroid[0]), round(lesion.centroid[1])]
    assert core.sum() == pytest.approx(math.pi * 20**2, rel=0.01)
    regions.of_rim(rim)[:] = False  # a copy: the segmentation stays as it is
    assert rim.rim_mask.any()


def test_lesions_that_are_not_there(rim: pyicg.RimSegmentation) -> None:
    with pytest.raises(InputError, match=r"label is 9; expected one of \[1, 2\]"):
        regions.of_rim(rim, label=9)
    covered = replace(rim, labels=np.where(rim.labels == 2, 1, rim.labels))
    with pytest.raises(InputError, match="lesion 2 has no pixels of its own"):
        regions.of_rim(covered, label=2)
    flat = np.random.default_rng(0).normal(100, 2, (80, 80)).astype(np.float32)
    found = pyicg.segment_rim(pyicg.calibrate(flat, pyicg.CameraProfile.identity(flat.shape, bit_depth=None)))
    with pytest.raises(InputError, match="no lesion was found"):
        regions.of_core(found)


def test_a_region_is_a_signal_for_contrast() -> None:
    raw = np.random.default_rng(1).normal(100, 2, (60, 60))
    lesion = circle((60, 60), centre_px=(30, 30), radius_px=8)
    raw[lesion] += 200
    cal = pyicg.calibrate(raw.astype(np.float32), pyicg.CameraProfile.identity(raw.shape, bit_depth=None))
    liver = polygon(raw.shape, vertices_px=[(2, 2), (2, 57), (15, 57), (15, 2)])
    background = pyicg.estimate_background(cal, policy="mask", mask=liver)
    assert pyicg.contrast(cal, signal=lesion, background=background).sbr.value == pytest.approx(3, abs=0.02)
