"""Background policies and contrasts against numpy, the quadratic of Fieller, a bootstrap and simulation."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pyicg
from pyicg import Background, CameraProfile, Contrast, InputError, Measurement

from .oracles import F32, Z95, calibrated, fieller_oracle

POLICIES = ("mode", "median", "percentile", "mask")
LEVEL = 100.0


def scene(seed: int, sigma: float, bright: float, drape: float, n: int = 300) -> npt.NDArray[np.float64]:
    """Tissue with Gaussian noise; shares of the frame are three times as bright, and dark."""
    rng = np.random.default_rng(seed)
    data = rng.normal(LEVEL, sigma, (n, n))
    data[: int(bright * n)] = rng.normal(3 * LEVEL, 2 * sigma, (int(bright * n), n))
    if drape:
        data[-int(drape * n) :] = rng.normal(0.05 * LEVEL, 1, (int(drape * n), n))
    return data


def measurements(con: Contrast) -> dict[str, Measurement]:
    return {f.name: getattr(con, f.name) for f in fields(con)}


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
        assert bg.n_pixels == pytest.approx((1 - bright - drape) * 300**2, rel=0.02)


@pytest.mark.parametrize("policy", POLICIES)
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
        raw = np.rint(np.random.default_rng(3).normal(level, sigma, (200, 200))).astype(np.uint8)
        bg = pyicg.estimate_background(pyicg.calibrate(raw, CameraProfile.identity(raw.shape, bit_depth=8)))
        assert bg.level == pytest.approx(level, abs=0.1)  # measured: 0.06 at 0.4 DN, 0.01 at 1 DN
        if sigma >= 0.6:  # rounding adds 1/12 DN^2
            assert bg.sigma == pytest.approx(math.hypot(sigma, 12**-0.5), rel=0.05)


def test_constant_image() -> None:
    bg = pyicg.estimate_background(calibrated(np.full((9, 9), 7.25)))
    assert bg == Background(7.25, 0.0, 0.0, 81, "mode", None)
    zero = pyicg.estimate_background(calibrated(np.zeros((9, 9))))
    assert (zero.level, zero.reason) == (0.0, "background_not_resolved")


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
    assert bg.sem == pytest.approx(math.sqrt(math.pi / 2) * sigma / math.sqrt(len(values)), rel=1e-6)

    bg = pyicg.estimate_background(cal, policy="percentile")
    p05, p25 = np.percentile(data.astype(np.float64), [5, 25])
    np.testing.assert_allclose((bg.level, bg.sigma), (p25, (p25 - p05) / 0.9704), rtol=1e-12)

    use = np.zeros(data.shape, bool)
    use[60:90, 20:70] = True
    bg = pyicg.estimate_background(cal, policy="mask", mask=use)
    chosen = data[use].astype(np.float64)
    assert bg.n_pixels == chosen.size
    np.testing.assert_allclose(
        (bg.level, bg.sigma, bg.sem),
        (chosen.mean(), chosen.std(ddof=1), chosen.std(ddof=1) / math.sqrt(1500)),
        rtol=1e-12,
    )


@pytest.mark.parametrize("policy", POLICIES)
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


@pytest.mark.parametrize(("n", "bit", "reason"), [(15, 0, "too_few_pixels"), (16, 0, None), (400, 16, "out_of_range")])
def test_too_few_pixels(n: int, bit: int, reason: str | None) -> None:
    bg = pyicg.estimate_background(calibrated(np.full((1, n), 5.0), np.full((1, n), bit, np.uint8)))
    assert bg.reason == reason
    assert math.isnan(bg.level) == (reason is not None)
    con = pyicg.contrast(calibrated(np.full((1, n), 5.0)), signal=np.ones((1, n), bool), background=bg)
    assert con.sbr.reason == reason
    assert math.isnan(con.sbr.value) == (reason is not None)


def pair(sem: float, **fields: Any) -> Background:
    return Background(**{"level": 100.0, "sigma": 5.0, "sem": sem, "n_pixels": 5000, "policy": "mode", **fields})


def test_contrasts_by_their_definitions() -> None:
    rng = np.random.default_rng(4)
    data = rng.normal(250, 12, (30, 30)).astype(F32)
    signal = np.zeros(data.shape, bool)
    signal[5:25, 8:20] = True
    con = pyicg.contrast(calibrated(data, offset=16.0), signal=signal, background=pair(0.5))
    values = data[signal].astype(np.float64)
    t, s, b, sb = values.mean(), values.std(ddof=1), 100.0, 5.0
    expected = {
        "sbr": t / b,
        "sbr_raw": (t + 16) / (b + 16),
        "weber": (t - b) / b,
        "michelson": (t - b) / (t + b),
        "cnr": (t - b) / sb,
        "cvr": (t - b) / math.hypot(s, sb),
        "signal_level": t,
        "background_level": b,
    }
    found = measurements(con)
    np.testing.assert_allclose([found[name].value for name in expected], list(expected.values()), rtol=1e-12)
    assert {m.reason for m in found.values()} == {None}
    st_err = s / math.sqrt(values.size)
    assert con.signal_level.sigma == pytest.approx(st_err, rel=1e-12)
    assert con.sbr.sigma == pytest.approx(math.hypot(st_err, t / b * 0.5) / b, rel=1e-12)
    lo, hi = fieller_oracle(t, st_err, b, 0.5)
    np.testing.assert_allclose(con.sbr.ci, (lo, hi), rtol=1e-9)
    np.testing.assert_allclose(con.weber.ci, (lo - 1, hi - 1), rtol=1e-9)
    np.testing.assert_allclose(con.michelson.ci, [(r - 1) / (r + 1) for r in (lo, hi)], rtol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 500), st.floats(0, 30), st.floats(1, 300), st.floats(0, 60))
def test_fieller_solves_its_quadratic(a: float, sa: float, b: float, sb: float) -> None:
    assume(abs(b - Z95 * sb) > 1e-3 * b)
    # Two pixels with mean a and standard error sa.
    data = np.array([[a - sa, a + sa]], F32).astype(np.float64)
    mean, sem = data.mean(), data.std(ddof=1) / math.sqrt(2)
    con = pyicg.contrast(calibrated(data), signal=np.ones((1, 2), bool), background=pair(sb, level=b))
    lo, hi = fieller_oracle(mean, sem, b, sb)
    if math.isinf(lo):
        assert math.isnan(con.sbr.value)
        assert con.sbr.ci == (-math.inf, math.inf)
        assert con.sbr.reason == "background_not_resolved"
    else:
        assert con.sbr.value == pytest.approx(mean / b, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(con.sbr.ci, (lo, hi), rtol=1e-6, atol=1e-6)


def test_fieller_agrees_with_a_bootstrap() -> None:
    rng = np.random.default_rng(21)
    data = rng.normal(100, 20, (24, 24)).astype(F32)
    signal = np.zeros(data.shape, bool)
    signal[:5] = True
    data[signal] = rng.normal(240, 60, signal.sum())
    bg = pyicg.estimate_background(calibrated(data), policy="mask", mask=~signal)
    con = pyicg.contrast(calibrated(data), signal=signal, background=bg)
    t, b = data[signal], data[~signal]
    ratios = rng.choice(t, (8000, t.size)).mean(axis=1) / rng.choice(b, (8000, b.size)).mean(axis=1)
    width = con.sbr.ci[1] - con.sbr.ci[0]
    np.testing.assert_allclose(con.sbr.ci, np.quantile(ratios, (0.025, 0.975)), atol=0.06 * width)
    assert con.sbr.sigma == pytest.approx(ratios.std(), rel=0.05)


@pytest.mark.parametrize("policy", ["mode", "median"])
def test_interval_covers_the_truth(policy: str) -> None:
    rng = np.random.default_rng(8)
    signal = np.zeros((40, 40), bool)
    signal[5:11, 5:13] = True
    hits = 0
    for _ in range(400):
        data = rng.normal(100, 15, (40, 40))
        data[signal] = rng.normal(300, 25, signal.sum())
        cal = calibrated(data)
        bg = pyicg.estimate_background(cal, policy=policy, exclude=signal)
        con = pyicg.contrast(cal, signal=signal, background=bg)
        hits += con.sbr.ci[0] <= 3.0 <= con.sbr.ci[1]
    assert 0.92 <= hits / 400 <= 0.98


def test_saturation_makes_lower_bounds() -> None:
    data = np.full((10, 10), 100.0) + np.arange(100).reshape(10, 10) % 7
    bits = np.zeros((10, 10), np.uint8)
    data[2:5, 2:5], bits[3, 3] = 4095, 1
    signal = np.zeros((10, 10), bool)
    signal[2:5, 2:5] = True
    con = pyicg.contrast(calibrated(data, bits), signal=signal, background=pair(0.5))
    for name, m in measurements(con).items():
        if name == "background_level":
            assert m.reason is None
            continue
        assert m.reason == "saturated_lower_bound"
        assert math.isfinite(m.value)
        assert m.ci[1] == (1.0 if name == "michelson" else math.inf)
    assert con.sbr.value == pytest.approx(40.95)


def test_zero_background_has_no_ratio() -> None:
    bg = pyicg.estimate_background(calibrated(np.zeros((20, 20))))
    con = pyicg.contrast(calibrated(np.full((20, 20), 9.0)), signal=np.ones((20, 20), bool), background=bg)
    for name in ("sbr", "sbr_raw", "weber", "michelson", "cnr"):
        m = measurements(con)[name]
        assert math.isnan(m.value)
        assert m.reason == "background_not_resolved"
    assert con.sbr.ci == (-math.inf, math.inf)
    assert con.signal_level.value == 9.0


@pytest.mark.parametrize("calibrated_profile", [True, False])
def test_power_of_two_exposures_give_the_same_bits(calibrated_profile: bool) -> None:
    raw = np.rint(scene(9, 6.0, 0.1, 0.05, 120)).clip(0, 4095).astype(np.uint16)
    profile = replace(CameraProfile.identity(raw.shape, bit_depth=12), calibrated=calibrated_profile)
    signal = raw > 200
    found = []
    for exposure in (0.25, 1.0, 64.0):
        cal = pyicg.calibrate(raw, profile, exposure_ms=exposure)
        con = pyicg.contrast(cal, signal=signal, background=pyicg.estimate_background(cal))
        found.append([m for name, m in measurements(con).items() if not name.endswith("level")])
    assert found[0] == found[1] == found[2]
    assert {m.reason for m in found[0]} == ({None} if calibrated_profile else {"uncalibrated"})


@pytest.mark.parametrize("policy", ["mode", "median", "percentile"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_the_place_of_pixels_does_not_matter(policy: str, seed: int, shift: tuple[int, int]) -> None:
    data = scene(seed, 5.0, 0.1, 0.1, 40)
    reference = pyicg.estimate_background(calibrated(data), policy=policy)
    for other in (data[::-1], data[:, ::-1].copy(), np.rot90(data).copy(), np.roll(data, shift, (0, 1))):
        found = pyicg.estimate_background(calibrated(other), policy=policy)
        np.testing.assert_allclose((found.level, found.sigma), (reference.level, reference.sigma), rtol=1e-9)
        assert found.n_pixels == reference.n_pixels


def test_strided_and_read_only_arrays_are_taken_as_they_are() -> None:
    data = scene(2, 5.0, 0.1, 0.0, 60).astype(F32)
    signal = data > 200
    for wrap in (lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[::-1].copy()[::-1]):
        cal = calibrated(data)
        cal = replace(cal, data=wrap(data), mask=wrap(cal.mask))
        cal.data.flags.writeable = cal.mask.flags.writeable = False
        strided = wrap(signal)
        strided.flags.writeable = False
        bg = pyicg.estimate_background(cal, exclude=strided)
        assert bg == pyicg.estimate_background(calibrated(data), exclude=signal)
        assert pyicg.contrast(cal, signal=strided, background=bg) == pyicg.contrast(
            calibrated(data), signal=signal, background=bg
        )
        np.testing.assert_array_equal(cal.data, data)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((4, 4), np.uint8),
        np.ones((4, 4)),
        np.ones((4, 5), bool),
        np.ones((4, 8), bool)[:, ::2],
        [[True] * 4] * 4,
    ],
)
def test_wrong_masks_are_refused(bad: Any) -> None:
    cal = calibrated(np.ones((4, 4)))
    with pytest.raises(InputError):
        pyicg.estimate_background(cal, mask=bad)
    with pytest.raises(InputError):
        pyicg.estimate_background(cal, exclude=bad)
    with pytest.raises(InputError):
        pyicg.contrast(cal, signal=bad, background=pair(1.0))


def test_policy_must_be_known_and_complete() -> None:
    cal = calibrated(np.ones((4, 4)))
    with pytest.raises(InputError, match="unknown background policy"):
        pyicg.estimate_background(cal, policy="median5")
    with pytest.raises(InputError, match="needs a mask"):
        pyicg.estimate_background(cal, policy="mask")
    with pytest.raises(InputError, match="found None"):
        pyicg.contrast(cal, signal=None, background=pair(1.0))  # type: ignore[arg-type]


def test_signal_of_one_pixel_has_no_error_and_no_ratio() -> None:
    signal = np.zeros((5, 5), bool)
    signal[2, 2] = True
    con = pyicg.contrast(calibrated(np.full((5, 5), 8.0)), signal=signal, background=pair(1.0))
    assert con.sbr.reason == "too_few_pixels"
    assert con.background_level.value == 100.0
