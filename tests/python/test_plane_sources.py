"""Planes from lines in slices, ImageJ ROIs and masks of edges, against the planes they were drawn on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from roifile import ROI_TYPE, ImagejRoi, roiwrite

import pyicg
from pyicg import InputError, UnitError

from .planes import angle_deg, off

Floats = npt.NDArray[np.float64]
SPACING = (3.0, 0.1, 0.2)


# ---- lines


def edge_px(z: float, x: npt.ArrayLike) -> Floats:
    """Pixels (y, x) of the plane y_mm = 12 + 0.1 z_mm - 0.05 x_mm."""
    columns = np.asarray(x, dtype=np.float64)
    return np.column_stack([(12 + 0.1 * SPACING[0] * z - 0.05 * SPACING[2] * columns) / SPACING[1], columns])


TRUE_NORMAL = np.array([-0.1, 1, 0.05]) / np.linalg.norm([-0.1, 1, 0.05])


def test_two_points_per_slice() -> None:
    lines = {0: edge_px(0, [5, 95]), 4: edge_px(4, [20, 80])}
    plane = pyicg.plane_from_lines(lines, spacing_mm=SPACING)
    assert angle_deg(plane, TRUE_NORMAL) < 1e-6
    assert off(plane, (0, 12, 0)) < 1e-9
    assert (plane.n_points, plane.freedom, plane.oriented) == (4, 1, False)
    same = pyicg.plane_from_lines([(4, edge_px(4, [80, 20]).tolist()), (0, edge_px(0, [5, 95]))], spacing_mm=SPACING)
    assert same.to_dict() == plane.to_dict()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: pyicg.plane_from_lines(None, spacing_mm=SPACING), InputError, "lines_px is None, expected lines"),
        (lambda: pyicg.plane_from_roi(None, spacing_mm=SPACING), InputError, r"path is None, expected the path of"),
        (lambda: pyicg.plane_from_mask(None, spacing_mm=SPACING), InputError, "surface_mask must be a bool array"),
        (lambda: pyicg.plane_from_mask(np.ones((3, 3, 3), bool), spacing_mm=None), UnitError, "one value per axis"),
        (lambda: pyicg.plane_from_mask(np.ones((3, 3, 3), bool), spacing_mm=0.1), UnitError, "one value per axis"),
    ],
)
def test_wrong_types_are_named(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_lines_of_many_points_leave_a_wrong_one_out() -> None:
    lines = [(z, edge_px(z, np.arange(0, 100, 10))) for z in range(4)]
    lines[1][1][3, 0] += 25
    plane = pyicg.plane_from_lines(lines, spacing_mm=SPACING)
    assert angle_deg(plane, TRUE_NORMAL) < 1e-5
    assert (plane.n_points, plane.n_outliers) == (40, 1)


def test_one_slice_needs_the_users_word() -> None:
    lines = [(2, edge_px(0, [0, 40, 100]) + np.array([(0.3, 0), (-0.6, 0), (0.3, 0)]))]
    with pytest.raises(InputError, match=r"one slice, where it defines a line.*perpendicular=True"):
        pyicg.plane_from_lines(lines, spacing_mm=SPACING)
    plane = pyicg.plane_from_lines(lines, spacing_mm=SPACING, perpendicular=True)
    assert plane.normal[0] == 0
    assert angle_deg(plane, (0, 1, 0.05)) < 0.3
    assert plane.point_mm[0] == 6
    # a line of three points: one is left over, and the tilt along the slices is taken as known
    assert plane.freedom == 1
    assert plane.covariance[2, 2] == 0
    at = np.array([(6.0, 12, 10), (600.0, 12, 10)])
    assert plane.variance_mm2(at)[0] == plane.variance_mm2(at)[1] > 0
    assert plane.outside_patch([(900, 12, 10), (6, 12, 20.5), (6, 12, -0.5)]).tolist() == [False, True, True]
    assert not plane.outside_patch(np.insert(lines[0][1], 0, 2, axis=1) * SPACING).any()
    two = pyicg.plane_from_lines([(2, edge_px(0, [0, 100]))], spacing_mm=SPACING, perpendicular=True)
    assert np.isnan(two.covariance[0, 0])
    assert np.isnan(two.variance_mm2(at)).all()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no lines"),
        ([(0, [(1, 2)]), (1, [(1, 2)])], r"slice 0 has points of shape \(1, 2\)"),
        ([(0, [(1, 2, 3), (1, 2, 4)])], r"expected \(K, 2\)"),
        ([(0, "ab")], "expected"),
        ([7], "expected"),
        ([(-1, [(1, 2), (1, 4)])], "slice index -1"),
        ([(0.5, [(1, 2), (1, 4)])], r"slice index 0\.5"),
        ([(0, [(1, 2), (1, math.nan)]), (1, [(1, 2), (1, 4)])], "finite"),
    ],
)
def test_lines_that_cannot_be_used(lines: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        pyicg.plane_from_lines(lines, spacing_mm=SPACING)


@pytest.mark.parametrize("spacing", [(1, 0.1), (0, 0.1, 0.1), (1, 0.1, math.inf)])
def test_spacing_must_be_lengths(spacing: Any) -> None:
    with pytest.raises(UnitError, match="positive lengths"):
        pyicg.plane_from_lines({0: [(1, 2), (1, 4)], 1: [(1, 2), (1, 4)]}, spacing_mm=spacing)


# ---- ImageJ ROIs


def drawn(kind: ROI_TYPE, yx: Floats, position: int, name: str) -> ImagejRoi:
    if kind == ROI_TYPE.LINE:
        (y1, x1), (y2, x2) = yx.tolist()
        return ImagejRoi(roitype=kind, y1=y1, x1=x1, y2=y2, x2=x2, position=position, name=name)
    roi = ImagejRoi.frompoints(yx[:, ::-1].astype(np.float32), name=name)
    roi.roitype, roi.position = kind, position
    return roi


AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)


@pytest.mark.parametrize("kind", [ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, *AREAS])
def test_rois_of_every_kind_of_line(tmp_path: Path, kind: ROI_TYPE) -> None:
    columns = [5, 95] if kind == ROI_TYPE.LINE else np.arange(5, 95, 5)
    shift = 0.5 if kind in AREAS else 0.0  # ImageJ: areas from the pixel's corner, lines from its centre
    rois = [drawn(kind, edge_px(z, columns) + shift, z + 1, f"cut {z}") for z in (0, 2, 5)]
    roiwrite(tmp_path / "set.zip", rois)
    plane = pyicg.plane_from_roi(tmp_path / "set.zip", spacing_mm=SPACING)
    assert angle_deg(plane, TRUE_NORMAL) < 1e-3
    assert off(plane, (0, 12, 0)) < 1e-5
    assert plane.n_points == 3 * len(columns)
    assert plane.n_outliers == 0


def test_rois_without_a_slice(tmp_path: Path) -> None:
    rois = [drawn(ROI_TYPE.LINE, edge_px(z, [5, 95]), 0, f"cut {z}") for z in (0, 5)]
    path = tmp_path / "set.zip"
    roiwrite(path, rois)
    with pytest.raises(InputError, match=r"belongs to every slice.*set\.zip.*slices=.*perpendicular=True"):
        pyicg.plane_from_roi(path, spacing_mm=SPACING)
    plane = pyicg.plane_from_roi(str(path), spacing_mm=SPACING, slices=(0, 5))
    assert angle_deg(plane, TRUE_NORMAL) < 1e-3
    with pytest.raises(InputError, match=r"slices has 1 indices, but .* holds 2 ROIs"):
        pyicg.plane_from_roi(path, spacing_mm=SPACING, slices=[0])
    rois[0].tofile(tmp_path / "one.roi")
    alone = pyicg.plane_from_roi(tmp_path / "one.roi", spacing_mm=SPACING, perpendicular=True)
    assert angle_deg(alone, (0, 1, 0.05)) < 1e-3
    drawn(ROI_TYPE.LINE, edge_px(1, [5, 95]), 2, "b").tofile(tmp_path / "numbered.roi")
    with pytest.raises(InputError, match=r"lies in one slice.*draw the line on another slice"):
        pyicg.plane_from_roi(tmp_path / "numbered.roi", spacing_mm=SPACING)


@pytest.mark.parametrize("kind", [ROI_TYPE.RECT, ROI_TYPE.OVAL, ROI_TYPE.POINT, ROI_TYPE.ANGLE])
def test_rois_that_are_no_line_are_named(tmp_path: Path, kind: ROI_TYPE) -> None:
    roi = ImagejRoi(roitype=kind, left=2, top=2, right=9, bottom=9, name="mark 7")
    roi.tofile(tmp_path / "x.roi")
    with pytest.raises(InputError, match=rf"'mark 7'\): a {kind.name.lower()} ROI is no line.*take this one out"):
        pyicg.plane_from_roi(tmp_path / "x.roi", spacing_mm=SPACING)
    with pytest.raises(InputError, match="no such file"):
        pyicg.plane_from_roi(tmp_path / "gone.roi", spacing_mm=SPACING)


def test_freehand_lines_hold_fewer_points_than_vertices(tmp_path: Path) -> None:
    wave = 2 * np.sin(np.arange(5, 95) / 6)
    for kind in (ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE):
        rois = []
        for z in range(4):
            yx = edge_px(z, np.arange(5, 95))
            yx[:, 0] += np.roll(wave, 17 * z)
            rois.append(drawn(kind, yx, z + 1, f"{z}"))
        roiwrite(tmp_path / f"{kind.name}.zip", rois)
    free = pyicg.plane_from_roi(tmp_path / "FREELINE.zip", spacing_mm=SPACING)
    clicked = pyicg.plane_from_roi(tmp_path / "POLYLINE.zip", spacing_mm=SPACING)
    assert clicked.freedom == 357
    assert 1 <= free.freedom < 60
    assert free.covariance[0, 0] > 5 * clicked.covariance[0, 0]


# ---- masks


def strip(thickness: int, slices: int = 4, shape: tuple[int, int] = (150, 100)) -> npt.NDArray[np.bool_]:
    mask = np.zeros((slices, *shape), bool)
    for z in range(slices):
        for y, x in edge_px(z, np.arange(10, 90)):
            start = round(y - (thickness - 1) / 2)
            mask[z, start : start + thickness, int(x)] = True
    return mask


@pytest.mark.parametrize("thickness", [1, 2, 3, 6, 9])
def test_the_thickness_of_a_strip_does_not_shift_the_plane(thickness: int) -> None:
    plane = pyicg.plane_from_mask(strip(thickness), spacing_mm=SPACING)
    assert plane.n_points == 4 * 80
    assert angle_deg(plane, TRUE_NORMAL) < 0.05
    assert off(plane, (4.5, 12.45 - 0.5, 10)) < 0.005  # a twentieth of a pixel
    assert plane.rms_mm == pytest.approx(0.1 / math.sqrt(12), rel=0.1)


def test_masks_may_run_along_the_other_axis() -> None:
    mask = strip(3)
    plane = pyicg.plane_from_mask(mask, spacing_mm=SPACING)
    z, y, x = SPACING
    turned = pyicg.plane_from_mask(mask.transpose(0, 2, 1), spacing_mm=(z, x, y))
    np.testing.assert_allclose(np.abs(turned.normal), np.abs(plane.normal)[[0, 2, 1]], rtol=1e-9)
    np.testing.assert_allclose(turned.point_mm, np.array(plane.point_mm)[[0, 2, 1]], rtol=1e-9)


def test_rows_of_pixels_are_no_outliers_of_each_other() -> None:
    mask = np.zeros((3, 30, 100), bool)
    mask[:, 12, :65] = mask[:, 13, 65:] = True  # an edge that leans by less than a pixel
    plane = pyicg.plane_from_mask(mask, spacing_mm=(1, 0.3, 0.3))
    assert plane.n_outliers == 0
    assert plane.point_mm[1] == pytest.approx(0.3 * 12.35, abs=1e-9)
    assert 0.02 < math.sqrt(plane.covariance[0, 0]) < 0.2
    lines = {z: [(12, 0), (12, 20), (12, 40), (13, 60)] for z in (0, 1)}
    assert pyicg.plane_from_lines(lines, spacing_mm=(1, 0.3, 0.3)).n_outliers == 0


def test_smears_and_gaps_in_a_strip() -> None:
    clean = strip(3)
    mask = clean.copy()
    mask[:, 135:150, 40:48] = True  # a smear beside the edge
    mask[:, :, 60:70] = False
    plane = pyicg.plane_from_mask(mask, spacing_mm=SPACING)
    assert plane.n_points == 4 * 70
    assert plane.n_outliers == 4 * 8
    assert angle_deg(plane, TRUE_NORMAL) < 0.05


def test_a_mask_of_one_slice() -> None:
    mask = strip(3, slices=1)
    with pytest.raises(InputError, match="perpendicular=True"):
        pyicg.plane_from_mask(mask, spacing_mm=SPACING)
    with pytest.raises(InputError, match="perpendicular=True"):
        pyicg.plane_from_mask(mask[0], spacing_mm=SPACING[1:])
    plane = pyicg.plane_from_mask(mask[0], spacing_mm=SPACING[1:], perpendicular=True)
    assert angle_deg(plane, (0, 1, 0.05)) < 0.05
    assert plane.normal[0] == 0


@pytest.mark.parametrize(
    ("mask", "spacing", "error", "told"),
    [
        (np.zeros((3, 9, 9), bool), SPACING, InputError, "empty"),
        (np.ones((3, 9, 9), np.uint8), SPACING, InputError, "bool array .*uint8"),
        (np.ones(9, bool), SPACING, InputError, "1 axes"),
        (np.ones((3, 9, 9), bool), SPACING, InputError, r"a region 0\.9 mm thick and 1\.8 mm long"),
        (np.ones((3, 1, 9), bool), SPACING[1:], UnitError, r"one value per axis \(3\), found \("),
        (np.ones((3, 1, 9), bool), (1, 0, 1), UnitError, "positive lengths"),
    ],
)
def test_masks_that_cannot_be_used(mask: Any, spacing: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        pyicg.plane_from_mask(mask, spacing_mm=spacing)


def test_an_outline_that_goes_round_is_no_edge() -> None:
    y, x = np.indices((80, 80))
    ring = np.abs(np.hypot(y - 40, x - 40) - 30) < 1.5
    with pytest.raises(InputError, match="more than once"):
        pyicg.plane_from_mask(np.stack([ring] * 3), spacing_mm=(1, 0.1, 0.1))
