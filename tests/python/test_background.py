"""Background policies against numpy, scipy and simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from numpy.polynomial import legendre
from scipy import ndimage

import pyicg
from pyicg import Background, CameraProfile, UncertaintyBudget
from pyicg.background import POLICIES

from .lesion_scenes import LEVEL, WITHOUT_LESION, estimate, lesion_scene
from .oracles import F32, blocking_oracle, calibrated


def scene(seed: int, sigma: float, bright: float, drape: float, n: int = 300) -> npt.NDArray[np.float64]:
    """Tissue with Gaussian noise; shares of the frame are three times as bright, and dark."""
    rng = np.random.default_rng(seed)
    data = rng.normal(LEVEL, sigma, (n, n))
    data[: int(bright * n)] = rng.normal(3 * LEVEL, 2 * sigma, (int(bright * n), n))
    if drape:
        data[-int(drape * n) :] = rng.normal(0.05 * LEVEL, 1, (int(drape * n), n))
    return data


@pytest.mark.parametrize("sigma", [1.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize("bright", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("drape", [0.0, 0.1])
def test_mode_is_not_moved_by_lesion_or_drape(sigma: float, bright: float, drape: float) -> None:
    found = [pyicg.estimate_background(calibrated(scene(seed, sigma, bright, drape))) for seed in range(4)]
    levels = np.array([bg.level for bg in found])
    assert abs(levels.mean() / LEVEL - 1) < 0.001  # measured: <= 0.05 %, 20 % noise included
    assert np.abs(levels / LEVEL - 1).max() < 0.005
    for bg in found:
        assert bg.sigma == pytest.approx(sigma, rel=0.03)
        # The pixels of the peak are counted by tiles, and those on an edge belong to neither side.
        assert bg.n_pixels == pytest.approx(
            (1 - bright - drape) * 300**2, rel=0.02 if sigma <= 1 else 0.12 if sigma <= 10 else 0.15
        )


@pytest.mark.parametrize("policy", WITHOUT_LESION)
def test_standard_error_is_the_scatter_of_the_level(policy: str) -> None:
    n = 60
    mask = np.ones((n, n), bool) if policy == "mask" else None
    rng = np.random.default_rng(11)
    found = [
        pyicg.estimate_background(calibrated(rng.normal(LEVEL, 5, (n, n))), policy=policy, mask=mask)
        for _ in range(400)
    ]
    scatter = np.std([bg.level for bg in found], ddof=1)
    # 400 runs know their scatter to 3.5 %; clipping at 3 sigma moves the median's by little.
    assert np.mean([bg.sem for bg in found]) / scatter == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("sigma", [0.4, 0.6, 1.0, 3.0, 8.0])
def test_whole_grey_levels(sigma: float) -> None:
    for level in np.arange(19.5, 20.6, 0.1):
        noisy = np.random.default_rng(3).normal(level, sigma, (200, 200))
        raw = np.rint(noisy).clip(0, 255).astype(np.uint8)  # below 0 a camera counts 0
        bg = pyicg.estimate_background(pyicg.calibrate(raw, CameraProfile.identity(raw.shape, bit_depth=8)))
        assert bg.level == pytest.approx(level, abs=0.1)  # measured: 0.06 at 0.4 DN, 0.01 at 1 DN
        if sigma >= 0.6:  # rounding adds 1/12 DN^2
            assert bg.sigma == pytest.approx(math.hypot(sigma, 12**-0.5), rel=0.05)


def test_constant_image() -> None:
    bg = pyicg.estimate_background(calibrated(np.full((9, 9), 7.25)))
    exact = UncertaintyBudget(None, 0.0, 0.0, 0.0)
    assert (bg.unit, bg.shape) == ("DN", (9, 9))
    assert replace(bg, dof=math.inf, effective_pixels=math.inf, sigma_error=0.0, unit="", shape=None) == (
        Background(7.25, 0.0, 0.0, 81, "mode", None, False, exact, math.inf, math.inf, 0.0)
    )
    assert bg.sigma_error == 0.0
    zero = pyicg.estimate_background(calibrated(np.zeros((9, 9))))
    assert (zero.level, zero.reason) == (0.0, "background_not_resolved")


@pytest.mark.parametrize("policy", POLICIES)
def test_whole_counts_without_noise_are_known_to_a_part_of_one(policy: str) -> None:
    signal = np.zeros((60, 60), bool)
    signal[20:30, 20:30] = True
    raw = np.where(signal, 90, 40).astype(np.uint8)
    cal = pyicg.calibrate(raw, CameraProfile.identity(raw.shape, bit_depth=8), exposure_ms=None)
    bg = estimate(cal, policy, signal)
    assert bg.level == pytest.approx(40.0, abs=1e-9)
    assert bg.sem == pytest.approx(12**-0.5, rel=1e-6)
    assert bg.budget is not None
    assert bg.budget.pixel_noise == pytest.approx(12**-0.5, rel=1e-6)


def test_darkness_is_not_a_background() -> None:
    dark = pyicg.estimate_background(calibrated(np.random.default_rng(2).normal(0.0, 3.0, (100, 100))))
    assert abs(dark.level) < 0.2
    assert dark.reason == "background_not_resolved"


def test_median_percentile_and_mask_against_numpy() -> None:
    data = scene(5, 6.0, 0.1, 0.05, 120).astype(F32)
    cal = calibrated(data)
    values = data.ravel().astype(np.float64)
    while True:
        level = np.median(values)
        sigma = 1.4826022185056018 * np.median(np.abs(values - level))
        kept = values[np.abs(values - level) <= 3 * sigma]
        if len(kept) == len(values):
            break
        values = kept
    bg = pyicg.estimate_background(cal, policy="median")
    np.testing.assert_allclose((bg.level, bg.sigma, bg.n_pixels), (level, sigma, len(values)), rtol=1e-6)
    assert bg.budget is not None
    white = math.sqrt(math.pi / 2) * sigma / math.sqrt(len(values))
    assert bg.budget.sampling == pytest.approx(white, rel=1e-6)
    pull = np.where(np.abs(data - level) <= 3 * sigma, np.sign(data - level), 0).astype(np.float64)
    factor, blocks = blocking_oracle(pull)  # a value's pull on the median is its sign
    assert bg.sem == pytest.approx(white * math.sqrt(factor), rel=1e-3)
    assert bg.dof == pytest.approx(blocks - 1)

    bg = pyicg.estimate_background(cal, policy="percentile")
    p05, p25 = np.percentile(data.astype(np.float64), [5, 25])
    np.testing.assert_allclose((bg.level, bg.sigma), (p25, (p25 - p05) / 0.9704), rtol=1e-12)
    factor, _ = blocking_oracle(np.where(data < p25, -0.75, 0.25))
    assert bg.sem == pytest.approx(1.3626 * bg.sigma / 120 * math.sqrt(factor), rel=1e-6)

    use = np.zeros(data.shape, bool)
    use[60:90, 20:70] = True
    bg = pyicg.estimate_background(cal, policy="mask", mask=use)
    chosen = data[use].astype(np.float64)
    assert bg.n_pixels == chosen.size
    assert bg.budget is not None
    np.testing.assert_allclose(
        (bg.level, bg.sigma, bg.budget.sampling),
        (chosen.mean(), chosen.std(ddof=1), chosen.std(ddof=1) / math.sqrt(1500)),
        rtol=1e-12,
    )


@pytest.mark.parametrize(("guard", "width"), [(None, None), (0, 3.0), (2.5, 4.0), (10.0, 1.0)])
@pytest.mark.parametrize("corner", [(30, 40), (0, 0), (48, 60)])  # the last two: the frame's border cuts the ring
def test_annulus_and_distant_against_scipy(guard: float | None, width: float | None, corner: tuple[int, int]) -> None:
    y, x = corner
    signal = np.zeros((64, 80), bool)
    signal[y : y + 16, x : x + 12] = True
    data = (LEVEL + 0.1 * np.arange(64)[:, None] + 0.05 * np.arange(80) ** 2 / 80).astype(F32)
    away = ndimage.distance_transform_edt(~signal)
    radius = math.sqrt(192 / math.pi)
    inner = max(radius / 4, 3.0) if guard is None else guard
    outer = inner + (max(radius / 2, 5.0) if width is None else width)
    ring = (away > inner) & (away <= outer)
    cal = calibrated(data)
    bg = pyicg.estimate_background(cal, policy="annulus", signal=signal, guard_px=guard, width_px=width)
    assert bg.n_pixels == ring.sum() > 16
    assert bg.level == pytest.approx(data[ring].mean(dtype=np.float64), rel=1e-12)
    factor, blocks = blocking_oracle(np.where(ring, data.astype(np.float64), np.nan))
    sem = data[ring].std(ddof=1, dtype=np.float64) / math.sqrt(ring.sum())
    np.testing.assert_allclose((bg.sem, bg.dof), (sem * math.sqrt(factor), blocks - 1), rtol=1e-9)

    far = pyicg.estimate_background(cal, policy="distant", signal=signal, guard_px=guard, width_px=width)
    beyond = pyicg.estimate_background(cal, policy="mode", mask=away > outer)
    assert far == replace(beyond, policy="distant")


def test_a_ring_of_too_few_pixels() -> None:
    signal = np.ones((20, 20), bool)
    signal[:, -4:] = False
    cal = calibrated(np.random.default_rng(0).normal(LEVEL, 1, (20, 20)))
    bg = pyicg.estimate_background(cal, policy="annulus", signal=signal, guard_px=4)
    assert (bg.n_pixels, bg.reason) == (0, "too_few_pixels")
    assert pyicg.estimate_background(cal, policy="annulus", signal=signal, guard_px=3).n_pixels == 20
    signal[5:] = True
    bg = pyicg.estimate_background(cal, policy="annulus", signal=signal, guard_px=0, width_px=2.9)
    assert (bg.n_pixels, bg.reason) == (14, "too_few_pixels")
    for policy in ("annulus", "distant", "surface"):
        bg = pyicg.estimate_background(cal, policy=policy, signal=signal, guard_px=1e9)
        assert (bg.n_pixels, bg.reason) == (0, "too_few_pixels")
        assert math.isnan(bg.level)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_surface_against_least_squares(order: int) -> None:
    y, x = (np.arange(n) * 2 / n - 1 + 1 / n for n in (64, 90))
    rng = np.random.default_rng(order)
    terms = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    basis = np.stack([np.outer(legendre.Legendre.basis(i)(y), legendre.Legendre.basis(j)(x)) for i, j in terms])
    even = np.tensordot(rng.uniform(-8, 8, len(terms)), basis, 1) + 200
    surface = pyicg.background_surface(calibrated(even), order=order)
    np.testing.assert_allclose(surface.level, even, rtol=1e-6)

    data = (even + rng.normal(0, 1, even.shape)).astype(F32)
    surface = pyicg.background_surface(calibrated(data), order=order)
    design = basis.reshape(len(terms), -1).T
    solution = np.linalg.lstsq(design, data.ravel().astype(np.float64), rcond=None)[0]
    # Tukey's weights cost 5 % of the efficiency: between the two fits lies a fifth of their error.
    error = math.sqrt(len(terms) / data.size)
    assert np.sqrt(np.mean((surface.level - (design @ solution).reshape(data.shape)) ** 2)) < 0.5 * error
    assert surface.sigma == pytest.approx(1.0, rel=0.03)
    assert surface.unit == "DN"
    region = np.zeros(data.shape, bool)
    region[10:20, 60:85] = True
    under = surface.under(region)
    assert under.level == pytest.approx(surface.level[region].mean(dtype=np.float64), rel=1e-6)
    mean = design[region.ravel()].mean(axis=0)
    expected = math.sqrt(mean @ np.linalg.inv(design.T @ design) @ mean / 0.95)
    assert under.budget is not None
    # The weights, 0.915 on average, are in the matrix as well, and the median absolute deviation knows sigma to 1 %.
    assert under.budget.sampling == pytest.approx(expected, rel=0.08)


def test_surface_policy_leaves_out_what_it_is_told() -> None:
    data, signal = lesion_scene(3, 1.0, (60, 80))
    away = ndimage.distance_transform_edt(~signal)
    mask, exclude = np.ones(data.shape, bool), np.zeros(data.shape, bool)
    mask[:, :6], exclude[-5:] = False, True
    bg = pyicg.estimate_background(
        calibrated(data), policy="surface", signal=signal, guard_px=4, mask=mask, exclude=exclude
    )
    left_out = (away <= 4) | ~mask | exclude
    assert bg == pyicg.background_surface(calibrated(data), exclude=left_out).under(signal)
    data[left_out] = 1e6
    again = pyicg.estimate_background(
        calibrated(data), policy="surface", signal=signal, guard_px=4, mask=mask, exclude=exclude
    )
    assert again == bg


def test_the_error_of_correlated_pixels_is_that_of_fewer() -> None:
    # Noise averaged over 3 x 3 pixels: nine correlated ones are as good as one, a little less in a finite frame.
    rng = np.random.default_rng(12)
    use = np.zeros((96, 96), bool)
    use[4:-4, 4:-4] = True
    found = []
    for _ in range(200):
        data = LEVEL + 3 * ndimage.uniform_filter(rng.normal(0, 5, use.shape), 3)
        found.append(pyicg.estimate_background(calibrated(data), policy="mask", mask=use))
    scatter = np.std([bg.level for bg in found], ddof=1)
    assert scatter == pytest.approx(3 * 5 / 88, rel=0.15)
    assert math.sqrt(np.mean([bg.sem**2 for bg in found])) / scatter == pytest.approx(1.0, abs=0.15)
    assert np.mean([bg.n_pixels / bg.effective_pixels for bg in found]) == pytest.approx(8.0, abs=1.0)
    deviation = np.where(use, np.float64(data.astype(F32)), np.nan)
    factor, blocks = blocking_oracle(deviation)
    assert found[-1].effective_pixels == pytest.approx(88**2 / factor, rel=1e-9)
    assert found[-1].dof == pytest.approx(blocks - 1)


@pytest.mark.parametrize("policy", POLICIES)
def test_budgets_join_to_the_standard_error(policy: str) -> None:
    data, signal = lesion_scene(4, 4.0, (64, 80))
    blind = estimate(calibrated(data), policy, signal)
    assert blind.budget is not None
    assert blind.budget.pixel_noise is None
    seen = estimate(calibrated(data, variance=np.full(data.shape, 4.0, F32)), policy, signal)
    assert seen.budget is not None
    assert seen.budget.pixel_noise is not None
    assert 0 < seen.budget.pixel_noise < seen.budget.sampling
    for bg in (blind, seen):
        assert bg.budget is not None
        assert bg.sem == pytest.approx(bg.budget.total, rel=1e-12)
        assert bg.budget.placement == 0.0
    # What the profile knows of the noise changes where it is booked, not the whole.
    assert (seen.level, seen.sigma, seen.n_pixels) == (blind.level, blind.sigma, blind.n_pixels)
    assert seen.sem == pytest.approx(blind.sem, rel=1e-9)


@pytest.mark.parametrize("policy", WITHOUT_LESION)
def test_only_valid_pixels_count(policy: str) -> None:
    data = np.random.default_rng(1).normal(50, 2, (40, 40))
    bits = np.zeros((40, 40), np.uint8)
    clean = np.ones((40, 40), bool)
    for row, bit in enumerate((1, 2, 4, 8, 16, 64)):
        data[row * 3] = 1e6
        bits[row * 3] = bit
        clean[row * 3] = False
    data[bits == 64] = np.nan
    bits[20] = 32  # repaired pixels stay in
    found = pyicg.estimate_background(calibrated(data, bits), policy=policy, mask=np.ones((40, 40), bool))
    data[~clean] = 0
    expected = pyicg.estimate_background(calibrated(data), policy=policy, mask=clean)
    assert found == expected
    assert pyicg.estimate_background(calibrated(data), policy=policy, mask=np.ones((40, 40), bool), exclude=~clean) == (
        expected
    )


@pytest.mark.parametrize("policy", ["annulus", "distant", "surface"])
def test_only_valid_pixels_count_around_a_lesion(policy: str) -> None:
    data, signal = lesion_scene(6, 1.0, (60, 80))
    bits = np.zeros(data.shape, np.uint8)
    bits[8:12, 5:60] = 64
    left_out = bits == 64
    spoilt = np.where(left_out, np.nan, data)
    found = pyicg.estimate_background(calibrated(spoilt, bits), policy=policy, signal=signal)
    assert found == pyicg.estimate_background(calibrated(data), policy=policy, signal=signal, exclude=left_out)
    assert math.isfinite(found.level)


@pytest.mark.parametrize(("n", "bit", "reason"), [(15, 0, "too_few_pixels"), (16, 0, None), (400, 16, "out_of_range")])
def test_too_few_pixels(n: int, bit: int, reason: str | None) -> None:
    bg = pyicg.estimate_background(calibrated(np.full((1, n), 5.0), np.full((1, n), bit, np.uint8)))
    assert bg.reason == reason
    assert math.isnan(bg.level) == (reason is not None)
    con = pyicg.contrast(calibrated(np.full((1, n), 5.0)), signal=np.ones((1, n), bool), background=bg)
    assert con.sbr.reason == reason
    assert math.isnan(con.sbr.value) == (reason is not None)


def test_what_is_cut_off_at_the_top_has_no_level() -> None:
    rng = np.random.default_rng(13)
    counts = rng.normal(250, 6, (80, 80))
    profile = CameraProfile.identity((80, 80), bit_depth=8)
    clipped = pyicg.calibrate(np.rint(counts.clip(0, 255)).astype(np.uint8), profile)
    signal = np.zeros((80, 80), bool)
    signal[20:40, 20:40] = True
    for policy in POLICIES:
        bg = estimate(clipped, policy, signal)
        assert bg.reason == "background_saturated", policy
        con = pyicg.contrast(clipped, signal=signal, background=bg)
        for name in ("sbr", "sbr_raw", "weber", "michelson", "cnr", "cvr"):
            figure = getattr(con, name)
            assert math.isnan(figure.value)
            assert figure.reason == "background_saturated"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_saturated_lesion_says_nothing_of_the_background(policy: str) -> None:
    rng = np.random.default_rng(14)
    counts = rng.normal(100, 4, (80, 80))
    signal = np.zeros((80, 80), bool)
    signal[20:40, 20:40] = True
    counts[signal] = 400
    raw = np.rint(counts.clip(0, 255)).astype(np.uint8)
    cal = pyicg.calibrate(raw, CameraProfile.identity((80, 80), bit_depth=8))
    bg = estimate(cal, policy, signal)
    assert bg.reason is None
    con = pyicg.contrast(cal, signal=signal, background=bg)
    assert con.sbr.reason == "saturated_lower_bound"
    assert con.sbr.ci[1] == math.inf
    assert con.sbr.value == pytest.approx(255 / (96.9 if policy == "percentile" else 100), rel=0.01)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("dark", [0, 3])
def test_what_is_cut_off_at_the_bottom_has_no_level(policy: str, dark: int) -> None:
    # Without a dark frame zeros are plain counts; with one the calibration marks them (bit 2) and they are left out.
    rng = np.random.default_rng(15)
    signal = np.zeros((80, 80), bool)
    signal[20:40, 20:40] = True
    raw = np.rint((rng.normal(4 + dark, 5 + dark, (80, 80)) + 60 * signal).clip(0)).astype(np.uint8)
    profile = CameraProfile.identity((80, 80), bit_depth=8)
    if dark:
        profile = replace(profile, dark=np.full((80, 80), dark, F32))
    cal = pyicg.calibrate(raw, profile)
    assert ((cal.mask & 2) != 0).any() == (dark > 0)
    bg = estimate(cal, policy, signal)
    assert bg.reason == "background_not_resolved"
    assert math.isnan(pyicg.contrast(cal, signal=signal, background=bg).sbr.value)
