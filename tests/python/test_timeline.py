"""SBR over time: which frames are left out, and whether the band holds the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d

import pyicg
from pyicg import FrameRules, InputError, Measurement, Stack, sbr_curve
from pyicg.phantom import SimulatedCamera
from pyicg.results import FrameScore
from pyicg.score import StackScore

Reals = npt.NDArray[np.float64]
Spoil = Callable[[int, Reals], Reals]
SHAPE = (128, 160)
N = 14


def untouched(_: int, scene: Reals) -> Reals:
    return scene


def video(
    spoil: Spoil = untouched,
    *,
    sbr: Reals | None = None,
    light: float = 80.0,
    texture: float = 0.03,
    ring: float | None = None,
    camera: SimulatedCamera | None = None,
    exposure_ms: float | None = None,
) -> StackScore:
    """Score a simulated video of a drifting lesion; `spoil` changes scenes, `light` is electrons per ms of liver."""
    heights = np.full(N, 3.0) if sbr is None else sbr
    camera = SimulatedCamera(seed=4) if camera is None else camera
    bed = pyicg.phantom.bed_scene(shape=SHAPE, n_frames=N, sbr=2.0, ring_inner_radius_mm=ring)
    glow = bed.truth.noiseless.astype(float) / bed.truth.background_level - 1
    grain = gaussian_filter(np.random.default_rng(1).standard_normal(SHAPE), 6.0, mode="wrap")
    liver = 1 + texture * grain / grain.std()
    scenes = [spoil(t, liver * (1 + (heights[t] - 1) * glow[t])) for t in range(N)]
    exposure = camera.exposure_ms if exposure_ms is None else exposure_ms
    raw = camera.expose(light * np.array(scenes), exposure_ms=exposure)
    stack = Stack.from_array(
        raw, axes="TYX", spacing_mm=(None, 0.2, 0.2), exposure_ms=exposure, bit_depth=camera.bit_depth
    )
    profile = camera.measure_profile(SHAPE)
    if exposure_ms is not None:
        profile = replace(profile, exposure_range_ms=(1.0, 1000.0))
    return pyicg.score_stack(stack, profile=profile, threads=1)


@cache
def plain_video() -> StackScore:
    return video()


def spots(scene: Reals, *, n: int, level: float) -> Reals:
    rng = np.random.default_rng(3)
    y, x = np.indices(scene.shape)
    dazzled = scene.copy()
    for _ in range(n):
        centre = rng.uniform(8, 120, 2)
        dazzled[np.hypot(y - centre[0], x - centre[1]) < 2.3] = level
    return dazzled


BAD: dict[int, tuple[str, Callable[[Reals], Reals]]] = {
    2: ("out_of_focus", lambda scene: gaussian_filter(scene, 2.0)),
    4: ("motion_blur", lambda scene: uniform_filter1d(scene, 10, axis=1)),
    6: ("frame_saturated", lambda scene: 10 * scene),
    8: ("glare", lambda scene: spots(scene, n=5, level=11.0)),
    9: ("glare", lambda scene: spots(scene, n=5, level=60.0)),  # saturated
    11: ("motion_blur", lambda scene: uniform_filter1d(scene, 10, axis=0)),
}


def spoilt(index: int, scene: Reals) -> Reals:
    return BAD[index][1](scene) if index in BAD else scene


@cache
def spoilt_video() -> StackScore:
    return video(spoilt)


def test_the_bad_frames_and_no_others_are_left_out() -> None:
    curve = sbr_curve(spoilt_video())
    assert {index for index, reasons in enumerate(curve.left_out) if reasons} == set(BAD)
    for index, (reason, _) in BAD.items():
        assert reason in curve.left_out[index]
    assert "motion_blur" not in curve.left_out[2]
    # The curve runs on through the gaps and is what the good frames alone say.
    good = [frame for index, frame in enumerate(spoilt_video().frames) if index not in BAD]
    kept = [index for index in range(N) if index not in BAD]
    np.testing.assert_allclose(curve.smooth[kept], sbr_curve(good, rules=FrameRules(min_focus=0)).smooth, rtol=1e-12)
    assert np.isfinite(curve.smooth).all()
    np.testing.assert_allclose(curve.smooth, 3.0, atol=0.2)


@pytest.mark.parametrize(
    "options",
    [{}, {"light": 4.0}, {"ring": 3.0}, {"texture": 0.0}, {"camera": SimulatedCamera(bit_depth=8, gain_dn_per_e=0.015,
     offset_dn=8.0, read_noise_e=60.0, vignetting=0.4, seed=2)}],
    ids=["plain", "low light", "ring", "smooth liver", "noisy 8 bit"],
)  # fmt: skip
def test_no_good_frame_is_left_out(options: dict[str, Any]) -> None:
    assert sbr_curve(video(**options)).left_out == ((),) * N


def test_a_rising_sbr_leaves_out_no_frame() -> None:
    heights = np.concatenate([np.full(4, 1.7), np.linspace(1.7, 7.0, N - 4)])
    curve = sbr_curve(video(sbr=heights))
    assert curve.left_out == ((),) * N
    np.testing.assert_allclose(curve.smooth, heights, rtol=0.12)


def test_exposure_and_noise_do_not_change_the_focus() -> None:
    bright = [frame.quality for frame in plain_video().frames]
    dim = [frame.quality for frame in video(exposure_ms=2.0).frames]  # 160 electrons of liver, 8 of read noise
    dimmer = [frame.quality for frame in video(light=2.0).frames]  # 40 electrons
    focus = np.mean([quality.focus for quality in bright])
    assert np.std([quality.focus for quality in bright]) < 0.02 * focus
    assert np.mean([quality.focus for quality in dim]) == pytest.approx(focus, rel=0.02)
    assert np.mean([quality.focus for quality in dimmer]) == pytest.approx(focus, rel=0.04)
    assert all(quality.isotropy > 0.9 for quality in (*bright, *dim))
    assert all(quality.isotropy > 0.8 for quality in dimmer)
    assert all(quality.glare_fraction == 0 for quality in (*bright, *dim, *dimmer))


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, np.transpose])
def test_quality_of_a_turned_frame(turn: Any) -> None:
    y, x = np.indices((96, 120))
    scene = np.where(np.hypot(y - 50, 0.7 * (x - 55)) < 18, 900.0, 300.0)
    scene = uniform_filter1d(gaussian_filter(scene, 1.2), 6, axis=1)
    scene[20:24, 90:93] = 4000
    frame = np.minimum(np.random.default_rng(0).poisson(scene), 4095).astype(np.uint16)
    plain, turned = (
        pyicg.score_frame(f, profile=pyicg.CameraProfile.identity(f.shape, bit_depth=12)).quality
        for f in (frame, np.ascontiguousarray(turn(frame)))
    )
    assert plain.isotropy < 0.9
    assert plain.glare_fraction == 12 / frame.size == turned.glare_fraction
    assert turned.focus == pytest.approx(plain.focus, rel=1e-12)
    assert turned.isotropy == pytest.approx(plain.isotropy, rel=1e-10)


# Frames with a stated SBR, for what concerns the curve only.


def frames_of(sbr: Reals, sigma: Reals) -> list[FrameScore]:
    base = plain_video().frames[0]
    frames = []
    for index, (value, spread) in enumerate(zip(sbr.tolist(), sigma.tolist(), strict=True)):
        found = Measurement(value, spread, (value - 1.96 * spread, value + 1.96 * spread))
        frames.append(replace(base, index=index, contrast=replace(base.contrast, sbr=found)))
    return frames


def known_curves(n: int) -> dict[str, Reals]:
    t = np.linspace(0, 1, n)
    return {
        "flat": np.full(n, 2.0),
        "inflow": 3 - 1.8 * np.exp(-5 * t),
        "passage": 2 + 1.5 * np.exp(-0.5 * ((t - 0.5) / 0.12) ** 2),
        "wave": 3 + np.sin(2 * np.pi * t),
    }


@pytest.mark.parametrize(("extra", "common"), [(0.0, 0.0), (0.03, 0.0), (0.08, 0.0), (0.0, 0.05)])
def test_the_band_covers_a_known_curve(extra: float, common: float) -> None:
    """`extra`: scatter that the frames do not know of; `common`: part of their sigma that all frames share."""
    rng = np.random.default_rng(11)
    n, covered = 50, []
    for truth in known_curves(n).values():
        sigma = 0.03 * rng.uniform(0.7, 1.5, n)
        for _ in range(25):
            noise = rng.normal(0, np.hypot(sigma, extra)) + common * rng.standard_normal()
            curve = sbr_curve(frames_of(truth + noise, np.hypot(sigma, common)))
            covered.append(np.mean((curve.band[:, 0] <= truth) & (truth <= curve.band[:, 1])))
    assert 0.92 <= np.mean(covered) <= 0.98


def test_scatter_and_common_share_are_found() -> None:
    rng = np.random.default_rng(5)
    truth = known_curves(200)["inflow"]
    sigma = np.full(200, 0.04)
    scattered = sbr_curve(frames_of(truth + rng.normal(0, np.hypot(0.04, 0.08), 200), sigma))
    assert scattered.extra_sigma == pytest.approx(0.08, rel=0.15)
    assert scattered.common_share == 0
    shared = sbr_curve(frames_of(truth + 0.03 + rng.normal(0, 0.01, 200), sigma))
    assert shared.extra_sigma == 0
    assert shared.common_share == pytest.approx(1 - 0.01**2 / 0.04**2, abs=0.04)
    assert np.diff(shared.band).mean() > 2 * 1.96 * 0.9 * 0.04  # does not average out
    honest = sbr_curve(frames_of(truth + rng.normal(0, 0.04, 200), sigma))
    assert (honest.extra_sigma < 0.02, honest.common_share < 0.1) == (True, True)
    assert np.diff(honest.band).mean() < 0.6 * 2 * 1.96 * 0.04


def test_a_straight_line_is_kept_and_weights_count() -> None:
    times = np.array([0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 6.0])
    line = 2 + 0.3 * times
    sigma = np.full(7, 0.1)
    curve = sbr_curve(frames_of(line, sigma), times_s=times, window=1.5)
    np.testing.assert_allclose(curve.smooth, line, rtol=1e-12)
    assert curve.window == 1.5
    line[3] += 1.0
    wrong = sbr_curve(frames_of(line, sigma), times_s=times, window=1.5)
    sigma[3] = 100.0
    known = sbr_curve(frames_of(line, sigma), times_s=times, window=1.5)
    assert abs(wrong.smooth[3] - 2.6) > 0.2
    assert known.smooth[3] == pytest.approx(2.6, abs=1e-4)


def test_against_the_weighted_fit_of_a_line_at_each_time() -> None:
    rng = np.random.default_rng(2)
    times = np.sort(rng.uniform(0, 10, 30))
    sigma = rng.uniform(0.05, 0.2, 30)
    values = 3 + np.sin(times) + rng.normal(0, sigma)
    curve = sbr_curve(frames_of(values, sigma), times_s=times, window=0.8)
    total = sigma**2 + curve.extra_sigma**2
    for i, time in enumerate(times):
        weights = np.exp(-0.5 * ((times - time) / 0.8) ** 2) / total
        assert curve.smooth[i] == pytest.approx(np.polyfit(times - time, values, 1, w=np.sqrt(weights))[1], rel=1e-9)


def test_the_order_of_the_frames_does_not_change_a_bit() -> None:
    rng = np.random.default_rng(6)
    frames = frames_of(3 + rng.normal(0, 0.05, 20), np.full(20, 0.03))
    frames[4] = replace(frames[4], quality=replace(frames[4].quality, glare_fraction=0.5))
    plain = sbr_curve(frames)
    order = rng.permutation(20)
    mixed = sbr_curve([frames[i] for i in order])
    assert mixed.left_out == tuple(plain.left_out[i] for i in order)
    np.testing.assert_array_equal(mixed.times, order)
    np.testing.assert_array_equal(mixed.smooth, plain.smooth[order])
    np.testing.assert_array_equal(mixed.band, plain.band[order])
    assert mixed.window == plain.window


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_frames_are_not_smoothed(n: int) -> None:
    values, sigma = np.array([2.0, 3.0, 2.5])[:n], np.array([0.1, 0.2, 0.1])[:n]
    curve = sbr_curve(frames_of(values, sigma))
    np.testing.assert_array_equal(curve.smooth, values)
    np.testing.assert_array_equal(curve.band, curve.ci)
    assert math.isnan(curve.window)


def test_undefined_frames_are_left_out_with_their_own_reason() -> None:
    frames = frames_of(np.full(8, 3.0), np.full(8, 0.1))

    def with_sbr(index: int, sbr: Measurement) -> None:
        frames[index] = replace(frames[index], contrast=replace(frames[index].contrast, sbr=sbr))

    with_sbr(1, Measurement.undefined("no_signal"))
    with_sbr(3, Measurement(3.0, 0.1, (2.8, math.inf), "saturated_lower_bound"))
    with_sbr(5, Measurement(3.0, 0.1, (2.8, 3.2), "uncalibrated"))
    with_sbr(6, Measurement(3.0))
    curve = sbr_curve(frames)
    assert curve.left_out == ((), ("no_signal",), (), ("saturated_lower_bound",), (), (), ("too_few_pixels",), ())
    np.testing.assert_allclose(curve.smooth, 3.0)
    nothing = sbr_curve([frames[1]])
    assert np.isnan([nothing.smooth[0], *nothing.band[0], nothing.window]).all()
    # Constant frames without noise have no uncertainty of their own.
    np.testing.assert_allclose(sbr_curve(frames_of(np.full(5, 3.0), np.zeros(5))).smooth, 3.0)


def test_no_curve_where_no_used_frame_is_near() -> None:
    frames = frames_of(np.full(9, 3.0), np.full(9, 0.1))
    frames[8] = replace(frames[8], quality=replace(frames[8].quality, saturated_fraction=0.5))
    curve = sbr_curve(frames, times_s=[0, 1, 2, 3, 4, 5, 6, 7, 100], window=1.0)
    assert curve.left_out[8] == ("frame_saturated",)
    assert np.isnan([curve.smooth[8], *curve.band[8]]).all()
    assert np.isfinite(curve.smooth[:8]).all()
    alone = sbr_curve(frames, times_s=[0, 1, 2, 3, 4, 5, 6, 90, 100], window=1.0)  # no slope at 90
    assert alone.smooth[7] == pytest.approx(3.0)


def test_rules_are_shares_of_the_series() -> None:
    frames = list(plain_video().frames)
    quality = frames[3].quality
    frames[3] = replace(frames[3], quality=replace(quality, focus=0.7 * quality.focus))
    assert sbr_curve(frames).left_out[3] == ("out_of_focus",)
    assert sbr_curve(frames, rules=FrameRules(min_focus=0.6)).left_out[3] == ()
    assert sbr_curve(frames[2:4]).left_out == ((), ())  # two frames are no series
    frames[3] = replace(frames[3], quality=replace(quality, focus=math.nan, isotropy=math.nan))
    assert sbr_curve(frames).left_out[3] == ()
    for wrong in ({"max_glare": -0.1}, {"min_focus": 1.5}, {"min_isotropy": math.nan}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            FrameRules(**wrong)


def test_records() -> None:
    curve = sbr_curve(spoilt_video(), times_s=np.arange(N) / 10)
    records = curve.to_records()
    assert [record["time"] for record in records] == [t / 10 for t in range(N)]
    assert records[6]["left_out"].startswith("frame_saturated")
    assert (records[0]["left_out"], records[0]["smooth"]) == ("", curve.smooth[0])
    assert (records[0]["smooth_lo"], records[0]["smooth_hi"]) == tuple(curve.band[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times_s": [0.0]}, "one time for each"),
        ({"times_s": [0.0] * N}, "all different"),
        ({"times_s": [math.nan, *range(1, N)]}, "finite"),
        ({"window": 0.0}, "window is 0"),
        ({"window": math.inf}, "window is inf"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sbr_curve(plain_video(), **options)


def test_no_frames_and_repeated_indices_are_refused() -> None:
    with pytest.raises(InputError, match="no frames"):
        sbr_curve([])
    with pytest.raises(InputError, match="same index"):
        sbr_curve([plain_video().frames[0]] * 2)


def test_long_series_take_no_matrix_of_all_frames() -> None:
    n = 3000
    rng = np.random.default_rng(8)
    truth = 2 + np.sin(np.linspace(0, 6, n)) ** 2
    curve = sbr_curve(frames_of(truth + rng.normal(0, 0.05, n), np.full(n, 0.05)))
    inside = np.mean((curve.band[:, 0] <= truth) & (truth <= curve.band[:, 1]))
    assert inside > 0.85
    assert np.sqrt(np.mean((curve.smooth - truth) ** 2)) < 0.012


@pytest.mark.parametrize(("n", "half_width"), [(8, 0.60), (12, 0.23), (24, 0.045), (48, 0.0125)])
def test_the_bending_of_a_smooth_curve_is_not_all_taken_for_scatter(n: int, half_width: float) -> None:
    """By residuals about the curve alone, half the width would be 0.86, 0.30, 0.053 and 0.0138."""
    rng = np.random.default_rng(0)
    truth = 3 - np.cos(2 * np.pi * np.linspace(0, 1, n))  # 2 to 4 and back
    half, covered = [], []
    for _ in range(10):
        curve = sbr_curve(frames_of(truth + rng.normal(0, 0.005, n), np.full(n, 0.005)))
        half.append(np.diff(curve.band).mean() / 2)
        covered.append(np.mean((curve.band[:, 0] <= truth) & (truth <= curve.band[:, 1])))
    assert np.mean(half) < half_width
    assert np.mean(covered) > 0.95


@pytest.mark.parametrize(("index", "half_width"), [(3, 0.0423), (6, 0.0449), (20, 0.0423)])
def test_left_out_frames_of_a_smooth_curve_are_covered(index: int, half_width: float) -> None:
    """There the curve runs straight between neighbours; by the smaller scatter: 0.0362, 0.0332 and 0.0366."""
    truth = 3 - np.cos(2 * np.pi * np.linspace(0, 1, 24))
    frames = frames_of(truth + np.random.default_rng(1).normal(0, 0.005, 24), np.full(24, 0.005))
    frames[index] = replace(frames[index], quality=replace(frames[index].quality, glare_fraction=0.5))
    curve = sbr_curve(frames)
    assert curve.left_out[index] == ("glare",)
    assert ((curve.band[:, 0] <= truth) & (truth <= curve.band[:, 1])).all()
    assert np.diff(curve.band[index]) / 2 == pytest.approx(half_width, rel=0.01)


def test_scatter_is_found_between_frames_of_uneven_spacing() -> None:
    rng = np.random.default_rng(9)
    times = np.cumsum(rng.uniform(0.2, 1.8, 300))
    sigma = np.full(300, 0.03)
    truth = 2 + np.sin(times / 20)
    curve = sbr_curve(frames_of(truth + rng.normal(0, np.hypot(0.03, 0.06), 300), sigma), times_s=times)
    assert curve.extra_sigma == pytest.approx(0.06, rel=0.12)


@pytest.mark.parametrize("window", [5e-324, 1e-9, 0.05, 0.2])
def test_a_window_far_below_the_frame_distance_smooths_nothing(window: float) -> None:
    rng = np.random.default_rng(3)
    frames = frames_of(3 + rng.normal(0, 0.1, 9), np.full(9, 0.05))
    frames[4] = replace(frames[4], quality=replace(frames[4].quality, glare_fraction=0.5))
    curve = sbr_curve(frames, window=window)
    used = [index for index in range(9) if index != 4]
    np.testing.assert_array_equal(curve.smooth[used], curve.sbr[used])
    np.testing.assert_array_equal(curve.band[used], curve.ci[used])
    assert np.isnan([curve.smooth[4], *curve.band[4], curve.window]).all()
    assert (curve.extra_sigma, curve.common_share) == (0, 0)
    assert np.isfinite(sbr_curve(frames, window=0.4).band).all()
