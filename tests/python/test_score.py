"""The corridor: the same digits through every door, on any number of threads, and whole files or none."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

import pyicg
from pyicg import CameraProfile, FrameScore, InputError, Plane, ProfileError, Stack, UnitError
from pyicg.demo import MARGIN_TOLERANCE_MM, SBR_TOLERANCE, run_demo
from pyicg.frame import ArrayFrames
from pyicg.phantom import BedPhantom, SectionPhantom
from pyicg.results import to_plain
from pyicg.scorer import frame_digest
from pyicg.specimen import section_answer

from .oracles import annulus

FILES = {"frames.csv", "lesions.csv", "summary.json", "overlay.png", "report.html"}
MIMIC = "mimic-overall"


@pytest.fixture(scope="module")
def bed() -> BedPhantom:
    return pyicg.phantom.bed_scene(shape=(120, 160), n_frames=7, ring_inner_radius_mm=2.4, pixel_size_mm=0.2, seed=4)


@pytest.fixture(scope="module")
def section() -> SectionPhantom:
    return pyicg.phantom.section_stack(margins_mm=(0.4, 3.0), shape=None, n_slices=7, seed=2)


def test_threads_do_not_change_a_digit(bed: BedPhantom, section: SectionPhantom) -> None:
    for stack, profile, options in (
        (bed.stack, bed.profile, {"view": "bed", "prevalence": MIMIC}),
        (section.stack, section.profile, {"view": "section", "plane": section.plane}),
    ):
        one, three = (pyicg.score_stack(stack, profile=profile, threads=n, **options) for n in (1, 3))
        assert one.to_dict() == three.to_dict()
        assert one.key_index == three.key_index
        np.testing.assert_array_equal(one.key_image, three.key_image)


def test_every_door_gives_the_same_digits(bed: BedPhantom) -> None:
    stack = pyicg.score_stack(bed.stack, profile=bed.profile, prevalence=MIMIC)
    scorer = pyicg.Scorer(bed.profile, shape=bed.stack.frame_shape, pixel_size_mm=0.2)
    for index, (frame, of_stack) in enumerate(zip(bed.stack, stack.frames, strict=True)):
        alone = pyicg.score_frame(frame, profile=bed.profile, pixel_size_mm=0.2, exposure_ms=20.0, prevalence=MIMIC)
        assert to_plain(replace(alone, index=index)) == to_plain(of_stack)
        own = scorer.score(frame, exposure_ms=20.0, index=index)
        assert own.margin is None
        assert to_plain(replace(own, margin=alone.margin)) == to_plain(of_stack)

        cal = pyicg.calibrate(frame, bed.profile, exposure_ms=20.0)
        background = pyicg.estimate_background(cal)
        rim = pyicg.segment_rim(cal, background=background, pixel_size_mm=0.2)
        assert background == of_stack.background
        assert to_plain(rim.lesions) == to_plain(of_stack.lesions)
        assert rim.rejected == of_stack.rejected


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (16, 32), (63, 65), (300, 301)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_digest_of_a_frame_is_that_of_hashlib(shape: tuple[int, int], dtype: str) -> None:
    frame = np.random.default_rng(1).integers(0, 200, shape).astype(dtype)
    expected = hashlib.sha256(f"{frame.dtype.str}{shape}".encode() + frame.tobytes()).hexdigest()
    assert frame_digest(frame) == expected
    padded = np.zeros((shape[0], shape[1] + 3), dtype)
    padded[:, : shape[1]] = frame
    assert frame_digest(padded[:, : shape[1]]) == expected
    assert frame_digest(np.asfortranarray(frame)) == expected


def deep_half_of_the_brightest(cal: pyicg.CalibratedFrame, level: float, cut: float) -> npt.NDArray[np.bool_]:
    """Find the signal region of the bed view in scipy."""
    smooth = gaussian_filter(cal.data.astype(np.float64), 1.0, mode="nearest", truncate=4.0)
    regions, _ = label(smooth > cut * level, np.ones((3, 3)))
    peak = np.unravel_index(np.where(regions > 0, smooth, 0).argmax(), smooth.shape)
    half = level + 0.5 * (smooth[peak] - level)
    parts, n = label((regions == regions[peak]) & (smooth > half), np.ones((3, 3)))
    kept = np.zeros(smooth.shape, bool)
    for k in range(1, n + 1):
        depth = distance_transform_edt(np.pad(parts == k, 1))[1:-1, 1:-1]
        kept |= (parts == k) & (depth >= 0.5 * depth.max())
    return kept


def test_signal_region_of_the_bed(bed: BedPhantom) -> None:
    frame = bed.stack[0]
    score = pyicg.score_frame(frame, profile=bed.profile, exposure_ms=20.0)
    cal = pyicg.calibrate(frame, bed.profile, exposure_ms=20.0)
    region = deep_half_of_the_brightest(cal, score.background.level, 1.5)
    con = pyicg.contrast(cal, signal=region, background=score.background)
    assert score.contrast == con


def test_bed_against_its_truth(bed: BedPhantom) -> None:
    result = pyicg.score_stack(bed.stack, profile=bed.profile, prevalence=MIMIC)
    for frame, truth in zip(result.frames, bed.truth.residual_mask, strict=True):
        assert frame.fluorescent is True
        assert frame.sign_at == {1.5: True, 1.75: True, 2.0: True}
        assert frame.background.level == pytest.approx(bed.truth.background_level, rel=0.005)
        assert frame.contrast.sbr.value == pytest.approx(3.0, rel=0.03)
        assert frame.contrast.sbr.reason is None
        assert len(frame.hot_spots) == 2
        assert frame.hot_spots[0].peak_sbr >= frame.hot_spots[1].peak_sbr
        # SBR 1.5 of 3 is a quarter of the way up an edge blurred by point spread and smoothing: 0.6745 sigma outside.
        edges_px = 2 * math.pi * (3.2 + 2.4 + 4.0) / 0.2
        outside = 0.6745 * math.hypot(1.2, 1.0) * edges_px
        assert frame.residual_area_px == pytest.approx(truth.sum() + outside, rel=0.02)
        assert frame.residual_area_mm2.value == pytest.approx(frame.residual_area_px * 0.04)
        assert len(frame.lesions) == 1
        assert frame.quality.calibrated
    assert result.margin is not None
    assert result.margin.sign is True
    assert result.summary["n_fluorescent"] == 7
    assert result.summary["median_sbr"] == np.median([f.contrast.sbr.value for f in result.frames])


def test_the_demonstration_recovers_its_truth(tmp_path: Path) -> None:
    rows = {row["quantity"]: row for row in run_demo(tmp_path)}
    assert all(row["ok"] for row in rows.values())
    for name in ("SBR of the residual fluorescence", "SBR of the rims"):
        assert rows[name]["measured"] == pytest.approx(rows[name]["true"], rel=SBR_TOLERANCE)
    margins = [row for name, row in rows.items() if name.startswith("margin")]
    assert [row["true"] for row in margins] == [0.4, 1.5, 6.0]
    for row in margins:
        assert row["measured"] == pytest.approx(row["true"], abs=MARGIN_TOLERANCE_MM)
    statuses = [row["measured"] for name, row in rows.items() if name.startswith("status")]
    assert [text.split(",")[0] for text in statuses] == ["R1", "R0", "R0"]
    assert statuses[0] == "R1, P(R1) > 99.9 % [> 99.9 %, > 99.9 %]"
    assert (SBR_TOLERANCE, MARGIN_TOLERANCE_MM) == (0.03, 0.15)
    for folder in (tmp_path, tmp_path / "bed"):
        assert {path.name for path in folder.iterdir() if path.is_file()} == FILES
        assert json.loads((folder / "summary.json").read_text())["summary"]["simulated"] is True


def flat(level: float, patch: float, seed: int = 0) -> npt.NDArray[np.uint16]:
    frame = np.random.default_rng(seed).normal(level, 5, (60, 60))
    frame[20:40, 20:40] *= patch
    return np.rint(frame).astype(np.uint16)


GLOWS, DARK = flat(500, 3), flat(500, 1)
LOST = np.zeros((60, 60), np.uint16)


@pytest.mark.parametrize(
    ("frames", "sign"),
    [
        ([GLOWS, GLOWS, GLOWS, DARK, DARK], True),
        ([GLOWS, DARK, DARK], False),
        ([DARK, GLOWS, GLOWS, DARK, DARK, DARK], False),
        ([GLOWS, DARK], None),
        ([GLOWS, LOST, LOST, LOST], True),
        ([LOST, LOST], None),
        ([DARK], False),
    ],
)
def test_the_majority_of_frames_decides(frames: list[npt.NDArray[np.uint16]], sign: bool | None) -> None:
    profile = replace(CameraProfile.identity((60, 60), bit_depth=12), calibrated=True)
    stack = Stack.from_array(np.array(frames), axes="TYX", bit_depth=12)
    result = pyicg.score_stack(stack, profile=profile, prevalence=MIMIC)
    assert result.margin is not None
    assert result.margin.sign is sign
    if sign is None:
        assert result.margin.label == "indeterminate"
    else:
        alone = pyicg.margin.PublishedAnchorModel(prevalence=MIMIC).predict(fluorescent=sign)
        if sign is False and len(frames) > 1:  # outvoted, but seen
            alone = replace(alone, label="indeterminate", reasons=("sign_contradicts",))
        assert replace(result.margin, provenance=alone.provenance) == alone
    signs = [frame.fluorescent for frame in result.frames]
    told = result.margin.provenance["frames"]
    assert [told[name] for name in ("present", "absent", "unknown")] == [signs.count(s) for s in (True, False, None)]
    assert told["rule"].startswith("the sign that most frames agree on")


def test_one_frame_of_many_is_outvoted() -> None:
    profile = replace(CameraProfile.identity((60, 60), bit_depth=12), calibrated=True)
    stack = Stack.from_array(np.array([DARK, DARK, GLOWS, DARK]), axes="TYX", bit_depth=12)
    margin = pyicg.score_stack(stack, profile=profile, prevalence=MIMIC).margin
    assert margin is not None
    assert (margin.label, margin.sign, margin.reasons) == ("R0", False, ())


@pytest.mark.parametrize(("seen", "sign"), [(10, None), (60, False)])
def test_a_frame_that_is_hardly_seen_has_no_absent_sign(seen: int, sign: bool | None) -> None:
    frame = np.full((60, 60), np.nan, np.float32)
    frame[:seen] = DARK[:seen]
    profile = replace(CameraProfile.identity((60, 60), bit_depth=12), calibrated=True)
    stack = Stack.from_array(np.array([frame]), axes="TYX", bit_depth=12)
    result = pyicg.score_stack(stack, profile=profile, prevalence=MIMIC)
    assert result.margin is not None
    assert (result.frames[0].fluorescent, result.margin.sign) == (sign, sign)
    assert result.margin.label == ("R0" if sign is False else "indeterminate")
    assert ("too_few_pixels" in result.margin.reasons) is (sign is None)
    glowing = frame.copy()
    glowing[2:8, 10:40] *= 3
    assert pyicg.score_frame(glowing, profile=profile, prevalence=MIMIC).fluorescent is True  # what is seen, is seen


def says_uncalibrated(score: FrameScore) -> bool:
    con = score.contrast
    figures = (con.sbr, con.sbr_raw, con.weber, con.michelson, con.cnr, con.cvr, con.signal_level, con.background_level)
    return (
        all(m.reason == "uncalibrated" for m in figures)
        and "uncalibrated" in score.reasons
        and not score.quality.calibrated
    )


@pytest.mark.parametrize("why", ["identity profile", "transfer unknown", "transfer srgb"])
def test_uncalibrated_is_said_everywhere(bed: BedPhantom, why: str) -> None:
    transfer = {"transfer unknown": None, "transfer srgb": "srgb"}.get(why, "linear")
    frames = ArrayFrames(np.array(list(bed.stack)), "array")
    stack = Stack(frames, axes="TYX", bit_depth=12, exposure_ms=20.0, transfer=transfer)
    profile = bed.profile if transfer != "linear" else CameraProfile.identity(bed.profile.shape, bit_depth=12)
    result = pyicg.score_stack(stack, profile=profile, prevalence=MIMIC)
    for frame in result.frames:
        assert says_uncalibrated(frame)
        assert all(lesion.sbr.reason == "uncalibrated" for lesion in frame.lesions)
        assert frame.margin is not None
        assert frame.margin.label == "indeterminate"
        assert "uncalibrated" in frame.margin.reasons
    assert result.margin is not None
    assert result.margin.label == "indeterminate"
    assert "uncalibrated" in result.margin.reasons
    assert result.summary["calibrated"] is False
    assert "uncalibrated" in result.summary["reasons"]


def test_missing_prevalence_leaves_the_sign_and_no_label(bed: BedPhantom) -> None:
    score = pyicg.score_frame(bed.stack[0], profile=bed.profile, exposure_ms=20.0)
    assert score.margin is not None
    assert (score.margin.label, score.margin.sign, score.margin.reasons) == ("indeterminate", True, ("no_prevalence",))
    assert math.isnan(score.margin.p_r1)
    assert score.residual_area_mm2.reason == "no_pixel_size"


def test_options_of_the_margin_reach_every_door(bed: BedPhantom) -> None:
    told = {"risk_threshold": 0.5, "dose_mg": 25.0, "hours_before": 24.0}
    one = pyicg.score_frame(
        bed.stack[0], profile=bed.profile, pixel_size_mm=0.2, exposure_ms=20.0, prevalence=MIMIC, **told
    )
    of_stack = pyicg.score_stack(bed.stack, profile=bed.profile, prevalence=MIMIC, **told)
    assert to_plain(one) == to_plain(of_stack.frames[0])
    for status in (one.margin, of_stack.margin):
        assert status is not None
        assert status.reasons == ("protocol_differs", "straddles_threshold")
        assert status.provenance["risk_threshold"]["value"] == 0.5
    assert {name: of_stack.summary[name] for name in told} == told


def test_exposure_outside_the_range_is_refused_with_its_reason(bed: BedPhantom) -> None:
    score = pyicg.score_frame(bed.stack[0], profile=bed.profile, exposure_ms=200.0, prevalence=MIMIC)
    assert score.fluorescent is None
    assert math.isnan(score.contrast.sbr.value)
    assert "out_of_range" in score.reasons
    assert score.margin is not None
    assert score.margin.label == "indeterminate"


def test_saturation_where_it_decides_makes_the_sign_unknown() -> None:
    frame = flat(500, 3)
    frame[20:40, 20:40] = 4095
    profile = replace(CameraProfile.identity((60, 60), bit_depth=12), calibrated=True)
    score = pyicg.score_frame(frame, profile=profile, prevalence=MIMIC)
    assert score.contrast.sbr.reason == "saturated_lower_bound"
    assert score.contrast.sbr.ci[1] == math.inf
    assert score.quality.saturated_fraction == 400 / 3600
    assert score.margin is not None
    assert score.margin.label == "indeterminate"
    assert "saturated_lower_bound" in score.margin.reasons


def test_digest_is_of_the_pixels_whatever_the_stride() -> None:
    profile = CameraProfile.identity((60, 60), bit_depth=12)
    scorer = pyicg.Scorer(profile, shape=(60, 60))
    reference = scorer.score(GLOWS)
    for view in (GLOWS[::-1].copy()[::-1], np.repeat(GLOWS, 2, axis=0)[::2], np.pad(GLOWS, 3)[3:-3, 3:-3]):
        assert not view.flags.c_contiguous
        view.flags.writeable = False
        assert to_plain(scorer.score(view)) == to_plain(reference)
    digests = {scorer.score(frame).frame_digest for frame in (GLOWS, DARK, GLOWS.T.copy(), GLOWS[::-1].copy())}
    assert len(digests) == 4
    single = pyicg.Scorer(profile, shape=(60, 60), dtype="float32").score(GLOWS.astype(np.float32))
    assert single.frame_digest not in digests
    assert single.contrast == reference.contrast


def test_scorer_remembers_nothing_and_serves_many_threads() -> None:
    scorer = pyicg.Scorer(CameraProfile.identity((60, 60), bit_depth=12), shape=(60, 60))
    frames = [flat(500, 3, seed) if seed % 2 else flat(700, 1, seed) for seed in range(6)]
    expected = [to_plain(scorer.score(frame)) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda frame: to_plain(scorer.score(frame)), frames * 5)) == expected * 5


def test_maps_of_the_last_frame() -> None:
    frame = (annulus((100, 100), (50, 50), 16, 26) + np.random.default_rng(0).normal(0, 2, (100, 100))).astype("u2")
    profile = CameraProfile.identity((100, 100), bit_depth=12)
    scorer = pyicg.Scorer(profile, shape=(100, 100), outputs=("metrics", "data", "mask", "labels"))
    scorer.score(frame)
    cal = pyicg.calibrate(frame, profile)
    kept = dict(scorer.maps)
    scorer.score(np.zeros_like(frame))
    np.testing.assert_array_equal(kept["data"], cal.data)
    np.testing.assert_array_equal(kept["mask"], cal.mask)
    np.testing.assert_array_equal(kept["labels"], pyicg.segment_rim(cal).labels)
    assert not scorer.maps["labels"].any()


def test_without_lesions_all_else_is_the_same(bed: BedPhantom) -> None:
    options: Any = {"profile": bed.profile, "prevalence": MIMIC}
    whole, bare = (pyicg.score_stack(bed.stack, lesions=wanted, **options) for wanted in (True, False))
    assert whole.lesions
    assert bare.lesions == ()
    assert (bare.summary["n_lesions"], bare.summary["reasons"][-1]) == (None, "lesions_not_sought")
    assert bare.margin == whole.margin
    assert to_plain(bare.sensitivity) == to_plain(whole.sensitivity)
    for found, expected in zip(bare.frames, whole.frames, strict=True):
        reasons = (*expected.reasons, "lesions_not_sought")
        assert to_plain(found) == to_plain(replace(expected, lesions=(), rejected=(), reasons=reasons))


def test_nobody_is_told_that_there_are_no_lesions(bed: BedPhantom, tmp_path: Path) -> None:
    pyicg.score_stack(bed.stack, profile=bed.profile, lesions=False).write(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Nobody looked for lesions" in page
    assert "Rims were not looked for" in page
    assert "No lesion was found" not in page
    assert "No rim was found" not in page
    with (tmp_path / "out" / "frames.csv").open(encoding="utf-8", newline="") as file:
        assert {row["n_lesions"] for row in csv.DictReader(file)} == {""}


@pytest.mark.parametrize("name", ["labels", "lesion"])
def test_no_map_of_lesions_without_them(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}'.*lesions=True"):
        pyicg.Scorer(PROFILE, shape=(60, 60), outputs=("metrics", name), lesions=False)
    with pytest.raises(InputError, match="section"):
        pyicg.Scorer(PROFILE, shape=(60, 60), view="section", lesions=False)


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, np.transpose])
def test_the_score_of_a_turned_frame(turn: Any) -> None:
    plain, turned = (
        pyicg.score_frame(frame, profile=CameraProfile.identity(frame.shape, bit_depth=12))
        for frame in (GLOWS, np.ascontiguousarray(turn(GLOWS)))
    )
    assert turned.contrast.sbr.value == pytest.approx(plain.contrast.sbr.value, rel=1e-9)
    assert turned.background.level == pytest.approx(plain.background.level, rel=1e-12)
    assert (turned.residual_area_px, turned.sign_at) == (plain.residual_area_px, plain.sign_at)
    assert turned.quality.focus == pytest.approx(plain.quality.focus, rel=1e-9)


PROFILE = CameraProfile.identity((60, 60), bit_depth=12)
VIDEO = Stack.from_array(np.array([GLOWS, DARK]), axes="TYX", bit_depth=12)
PLANE = Plane(point_mm=(0, 1, 0), normal=(0, 1, 0))


@pytest.mark.parametrize(
    ("stack", "options", "error", "message"),
    [
        (VIDEO, {"view": "section"}, InputError, "axes are TYX"),
        (VIDEO, {"view": "bed", "plane": PLANE}, InputError, "plane belongs to the section view"),
        (VIDEO, {"view": "top"}, InputError, '"bed" or "section"'),
        (VIDEO, {"threads": 0}, InputError, "threads"),
        (
            Stack.from_array(np.array([GLOWS]), axes="ZYX", bit_depth=12),
            {"view": "section", "lesions": False},
            InputError,
            "bed view",
        ),
        (VIDEO, {"sbr_cut": 0.5}, InputError, "sbr_cut"),
        (VIDEO, {"prevalence": 1.5}, InputError, "prevalence"),
        (VIDEO, {"risk_threshold": 1.0}, InputError, "risk_threshold"),
        (VIDEO, {"tie": "r1"}, InputError, "tie is 'r1'"),
        (VIDEO, {"hours_before": -1}, InputError, "hours_before"),
        (Stack.from_array(np.array([GLOWS]), axes="TYX"), {}, ProfileError, "16 bits, the profile 12"),
        (Stack.from_array(GLOWS[1:].copy(), axes="YX", bit_depth=12), {}, ProfileError, "60"),
        (
            Stack.from_array(GLOWS, axes="YX", bit_depth=12, spacing_mm=(None, 0.1, 0.2)),
            {},
            UnitError,
            "not square",
        ),
    ],
)
def test_what_does_not_fit_is_refused(stack: Stack, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pyicg.score_stack(stack, profile=PROFILE, **options)


def test_a_plane_needs_millimetres(section: SectionPhantom) -> None:
    stack = Stack.from_array(np.array(list(section.stack)), axes="ZYX", bit_depth=12, exposure_ms=20.0)
    with pytest.raises(UnitError, match="slice_spacing_mm"):
        pyicg.score_stack(stack, profile=section.profile, view="section", plane=section.plane)
    without = pyicg.score_stack(stack, profile=section.profile, view="section")
    assert without.distance is None
    assert without.margin is not None
    assert (without.margin.label, without.margin.reasons) == ("indeterminate", ("no_plane",))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GLOWS.astype(">u2"), "takes uint16"),
        (GLOWS.astype(np.float32), "takes uint16"),
        (GLOWS[1:], "takes uint16"),
        (np.repeat(GLOWS, 2, axis=1)[:, ::2], "columns side by side"),
        (GLOWS.tolist(), "found list"),
    ],
)
def test_scorer_refuses_other_frames(frame: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pyicg.Scorer(PROFILE, shape=(60, 60)).score(frame)


def test_written_folder(section: SectionPhantom, tmp_path: Path) -> None:
    result = pyicg.score_stack(section.stack, profile=section.profile, view="section", plane=section.plane)
    folder = result.write(tmp_path / "new" / "results")
    assert {path.name for path in folder.iterdir()} == FILES
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(result.to_dict()))
    with (folder / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = result.to_records()
    assert list(rows[0]) == list(records[0])
    assert [float(row["background_level"]) for row in rows] == [f.background.level for f in result.frames]
    assert [row["frame_digest"] for row in rows] == [f.frame_digest for f in result.frames]
    assert {"index", "unit", "sbr", "sbr_lo", "sbr_hi", "sbr_reason", "cnr", "fluorescent", "reasons"} <= set(rows[0])
    with (folder / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    members = [(lesion.label, index) for lesion in result.lesions for index, _ in lesion.members]
    assert [(int(row["lesion"]), int(row["index"])) for row in rows] == members
    assert {row["lesion_margin"] for row in rows} == {"R1", "R0"}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result.write(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_slices_are_linked_into_lesions(section: SectionPhantom) -> None:
    result = pyicg.score_stack(section.stack, profile=section.profile, view="section", plane=section.plane)
    assert len(result.lesions) == 2
    for lesion, truth in zip(
        sorted(result.lesions, key=lambda found: found.members[0][1].centroid[1]), section.truth.lesions, strict=True
    ):
        indices = [index for index, _ in lesion.members]
        assert indices == list(range(indices[0], indices[-1] + 1))
        assert lesion.distance is not None
        assert lesion.distance.min_mm == pytest.approx(truth.margin_mm, abs=0.15)
        assert lesion.margin is not None
        assert lesion.margin.label == truth.label
    assert result.distance is not None
    assert result.distance.min_mm == min(lesion.distance.min_mm for lesion in result.lesions if lesion.distance)
    assert result.key_index == 3


class Interrupted(ArrayFrames):
    """A stack on which somebody presses Ctrl-C at the fourth frame."""

    def read(self, index: int) -> npt.NDArray[Any]:
        if index == 3:
            raise KeyboardInterrupt
        return super().read(index)


@pytest.mark.parametrize("threads", [1, 3])
def test_interrupted_while_scoring(bed: BedPhantom, tmp_path: Path, threads: int) -> None:
    stack = Stack(Interrupted(np.array(list(bed.stack)), "array"), axes="TYX", bit_depth=12, exposure_ms=20.0)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        pyicg.score_stack(stack, profile=bed.profile, threads=threads).write(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left <= {"tqdm_monitor"}  # started once in a process, by the first bar


def test_interrupted_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pyicg.score_stack(VIDEO, profile=PROFILE)
    real = Path.write_bytes

    def write_bytes(path: Path, content: bytes) -> int:
        if path.name == "summary.json":
            real(path, content[: len(content) // 2])
            raise KeyboardInterrupt
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(KeyboardInterrupt):
        result.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write to"):
        pyicg.score_stack(VIDEO, profile=PROFILE).write(tmp_path / "file" / "out")


@pytest.mark.parametrize("margin_mm", [-0.5, -1.5, -3.0])
def test_a_tumour_that_the_plane_cuts_is_never_r0(margin_mm: float) -> None:
    scene = pyicg.phantom.section_stack(margins_mm=(margin_mm, 6.0), n_slices=9, seed=3)
    result = pyicg.score_stack(scene.stack, profile=scene.profile, view="section", plane=scene.plane)
    assert result.margin is not None
    assert result.distance is not None
    # The rim is open at the plane and found all the same: its contour reaches the plane.
    assert result.margin.label == "R1"
    assert result.margin.p_r1 > 0.99
    assert result.distance.min_mm < 0
    assert "no_enclosed_core" in result.margin.reasons
    assert "no_enclosed_core" in result.distance.warnings
    whole = [lesion for lesion in result.lesions if lesion.margin is not None and lesion.margin.label == "R0"]
    assert [lesion.distance.min_mm for lesion in whole if lesion.distance] == pytest.approx([6.0], abs=0.1)


def test_the_worst_lesion_decides() -> None:
    scene = pyicg.phantom.section_stack(margins_mm=(1.5, 6.0))
    result = pyicg.score_stack(scene.stack, profile=scene.profile, view="section", plane=scene.plane)
    near, far = sorted(result.lesions, key=lambda lesion: lesion.distance.min_mm)
    wide = pyicg.Distance(1.7, 0.6, (0.5, 2.9), 1.7, near.distance.foot_mm)
    doubtful = replace(far, distance=wide, margin=pyicg.margin.from_distance(wide))
    assert near.margin.label == "R0"
    distance, status = section_answer((near, doubtful), scene.plane, result.frames, scene.stack.spacing_mm)
    assert distance.min_mm == near.distance.min_mm
    assert status.label == "indeterminate"
    assert status.reasons == ("straddles_threshold",)


def test_a_cut_in_the_middle_slice_is_not_taken_for_a_cap() -> None:
    # The slices beside the cut one show the lesion whole: they must not excuse the open rim between them.
    scene = pyicg.phantom.section_stack(margins_mm=(-0.1,), core_radius_mm=8, slice_spacing_mm=5, n_slices=5)
    result = pyicg.score_stack(scene.stack, profile=scene.profile, view="section", plane=scene.plane)
    assert result.margin is not None
    assert result.margin.label == "R1"
    assert "no_enclosed_core" in result.margin.reasons


@pytest.mark.parametrize("spacing", [0.25, 0.5])
def test_a_plane_along_the_slices_allows_for_the_tip(spacing: float) -> None:
    # Slices of a ball, core 3.5 mm; the plane lies 0.9 mm beyond its tip, parallel to the slices.
    um, size, n = 0.1, 120, int(2 * 6 / spacing) + 1
    y, x = np.mgrid[:size, :size] * um - size * um / 2
    z = np.arange(n) * spacing - 6
    r = np.sqrt(z[:, None, None] ** 2 + y**2 + x**2)
    ball = np.where(r < 3.5, 200.0, np.where(r < 3.9, 4000.0, 1000.0))
    noisy = gaussian_filter(ball, (0, 1, 1)) + np.random.default_rng(1).normal(0, 10, ball.shape)
    stack = Stack.from_array(noisy.round().astype(np.uint16), axes="ZYX", spacing_mm=(spacing, um, um))
    plane = Plane(point_mm=(6 + 3.5 + 0.9, 0, 0), normal=(1, 0, 0))
    result = pyicg.score_stack(stack, profile=CameraProfile.identity((size, size)), view="section", plane=plane)
    assert result.distance is not None
    assert result.distance.ci_mm[0] <= 0.9 <= result.distance.ci_mm[1]
    assert result.margin is not None
    assert result.margin.label != "R0"


def test_saturated_rims_leave_the_margin_open() -> None:
    camera = pyicg.phantom.SimulatedCamera(gain_dn_per_e=1.4)
    scene = pyicg.phantom.section_stack(margins_mm=(0.4, 6.0), camera=camera)
    result = pyicg.score_stack(scene.stack, profile=scene.profile, view="section", plane=scene.plane)
    assert result.margin is not None
    assert result.margin.label == "indeterminate"
    assert result.margin.reasons.count("saturated_lower_bound") == 1
    # From the room's own door too: no R0 rests on a saturated rim.
    rims = [
        pyicg.segment_rim(pyicg.calibrate(frame, scene.profile, exposure_ms=scene.stack.exposure_ms), pixel_size_mm=0.1)
        for frame in scene.stack
    ]
    far = pyicg.Plane(point_mm=(0, 100, 0), normal=(0, 1, 0))
    distance = pyicg.distance_to_plane(rims, far, spacing_mm=scene.stack.spacing_mm)
    assert distance.min_mm > 50
    assert "saturated_lower_bound" in distance.warnings
    assert pyicg.margin.from_distance(distance).label == "indeterminate"


def test_a_black_table_is_not_the_background() -> None:
    scene = pyicg.phantom.section_stack(margins_mm=(1.5,))
    frames = np.stack(list(scene.stack))
    table = np.repeat(frames[:, -1:, :], 2 * frames.shape[1], axis=1)
    wide = np.concatenate([frames, table], axis=1)
    shape = wide.shape[1:]

    def grown(array: Any, fill: float) -> Any:
        return np.concatenate([array, np.full((table.shape[1], shape[1]), fill, array.dtype)])

    profile = replace(
        scene.profile,
        shape=shape,
        dark=grown(scene.profile.dark, float(scene.profile.dark.mean())),
        flat=grown(scene.profile.flat, 1.0),
        bad=grown(scene.profile.bad, 0),
        dark_sigma=grown(scene.profile.dark_sigma, 1.0),
        flat_sigma=grown(scene.profile.flat_sigma, 0.01),
    )
    stack = Stack.from_array(
        wide, axes="ZYX", spacing_mm=scene.stack.spacing_mm, exposure_ms=scene.stack.exposure_ms, bit_depth=12
    )
    result = pyicg.score_stack(stack, profile=profile, view="section", plane=scene.plane)
    assert result.summary["median_sbr"] == pytest.approx(scene.truth.sbr, rel=0.03)
    assert "empty_field_left_out" in result.summary["reasons"]
    assert result.distance is not None
    assert result.distance.min_mm == pytest.approx(1.5, abs=0.15)


def test_slices_that_were_not_seen_allow_no_r0() -> None:
    cut = pyicg.phantom.section_stack(margins_mm=(3.0,), n_slices=9)
    frames = np.array([np.array(frame) for frame in cut.stack])
    frames[0] = 4095  # beyond the end of the tumour
    stack = Stack.from_array(frames, axes="ZYX", spacing_mm=cut.stack.spacing_mm, exposure_ms=20, bit_depth=12)
    result = pyicg.score_stack(stack, profile=cut.profile, view="section", plane=cut.plane)
    assert result.margin is not None
    assert result.margin.label == "indeterminate"
    assert {"saturated_lower_bound", "too_few_pixels"} <= set(result.margin.reasons)
    (lesion,) = result.lesions
    assert lesion.margin is not None
    assert (lesion.margin.label, lesion.margin.reasons) == ("indeterminate", result.margin.reasons)
    # Where the nearest slices are lost, the tumour goes on into them: 0.9 mm is not taken for more.
    near = pyicg.phantom.section_stack(margins_mm=(0.9,), n_slices=9)
    frames = np.array([np.array(frame) for frame in near.stack])
    frames[:6] = 4095
    stack = Stack.from_array(frames, axes="ZYX", spacing_mm=near.stack.spacing_mm, exposure_ms=20, bit_depth=12)
    result = pyicg.score_stack(stack, profile=near.profile, view="section", plane=near.plane)
    assert result.margin is not None
    assert result.margin.label == "indeterminate"
    assert "slice_missing" in result.margin.reasons
