"""Real images that nobody on this project made. None of them is ICG in tissue at surgery: nothing here is clinical."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import pyicg
from pyicg import CalibratedFrame, CameraProfile, detection

SPHEROIDS = ("983b_D10_10000_2.tif", "ExpL_793b_RM_J_D16_10000_1.tif", "ExpL_793b_RM_J_D16_10000_2.tif")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def eight_bit(frame: npt.NDArray[np.uint8]) -> CalibratedFrame:
    return pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=8))


def discs(shape: tuple[int, ...], wells: list[dict[str, str]], drawn: npt.NDArray[np.bool_]) -> dict[str, Any]:
    y, x = np.indices(shape)
    return {
        w["well"]: (np.hypot(y - float(w["row"]), x - float(w["col"])) <= float(w["roi_radius_px"])) & ~drawn
        for w in wells
    }


def target_of(shared_data: Path, name: str, quantity: Any) -> tuple[detection.Series, list[dict[str, str]]]:
    folder = shared_data / "quel"
    frame = pyicg.read_stack(folder / f"{name}_u8.tif")[0]
    drawn = pyicg.read_stack(folder / f"{name}_overlaymask_u8.tif")[0] > 0
    wells = table(folder / f"{name}_wells.csv")
    regions = discs(frame.shape, wells, drawn)
    control = regions.pop("control")
    found = detection.series(
        eight_bit(frame),
        regions={float(well): region for well, region in regions.items()},
        control=control,
        quantity=quantity,
    )
    return found, [well for well in wells if well["well"] != "control"]


@pytest.mark.parametrize(
    ("name", "quantity", "within"), [("rcs_conc_ex1", "concentration_nm", 0.004), ("rds_depth_ex1", "depth_mm", 0.006)]
)
def test_fluorescent_targets(shared_data: Path, name: str, quantity: str, within: float) -> None:
    found, wells = target_of(shared_data, name, quantity)
    assert found.values == tuple(float(well["well"]) for well in wells)
    for level, well in zip(found.levels, wells, strict=True):
        assert level.value == pytest.approx(float(well["render_mean_u8"]), abs=0.05)
        # Under 10 nM the rendering shows one grey level: most of the well's pixels are at count 0.
        assert level.reason == ("signal_cut_off" if level.value < 1 else "uncalibrated")
    published = [float(well["published_normalised"]) for well in wells]
    np.testing.assert_allclose(found.normalised, published, atol=within)


def test_decay_and_limit_of_the_depth_target(shared_data: Path) -> None:
    found, _ = target_of(shared_data, "rds_depth_ex1", "depth_mm")
    decay = found.decay()
    assert decay.slope_per_mm.value == pytest.approx(-0.958, abs=0.002)
    assert decay.factor.value == pytest.approx(1.609, abs=0.005)
    # The picture is smaller than the raw frame, and its pixels scatter half as much: every CNR is twice the published
    # one, and CNR 3 lies deeper than the published 4.7 mm.
    twice = found.cnr[0].value / 173.314
    assert twice == pytest.approx(2.03, abs=0.02)
    assert found.limit_of_detection().value == pytest.approx(5.47, abs=0.02)
    assert found.limit_of_detection(threshold=3 * twice).value == pytest.approx(4.7, abs=0.05)


def test_what_eight_bits_leave_of_the_concentration_target(shared_data: Path) -> None:
    found, _ = target_of(shared_data, "rcs_conc_ex1", "concentration_nm")
    assert found.usable() == (1000, 300, 100, 60, 30, 10)  # 3 nM, CNR 3.99 in the raw frame, is gone
    assert found.limit_of_detection().value == pytest.approx(5.4, abs=0.1)  # 2.27 nM in the raw frame
    exponent = found.exponent()
    assert exponent.value == pytest.approx(0.966, abs=0.002)
    assert exponent.ci[0] < 0.992 < exponent.ci[1]


def test_targets_as_a_whole_frame(shared_data: Path) -> None:
    depth = pyicg.read_stack(shared_data / "quel" / "rds_depth_ex1_u8.tif")[0]
    score = pyicg.score_frame(depth, profile=CameraProfile.identity(depth.shape, bit_depth=8))
    assert score.fluorescent is True
    assert score.background.level == pytest.approx(3.09, abs=0.05)
    np.testing.assert_allclose(score.hot_spots[0].peak_position, (128, 122.5), atol=16)  # the shallowest well
    concentration = pyicg.read_stack(shared_data / "quel" / "rcs_conc_ex1_u8.tif")[0]
    score = pyicg.score_frame(concentration, profile=CameraProfile.identity(concentration.shape, bit_depth=8))
    # Its field was clipped at zero: no background, so no ratio and no sign.
    assert score.fluorescent is None
    assert score.contrast.sbr.reason == "background_not_resolved"


def test_lung_phantom(shared_data: Path) -> None:
    folder = shared_data / "quel"
    frame = pyicg.read_stack(folder / "lung_phantom_reference_u8.tif")[0]
    labels = pyicg.read_stack(folder / "lung_phantom_reference_labels_u8.tif")[0]
    cal = eight_bit(frame)
    lung = pyicg.estimate_background(cal, policy="mask", mask=labels == 1)
    for row in table(folder / "lung_phantom_reference_inclusions.csv"):
        con = pyicg.contrast(cal, signal=labels == int(row["label"]), background=lung)
        assert con.cnr.value == pytest.approx(float(row["render_CNR"]), abs=2e-3)
        assert con.cvr.value == pytest.approx(float(row["render_CVR"]), rel=3e-3)
        assert con.cnr.value == pytest.approx(float(row["pub_CNR"]), rel=0.08)
        assert con.sbr.value == pytest.approx(float(row["pub_TBR"]), rel=0.06)
    score = pyicg.score_frame(frame, profile=CameraProfile.identity(frame.shape, bit_depth=8))
    # The dark table is left out: the background is the phantom's body, and the largest inclusion glows over it.
    assert "empty_field_left_out" in score.reasons
    assert score.background.level == pytest.approx(98.4, abs=0.5)
    assert score.fluorescent is True
    assert score.contrast.sbr.value == pytest.approx(1.56, abs=0.02)


@pytest.mark.parametrize("name", SPHEROIDS)
def test_rim_of_a_spheroid(shared_data: Path, name: str) -> None:
    # Nothing told but the pixel size. Published: the radius of the circle with the area of the outline's convex hull,
    # and the rim as the difference to that of the dark core, both from where bright cells are in two channels.
    (truth,) = (row for row in table(shared_data / "spheroids" / "truth.csv") if row["file"] == name)
    um = 1 / float(truth["px_per_um"])
    rim = pyicg.segment_rim(spheroid(shared_data, truth), pixel_size_mm=um / 1000)
    (lesion,) = (lesion for lesion in rim.lesions if lesion.confidence > 0.5)
    assert equivalent_radius(lesion.outer_contour) * um == pytest.approx(float(truth["radius_um"]), rel=0.03)
    assert lesion.thickness_mm.value * 1e3 == pytest.approx(float(truth["rim_um"]), rel=0.12)
    core_um = float(truth["radius_um"]) * float(truth["eta"])
    assert equivalent_radius(lesion.inner_contour) * um == pytest.approx(core_um, rel=0.1)
    assert lesion.completeness > 0.95
    # The field around it was rendered black: a rim, but no ratio.
    assert "background_not_resolved" in lesion.reasons
    assert rim.background.reason == "background_not_resolved"
    assert math.isnan(lesion.sbr.value)


def spheroid(shared_data: Path, truth: dict[str, str]) -> CalibratedFrame:
    path = shared_data / "spheroids" / truth["file"]
    return eight_bit(pyicg.read_stack(path, axes="CYX", channel=int(truth["channel_shell"]))[0])


def equivalent_radius(contour: npt.NDArray[np.float64]) -> float:
    y, x = contour.T
    return math.sqrt(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 / math.pi)


def test_a_spheroid_held_another_way(shared_data: Path) -> None:
    (truth, *_) = table(shared_data / "spheroids" / "truth.csv")
    frame = spheroid(shared_data, truth).data
    plain, *others = (
        max(pyicg.segment_rim(eight_bit(np.ascontiguousarray(f, np.uint8))).lesions, key=lambda one: one.confidence)
        for f in (frame, np.rot90(frame), np.rot90(frame.T, 2))
    )
    for other in others:
        # Grains leave the fit short of its end: where it began shows in the third digit.
        assert other.area_px == pytest.approx(plain.area_px, rel=0.01)
        assert other.thickness.value == pytest.approx(plain.thickness.value, rel=0.01)


# What holds no rim.


@pytest.mark.parametrize("name", ["7.png", "35.png", "118.png"])
def test_no_sure_rim_in_a_mouse(shared_data: Path, name: str) -> None:
    cal = eight_bit(pyicg.read_stack(shared_data / "nir_mouse" / name, bit_depth=8)[0])
    for options in ({}, {"pixel_size_mm": 0.1}):
        assert sure(pyicg.segment_rim(cal, **options)) == []


@pytest.mark.parametrize("drawings", ["left out", "as they are"])
@pytest.mark.parametrize("name", ["rcs_conc_ex1", "rds_depth_ex1", "lung_phantom_reference"])
def test_no_sure_rim_in_the_targets(shared_data: Path, name: str, drawings: str) -> None:
    # Rings and crosses were drawn into the wells of two of them.
    frame = pyicg.read_stack(shared_data / "quel" / f"{name}_u8.tif")[0]
    drawn = shared_data / "quel" / f"{name}_overlaymask_u8.tif"
    exclude = None
    if drawings == "left out" and drawn.exists():
        exclude = pyicg.read_stack(drawn)[0] > 0
    cal = pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=8), exclude=exclude)
    assert sure(pyicg.segment_rim(cal)) == []


def sure(rim: pyicg.RimSegmentation) -> list[tuple[float, tuple[float, float]]]:
    return [(one.confidence, one.centroid) for one in rim.lesions if one.confidence >= 0.5]


@pytest.mark.parametrize("kind", ["plantcv/*.png", "exposure_series/*4.tif", "emva1288_set001/images/[bd]_*_002.png"])
def test_every_other_image_runs(shared_data: Path, kind: str) -> None:
    # Of the exposure series one in eight; bench/validation/real_images.py runs them all.
    paths = sorted(shared_data.glob(kind))[:: 8 if kind.startswith("exposure") else 1]
    assert len(paths) > 3
    for path in paths:
        frame = pyicg.read_stack(path)[0]
        bits = 12 if kind.startswith("emva1288") else 8 * frame.itemsize
        rim = pyicg.segment_rim(pyicg.calibrate(frame, CameraProfile.identity(frame.shape, bit_depth=bits)))
        np.testing.assert_array_equal(rim.labels > 0, rim.rim_mask | rim.core_mask)
        for lesion in rim.lesions:
            assert np.isfinite(lesion.inner_contour).all()
            assert np.isfinite(lesion.outer_contour).all()
            assert 0 <= lesion.confidence <= 1
            assert 0 <= lesion.completeness <= 1


@pytest.mark.parametrize("name", ["7.png", "35.png", "118.png"])
def test_in_vivo_mouse(shared_data: Path, name: str) -> None:
    frame = pyicg.read_stack(shared_data / "nir_mouse" / name, bit_depth=8)[0]
    score = pyicg.score_frame(
        frame, profile=CameraProfile.identity(frame.shape, bit_depth=8), prevalence="mimic-overall"
    )
    # Rendered with a black field: the frame has no background, so no sign and no label.
    assert 0 <= score.background.level < 1
    assert score.fluorescent is None
    assert math.isnan(score.contrast.sbr.value)
    assert {"background_not_resolved", "uncalibrated", "no_pixel_size"} <= set(score.reasons)
    assert score.margin is not None
    assert score.margin.label == "indeterminate"
    assert score.quality.saturated_fraction == (frame == 255).mean()


def plant(shared_data: Path, name: str) -> npt.NDArray[np.uint16]:
    with Image.open(shared_data / "plantcv" / f"FLUO_TV_{name}.png") as image:
        return np.asarray(image).copy()


def plant_profile(shared_data: Path) -> CameraProfile:
    dark = plant(shared_data, "dark")
    assert dark.dtype == np.uint16
    return CameraProfile(
        camera="plant imager",
        shape=dark.shape,
        bit_depth=16,
        dark=dark.astype(np.float32),
        saturation_dn=65535.0,
        calibrated=True,
    )


def test_a_dark_frame_above_the_signal_does_not_wrap(shared_data: Path) -> None:
    frame, dark = plant(shared_data, "min"), plant(shared_data, "dark")
    cal = pyicg.calibrate(frame, plant_profile(shared_data))
    assert (frame - dark).mean() == pytest.approx(37234.7, abs=0.1)  # what unsigned arithmetic makes of it
    assert cal.data.mean(dtype=np.float64) == pytest.approx(166.9, abs=0.05)
    np.testing.assert_array_equal(cal.data, frame.astype(np.int64) - dark)
    assert (cal.data < 0).mean() == pytest.approx(0.5656, abs=1e-4)
    np.testing.assert_array_equal(cal.mask, np.where(frame == 0, 2, 0))


def test_plant_against_its_mask(shared_data: Path) -> None:
    frame, mask = plant(shared_data, "max"), plant(shared_data, "MASK") > 0
    profile = plant_profile(shared_data)
    score = pyicg.score_frame(frame, profile=profile)
    # A fifth of the pixels sits at a count of 0: the background's lower half is clipped away, so there is no ratio.
    assert score.quality.underflow_fraction == (frame == 0).mean() == pytest.approx(0.2102, abs=1e-4)
    assert score.background.level == pytest.approx(160.8, abs=1.0)
    assert score.contrast.sbr.reason == "background_not_resolved"
    assert score.fluorescent is None
    assert "uncalibrated" not in score.reasons
    # The plants themselves are plain: cut half way from background to their median (Dice 0.973).
    cal = pyicg.calibrate(frame, profile)
    level = score.background.level + 0.5 * (float(np.median(cal.data[mask])) - score.background.level)
    plants = cal.data > level
    assert 2 * (plants & mask).sum() / (plants.sum() + mask.sum()) >= 0.97


@pytest.mark.parametrize("name", ["min", "max"])
def test_no_policy_gives_a_number_over_a_background_that_was_cut_off(shared_data: Path, name: str) -> None:
    frame, mask = plant(shared_data, name), plant(shared_data, "MASK") > 0
    cal = pyicg.calibrate(frame, plant_profile(shared_data))
    table = pyicg.sensitivity_table(cal, signal=mask, mask=~mask)
    assert [row.policy for row in table.rows] == list(pyicg.background.POLICIES)
    assert table["percentile"].background.level < 0
    for row in table.rows:
        con = row.contrast
        for ratio in (con.sbr, con.weber, con.michelson):
            assert math.isnan(ratio.value)
        for figure in (con.sbr, con.weber, con.michelson, con.sbr_raw, con.cnr, con.cvr, con.background_level):
            assert figure.reason == "background_not_resolved"
