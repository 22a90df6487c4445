"""Camera characterisation: a simulated camera of known make, a real one, and everything that must be refused."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pyicg import Measurement
from pyicg import Stack as FrameStack
from pyicg._camera.frame_series import accumulate
from pyicg._camera.non_uniformity import high_pass, non_uniformity
from pyicg.characterize import CameraReport, characterize
from pyicg.errors import InputError, ProfileError
from pyicg.phantom import SimulatedCamera

from .scripts import load

Stack = npt.NDArray[Any]

GAIN = 0.3
QE = 0.5
DARK_NOISE_E = 8.0
DARK_CURRENT_E_PER_S = 200.0
DSNU_E = 4.0
PRNU = 0.01
SHAPE = (96, 112)
ELECTRONS = np.array(
    [400.0, 1500.0, 2600.0, 3700.0, 4800.0, 5900.0, 7000.0, 8200.0, 10000.0, 11500.0, 12700.0, 16000.0]
)
PHOTONS = ELECTRONS / QE
SATURATION_E = 12700.0  # 0.01 % of the pixels clip here, all of them at the next level
EXPOSURES_MS = np.linspace(10.0, 120.0, ELECTRONS.size)


@dataclass
class SimulatedSeries:
    bright: list[Stack]
    dark: list[Stack]
    spatial: tuple[Stack, Stack]

    def report(self, **options: Any) -> CameraReport:
        given_options: dict[str, Any] = {
            "photons": PHOTONS,
            "exposures_ms": EXPOSURES_MS,
            "spatial": self.spatial,
            "bit_depth": 12,
        }
        return characterize(self.bright, self.dark, **(given_options | options))


@pytest.fixture(scope="module")
def simulated() -> SimulatedSeries:
    rng = np.random.default_rng(1288)
    offset_e = rng.normal(0.0, DSNU_E, SHAPE)
    ramp = np.linspace(-0.02, 0.02, SHAPE[1])  # shading: uneven light, which the high-pass takes off
    response = 1.0 + rng.normal(0.0, PRNU, SHAPE) + ramp

    def shoot(mean_e: float, exposure_ms: float, n: int) -> Stack:
        mean = mean_e * response + DARK_CURRENT_E_PER_S * exposure_ms / 1000.0
        electrons = rng.poisson(mean, (n, *SHAPE)) + rng.normal(0.0, DARK_NOISE_E, (n, *SHAPE)) + offset_e
        return np.clip(np.rint(60.0 + GAIN * electrons), 0, 4095).astype(np.uint16)

    pairs = list(zip(ELECTRONS, EXPOSURES_MS, strict=True))
    return SimulatedSeries(
        bright=[shoot(e, t, 6) for e, t in pairs],
        dark=[shoot(0.0, t, 6) for _, t in pairs],
        spatial=(shoot(6500.0, 60.0, 32), shoot(0.0, 60.0, 32)),
    )


@pytest.mark.parametrize("release", ["4.0", "3.1"])
def test_simulated_camera_gives_its_truth_back(simulated: SimulatedSeries, release: str) -> None:
    report = simulated.report(release=release)
    assert float(report.gain_dn_per_e) == pytest.approx(GAIN, rel=0.01)
    assert float(report.quantum_efficiency) == pytest.approx(QE, rel=0.01)
    assert float(report.responsivity) == pytest.approx(GAIN * QE, rel=0.002)
    assert float(report.dark_noise_e) == pytest.approx(DARK_NOISE_E, rel=0.02)
    assert float(report.saturation_e) == pytest.approx(SATURATION_E, rel=0.01)
    assert float(report.snr_max) == pytest.approx(math.sqrt(SATURATION_E), rel=0.006)
    threshold_e = math.sqrt(DARK_NOISE_E**2 + 1.0 / 12.0 / GAIN**2 + 0.25) + 0.5
    assert float(report.dynamic_range) == pytest.approx(SATURATION_E / threshold_e, rel=0.02)
    assert float(report.linearity_error) < 0.003
    assert float(report.dark_current) == pytest.approx(DARK_CURRENT_E_PER_S, rel=0.05)
    assert report.gain_dn_per_e.reason is None
    assert report.release == release


def measurements(report: CameraReport) -> dict[str, Measurement]:
    values = {f.name: getattr(report, f.name) for f in fields(report)}
    return {name: value for name, value in values.items() if isinstance(value, Measurement)}


def test_intervals_hold_the_truth(simulated: SimulatedSeries) -> None:
    report = simulated.report()
    truths = {
        "gain_dn_per_e": GAIN,
        "quantum_efficiency": QE,
        "dark_noise_e": DARK_NOISE_E,
        "dark_noise_dn": DARK_NOISE_E * GAIN,
        "dark_current": DARK_CURRENT_E_PER_S,
        "snr_max": math.sqrt(SATURATION_E),
        "saturation_e": SATURATION_E,
        "dsnu_e": DSNU_E,
        "dsnu_pixel_e": DSNU_E,
        "prnu": PRNU,
        "prnu_pixel": PRNU,
        "linearity_error": 0.0,
    }
    for name, truth in truths.items():
        m = getattr(report, name)
        assert m.sigma > 0.0, name
        assert m.ci[0] - 0.5 * m.sigma <= truth <= m.ci[1] + 0.5 * m.sigma, name  # 12 intervals of 95 %


def test_every_figure_has_an_uncertainty_or_a_reason(simulated: SimulatedSeries) -> None:
    found = measurements(simulated.report())
    assert len(found) == 24
    for name, m in found.items():
        lo, hi = m.ci
        assert 0.0 <= hi < math.inf, name
        if math.isnan(m.value):  # a row or column pattern there is none of
            assert (m.reason, lo) == ("non_uniformity_not_resolved", 0.0), name
        else:
            assert lo <= m.value <= hi, name
            assert 0.0 < m.sigma < 0.5 * (hi - lo) + 1e-12, name


def test_ratios_in_decibels_and_bits(simulated: SimulatedSeries) -> None:
    report = simulated.report()
    assert report.snr_max_db.value == pytest.approx(20 * math.log10(report.snr_max.value))
    assert report.dynamic_range_db.ci[0] == pytest.approx(20 * math.log10(report.dynamic_range.ci[0]))
    assert report.dynamic_range_bits.value == pytest.approx(math.log2(report.dynamic_range.value))
    threshold = report.absolute_threshold_e.value
    assert threshold == pytest.approx(math.sqrt(DARK_NOISE_E**2 + 1 / 12 / GAIN**2 + 0.25) + 0.5, rel=0.02)
    assert report.absolute_threshold_photons.value == pytest.approx(threshold / report.quantum_efficiency.value)
    assert report.dynamic_range.value == pytest.approx(report.saturation_e.value / threshold)


def test_saturation_reaches_to_the_level_that_the_count_leaves_open(simulated: SimulatedSeries) -> None:
    """0.01 % clip at level 10 and all at level 11: saturation lies between them."""
    report = simulated.report()
    level = report.levels[10]
    assert report.saturation_dn.value == pytest.approx(level.signal_dn)
    assert report.saturation_dn.ci[1] >= report.levels[11].signal_dn
    assert report.saturation_dn.ci[0] == pytest.approx(level.signal_dn, rel=0.01)
    assert report.saturation_e.ci[1] == pytest.approx(report.quantum_efficiency.ci[1] * PHOTONS[11])


def test_levels_are_told(simulated: SimulatedSeries) -> None:
    report = simulated.report()
    assert [level.in_fit for level in report.levels] == [e <= 0.7 * SATURATION_E for e in ELECTRONS]
    first = report.levels[0]
    assert (first.photons, first.exposure_ms) == (PHOTONS[0], EXPOSURES_MS[0])
    assert first.variance_dn2 == pytest.approx(GAIN**2 * (400 + 2 + DARK_NOISE_E**2) + 1 / 12, rel=0.03)
    assert first.dark_variance_dn2 == pytest.approx(GAIN**2 * (2 + DARK_NOISE_E**2) + 1 / 12, rel=0.03)
    assert report.levels[-1].saturated_share > 0.99
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["gain_dn_per_e"]["value"] == report.gain_dn_per_e.value
    assert plain["findings"][0]["code"] == "uneven_light"
    assert len(plain["levels"]) == 12


def test_photon_numbers_that_scatter_widen_the_responsivity() -> None:
    photons = np.array(CLEAN.characterization_series(shape=(8, 8), levels=14).photons)
    lamp = 1 + 0.003 * np.random.default_rng(4).standard_normal(photons.size)
    (_, steady), (_, shaky) = codes(CLEAN), codes(CLEAN, photons=photons * lamp)
    assert shaky.responsivity.sigma > 5 * steady.responsivity.sigma
    lo, hi = shaky.responsivity.ci
    assert lo < CLEAN.gain_dn_per_e * CLEAN.quantum_efficiency < hi
    assert shaky.gain_dn_per_e == steady.gain_dn_per_e


def test_release_4_takes_shading_off_non_uniformity_and_release_3_1_does_not(simulated: SimulatedSeries) -> None:
    new, old = simulated.report(release="4.0"), simulated.report(release="3.1")
    assert float(new.prnu) == pytest.approx(PRNU, rel=0.02)
    ramp_sd = np.std(np.linspace(-0.02, 0.02, SHAPE[1]))
    assert float(old.prnu) == pytest.approx(math.hypot(PRNU, ramp_sd), rel=0.03)
    assert float(new.dsnu_e) == pytest.approx(DSNU_E, rel=0.03)
    assert float(old.dsnu_e) == pytest.approx(DSNU_E, rel=0.04)


def test_high_pass_removes_a_plane_and_leaves_the_stated_share_of_white_noise() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float64)
    assert np.abs(high_pass(3.0 * y - 2.0 * x + 7.0)).max() < 1e-11
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1.0
    assert np.sum(high_pass(impulse) ** 2) == pytest.approx(0.988495, abs=1e-6)


@pytest.mark.parametrize("release", ["4.0", "3.1"])
def test_rows_columns_and_pixels_are_told_apart_without_bias(release: str) -> None:
    """Mean over 60 draws of small images whose three patterns are all there: the high-pass is given back."""
    rng = np.random.default_rng(40)
    shape, truth = (48, 40), {"rows": 2.0, "columns": 1.0, "pixels": 3.0}
    dark = np.full((2, *shape), 1000, np.uint16)
    found = []
    for _ in range(60):
        pattern = (
            truth["rows"] * rng.standard_normal((shape[0], 1))
            + truth["columns"] * rng.standard_normal((1, shape[1]))
            + truth["pixels"] * rng.standard_normal(shape)
        )
        lit = np.rint(30000.0 + 20.0 * pattern + 10.0 * rng.standard_normal((4, *shape))).astype(np.uint16)
        parts = non_uniformity(accumulate(lit, "lit", 16), accumulate(dark, "dark", 16), release)
        found.append([part.value * (29000.0 / 20.0) ** 2 for part in parts.light])
    total, rows, columns, pixels = np.mean(found, axis=0)
    assert rows == pytest.approx(4.0, rel=0.1)
    assert columns == pytest.approx(1.0, rel=0.15)
    assert pixels == pytest.approx(9.0, rel=0.02)
    assert total == pytest.approx(rows + columns + pixels)


@given(arrays(np.uint8, (2, 3, 4)))
def test_temporal_variance_of_a_pair_is_equation_1(pair: Stack) -> None:
    y = pair.astype(np.float64)
    expected = np.mean((y[0] - y[1]) ** 2) / 2.0 - (y[0].mean() - y[1].mean()) ** 2 / 2.0
    assert accumulate(pair, "pair", 8).temporal_variance(np.ones((3, 4), np.bool_)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 400))
def test_a_higher_black_level_changes_nothing(extra: int) -> None:
    rng = np.random.default_rng(7)
    means = [100.0, 150.0, 200.0, 250.0, 400.0]
    bright = [(50 + 0.5 * rng.poisson(m, (2, 32, 32))).astype(np.uint16) for m in means]
    dark = [(50 + 0.5 * rng.poisson(20.0, (2, 32, 32))).astype(np.uint16) for _ in means]
    shifted = [[(stack + extra).astype(np.uint16) for stack in series] for series in (bright, dark)]
    plain, raised = characterize(bright, dark, bit_depth=12), characterize(*shifted, bit_depth=12)
    assert float(raised.gain_dn_per_e) == pytest.approx(float(plain.gain_dn_per_e), rel=1e-9)
    assert float(raised.dark_noise_e) == pytest.approx(float(plain.dark_noise_e), rel=1e-9)


def test_levels_may_come_in_any_order(simulated: SimulatedSeries) -> None:
    order = np.random.default_rng(3).permutation(ELECTRONS.size)
    shuffled = SimulatedSeries(
        [simulated.bright[i] for i in order], [simulated.dark[i] for i in order], simulated.spatial
    ).report(photons=PHOTONS[order], exposures_ms=EXPOSURES_MS[order])
    straight = simulated.report()
    for name in ("gain_dn_per_e", "saturation_e", "linearity_error", "dark_current"):
        assert float(getattr(shuffled, name)) == pytest.approx(float(getattr(straight, name)), rel=1e-9)


def test_linearity_error_follows_the_weighted_line() -> None:
    photons = np.arange(1.0, 12.0)
    signal = np.array([6100, 11800, 18300, 23900, 30200, 35800, 42300, 47900, 54200, 59900, 65435])
    bright = [np.full((2, 24, 24), s + 100, dtype=np.uint16) for s in signal]
    dark = [np.full((2, 24, 24), 100, dtype=np.uint16)] * signal.size
    bright[9][:, 0, 0] = 65535  # 0.17 % of the pixels at full scale: level 9 is saturation
    measured = np.array([stack.mean() - 100.0 for stack in bright])
    use = (measured >= 0.05 * measured[9]) & (measured <= 0.95 * measured[9])
    fit = np.polyval(np.polyfit(photons[use], measured[use], 1, w=1.0 / measured[use]), photons[use])
    report = characterize(bright, dark, photons=photons, bit_depth=16)
    assert use.sum() == 9
    assert float(report.linearity_error) == pytest.approx(np.mean(np.abs(measured[use] / fit - 1.0)), rel=1e-9)
    assert float(report.linearity_error) > 0.005
    assert report.gain_dn_per_e.reason == "no_response"  # no noise: nothing to take a gain from
    assert report.dark_noise_e.reason == "no_response"


def test_what_is_not_given_is_undefined_with_its_reason(simulated: SimulatedSeries) -> None:
    report = simulated.report(photons=None, exposures_ms=None, spatial=None)
    for name in ("responsivity", "quantum_efficiency", "saturation_e", "snr_max", "dynamic_range", "linearity_error"):
        assert math.isnan(float(getattr(report, name)))
        assert getattr(report, name).reason == "no_photons"
    assert report.dsnu_e.reason == report.prnu.reason == "no_spatial_series"
    assert report.dark_current.reason == "no_exposures"
    assert float(report.gain_dn_per_e) == pytest.approx(GAIN, rel=0.01)


def test_a_series_that_stops_short_of_saturation_says_so(simulated: SimulatedSeries) -> None:
    report = characterize(simulated.bright[:8], simulated.dark[:8], photons=PHOTONS[:8], bit_depth=12)
    for name in ("saturation_e", "snr_max", "dynamic_range", "linearity_error"):
        assert getattr(report, name).reason == "not_saturated"
    assert float(report.gain_dn_per_e) == pytest.approx(GAIN, rel=0.02)
    assert float(report.quantum_efficiency) == pytest.approx(QE, rel=0.02)


def test_too_few_levels_and_exposures(simulated: SimulatedSeries) -> None:
    two = characterize(simulated.bright[:2], simulated.dark[:2], photons=PHOTONS[:2], bit_depth=12)
    assert two.gain_dn_per_e.reason == "too_few_levels"
    assert two.quantum_efficiency.reason == two.dark_noise_e.reason == "too_few_levels"
    five = characterize(simulated.bright[:5], simulated.dark[:5], exposures_ms=EXPOSURES_MS[:5], bit_depth=12)
    assert five.dark_current.reason == "too_few_exposures"
    all_clipped = characterize([simulated.bright[-1]] * 4, simulated.dark[:4], photons=PHOTONS[:4], bit_depth=12)
    assert all_clipped.gain_dn_per_e.reason == "too_few_levels"


def test_non_uniformity_below_the_noise_or_the_filter_is_undefined(simulated: SimulatedSeries) -> None:
    small = (simulated.spatial[0][:, :19, :19], simulated.spatial[1][:, :19, :19])
    assert simulated.report(spatial=small).prnu.reason == "too_few_pixels"
    swapped = simulated.report(spatial=(simulated.spatial[1], simulated.spatial[0]))
    assert swapped.prnu.reason == "non_uniformity_not_resolved"


def test_a_gain_that_changes_with_light_is_flagged_and_its_children_too(simulated: SimulatedSeries) -> None:
    bent = [simulated.bright[0], *simulated.bright[1:]]
    for i in range(4, 9):  # noise averaged away inside the camera: less variance than the light brings
        frames = bent[i].astype(np.float64)
        bent[i] = np.rint(frames.mean(axis=0) + 0.6 * (frames - frames.mean(axis=0))).astype(np.uint16)
    report = characterize(bent, simulated.dark, photons=PHOTONS, bit_depth=12)
    assert report.gain_dn_per_e.reason == "gain_not_constant"
    assert report.quantum_efficiency.reason == report.dark_noise_e.reason == "gain_not_constant"
    assert math.isfinite(float(report.gain_dn_per_e))


def test_dark_noise_hidden_by_quantisation_is_an_upper_figure() -> None:
    rng = np.random.default_rng(5)
    means = [100.0, 300.0, 500.0, 700.0, 900.0]
    bright = [(20 + np.rint(0.1 * rng.poisson(m, (2, 64, 64)))).astype(np.uint8) for m in means]
    dark = [np.full((2, 64, 64), 20, dtype=np.uint8)] * len(means)
    report = characterize(bright, dark, bit_depth=8)
    expected = math.sqrt(0.49**2 - 1.0 / 12.0) / float(report.gain_dn_per_e)
    assert float(report.dark_noise_e) == pytest.approx(expected, rel=1e-12)
    assert report.dark_noise_e.reason == "quantisation_limited"
    lo, hi = report.dark_noise_e.ci
    assert lo == 0.0
    assert expected < 0.49 / float(report.gain_dn_per_e) < hi
    assert report.absolute_threshold_e.ci[0] == 1.0
    assert report.absolute_threshold_e.reason == "quantisation_limited"


def test_frames_need_not_be_one_array(simulated: SimulatedSeries) -> None:
    as_lists = characterize([list(s) for s in simulated.bright], [list(s) for s in simulated.dark], bit_depth=12)
    assert as_lists.gain_dn_per_e == simulated.report().gain_dn_per_e


def test_dark_frames_clipped_at_zero_are_refused(simulated: SimulatedSeries) -> None:
    clipped = [np.where(d < 58, 0, d).astype(np.uint16) for d in simulated.dark]
    with pytest.raises(ProfileError, match=r"clipped at zero and give neither offset nor read noise"):
        characterize(simulated.bright, clipped, bit_depth=12)
    with pytest.raises(ProfileError, match="clipped at zero"):
        simulated.report(spatial=(simulated.spatial[0], np.zeros_like(simulated.spatial[1])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"release": "5.0"}, "release is '5.0'"),
        ({"bit_depth": 17}, "bit_depth is 17"),
        ({"photons": PHOTONS[:3]}, "photons: expected one value per level, 12 in all"),
        ({"photons": -PHOTONS}, "photons: expected finite values"),
        ({"exposures_ms": [math.nan] * 12}, "exposures_ms: expected finite values"),
    ],
)
def test_bad_options_are_named(simulated: SimulatedSeries, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulated.report(**options)


def test_bad_stacks_are_named(simulated: SimulatedSeries) -> None:
    bright, dark = simulated.bright, simulated.dark
    with pytest.raises(InputError, match="found 12 bright and 1 dark"):
        characterize(bright, dark[:1], bit_depth=12)
    bad: dict[str, tuple[Any, Any]] = {
        "level 0 bright frames: found 1, expected at least 2": (bright[0][:1], dark[0]),
        "level 0: found .* bright and .* dark, expected one shape": (bright[0], dark[0][:, 1:]),
        "level 0 bright frame 0": (bright[0].astype(np.float64), dark[0]),
        "level 0 dark frame 0": (bright[0], dark[0].astype(">u2")),
        "level 0 bright frame 1": ([bright[0][0], bright[0][1, 1:]], dark[0]),
    }
    for message, (lit, unlit) in bad.items():
        with pytest.raises(ProfileError, match=message):
            characterize([lit], [unlit], bit_depth=12)
    with pytest.raises(ProfileError, match="level 1 bright"):
        characterize(bright, dark, bit_depth=8 + 1)


def test_stacks_of_another_exposure_or_shape_and_saturated_spatial_frames_are_refused(
    simulated: SimulatedSeries,
) -> None:
    stacks = [
        FrameStack.from_array(frames, axes="TYX", exposure_ms=float(t))
        for frames, t in zip(simulated.bright, EXPOSURES_MS, strict=True)
    ]
    assert characterize(stacks, simulated.dark, exposures_ms=EXPOSURES_MS, bit_depth=12).gain_dn_per_e.value > 0
    wrong = np.where(np.arange(12) == 3, 1.2, 1.0) * EXPOSURES_MS
    with pytest.raises(ProfileError, match=r"level 3 bright frames: they state an exposure of 40 ms, expected 48 ms"):
        characterize(stacks, simulated.dark, exposures_ms=wrong, bit_depth=12)
    with pytest.raises(ProfileError, match=r"spatial bright frames: .* sit at the maximum, expected at most 0\.1%"):
        simulated.report(spatial=(simulated.bright[-1], simulated.spatial[1]))
    small = [simulated.bright[0], simulated.bright[1][:, 1:]], [simulated.dark[0], simulated.dark[1][:, 1:]]
    with pytest.raises(ProfileError, match="level 1: found frames of"):
        characterize(*small, bit_depth=12)


CLEAN = SimulatedCamera(
    vignetting=0.0, hot_pixel_share=0.0, dark_current_e_per_s=500.0, exposure_ms=40.0, prnu=0.006, seed=77
)


def codes(camera: SimulatedCamera, **options: Any) -> tuple[tuple[str, ...], CameraReport]:
    levels, n, frames = options.pop("levels", 14), options.pop("n", 2), options.pop("spatial_frames", 16)
    s = camera.characterization_series(shape=(96, 96), levels=levels, n=n, spatial_frames=frames)
    given_options: dict[str, Any] = {"photons": s.photons, "exposures_ms": s.exposures_ms, "spatial": s.spatial}
    report = characterize(s.bright, s.dark, bit_depth=camera.bit_depth, **(given_options | options))
    return tuple(finding.code for finding in report.findings), report


def test_a_clean_camera_gives_no_findings() -> None:
    assert codes(CLEAN)[0] == ()
    assert codes(CLEAN, spatial=None)[0] == ()
    assert codes(CLEAN, photons=None)[0] == ()


@pytest.mark.parametrize("bend", [0.01, 0.02, -0.02])
def test_bent_linearity_is_found(bend: float) -> None:
    found, report = codes(replace(CLEAN, bend=bend))
    assert found == ("not_linear",)
    assert report.linearity_error.reason == report.quantum_efficiency.reason == "not_linear"
    assert math.isfinite(report.linearity_error.value)
    told = float(report.findings[0].text.split("bends by ")[1].split("%")[0])
    assert told == pytest.approx(100 * bend, rel=0.2)  # at the saturation level, which lies under full scale
    assert codes(replace(CLEAN, bend=bend), photons=None)[0] == ("not_linear",)  # by the exposures alone


def test_uneven_light_is_found_with_and_without_a_spatial_series() -> None:
    found, report = codes(replace(CLEAN, tilt=0.05))
    assert found == ("uneven_light",)
    assert report.prnu.reason == "uneven_light"
    assert "changes by 5." in report.findings[0].text
    assert codes(replace(CLEAN, tilt=0.05), spatial=None)[0] == ("uneven_light",)
    assert codes(replace(CLEAN, tilt=0.02))[0] == ()


@pytest.mark.parametrize("level", [0, 4, 11])
def test_one_misstated_exposure_is_found(level: int) -> None:
    s = CLEAN.characterization_series(shape=(96, 96), levels=14)
    wrong = np.array(s.exposures_ms)
    wrong[level] *= 1.2
    found, report = codes(CLEAN, exposures_ms=wrong)
    assert found == ("exposure_inconsistent",)
    assert f"level {level}: its signal departs" in report.findings[0].text
    assert report.dark_current.reason == "exposure_inconsistent"
    photons = np.array(s.photons)
    photons[level] *= 0.8
    assert codes(CLEAN, photons=photons)[0] == ("exposure_inconsistent",)
    assert "check the photon number" in codes(CLEAN, photons=photons)[1].findings[0].text


def test_dark_stacks_that_differ_at_one_exposure_are_found() -> None:
    s = CLEAN.characterization_series(shape=(96, 96), levels=14, method="light")
    longer = CLEAN.dark_series(2, shape=(96, 96), exposure_ms=80.0)
    dark = [*s.dark[:5], longer, *s.dark[6:]]
    options: dict[str, Any] = {"photons": s.photons, "exposures_ms": s.exposures_ms, "bit_depth": 12}
    assert characterize(s.bright, s.dark, **options).findings == ()
    (finding,) = characterize(s.bright, dark, **options).findings
    assert finding.code == "exposure_inconsistent"
    assert "level 5: its dark mean is" in finding.text


def test_few_levels_few_frames_and_no_saturation_are_told() -> None:
    found, report = codes(CLEAN, levels=np.linspace(0.05, 0.9, 8), spatial_frames=8)
    assert found == ("too_few_levels", "not_saturated", "few_frames")
    assert report.gain_dn_per_e.reason == "too_few_levels"
    assert report.prnu.reason == report.dsnu_e.reason == "few_frames"
    assert report.gain_dn_per_e.value == pytest.approx(CLEAN.gain_dn_per_e, rel=0.05)
    assert "found 8, expected at least 9" in report.findings[0].text


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_frames_are_a_figure_is_finite_inside_its_interval_or_has_a_reason(seed: int) -> None:
    """Tiny, constant, saturated and noise-free frames; photons and exposures that make no sense."""
    rng = np.random.default_rng([26, seed])
    height, width, levels = (int(n) for n in rng.integers((1, 1, 1), (26, 26, 13)))
    full = 2 ** int(rng.choice([4, 8, 12, 16])) - 1
    noise, shot = rng.choice([0, 0.3, 3]) * full / 255, rng.choice([0, 1])

    def shoot(light: float) -> Stack:
        frames = full * (0.1 + 0.5 * light) + noise * rng.standard_normal((2, height, width))
        return np.rint(frames + shot * rng.poisson(light * full, frames.shape)).clip(0, full).astype(np.uint16)

    light = np.sort(rng.random(levels)) * rng.choice([0.0, 0.3, 1.5])
    options: dict[str, Any] = {"bit_depth": int(full).bit_length(), "release": str(rng.choice(["3.1", "4.0"]))}
    if rng.random() < 0.7:
        options["photons"] = light * rng.choice([0.0, 1e3]) * (1 + 0.1 * rng.random(levels))
    if rng.random() < 0.7:
        options["exposures_ms"] = np.where(rng.random() < 0.5, 10 * light, 5.0) + np.zeros(levels)
    if rng.random() < 0.7 and full > 4095:
        options["spatial"] = (shoot(0.2), shoot(0.0))
    report = characterize([shoot(x) for x in light], [shoot(0.0) for _ in light], **options)
    for name, m in measurements(report).items():
        if math.isnan(m.value):
            assert m.reason is not None, name
        else:
            slack = 1e-9 * abs(m.value)
            lo, hi = m.ci  # unknown bounds are NaN
            assert not lo > m.value + slack, name
            assert not hi < m.value - slack, name


@pytest.fixture(scope="module")
def validation() -> ModuleType:
    return load("characterize")


def test_intervals_cover_the_truth_over_twenty_cameras(validation: ModuleType) -> None:
    """A fixed slice of bench/validation/characterize.py, which pools 2000 runs."""
    cases = [case for index in range(20) for run in range(2) for case in validation.coverage_run(index, run)]
    narrow = [case.covered for case in cases if case.name not in validation.BOUNDS]
    assert len(narrow) > 500
    assert 0.92 < np.mean(narrow) < 0.99
    assert np.mean([case.covered for case in cases if case.name in validation.BOUNDS]) > 0.97


@dataclass
class RealSeries:
    bright: list[Stack]
    dark: list[Stack]
    photons: list[float]
    exposures_ms: list[float]
    spatial: tuple[Stack, Stack]


@pytest.fixture(scope="module")
def real(shared_data: Path) -> RealSeries:
    """EMVA 1288 reference set 001: a real 12-bit CCD (Basler AG, CC BY-SA 3.0), every third level."""
    folder = shared_data / "emva1288_set001"
    levels: list[tuple[str, list[float], list[Stack]]] = []
    for line in (folder / "EMVA1288_Data.txt").read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind in {"b", "d"}:
            levels.append((kind, [float(word) for word in words], []))
        elif kind == "i":
            levels[-1][2].append(np.asarray(Image.open(folder / words[0].replace("\\", "/"))))

    def pick(kind: str, *, pairs: bool) -> list[tuple[list[float], Stack]]:
        return [(head, np.stack(f)) for k, head, f in levels if k == kind and (len(f) == 2) is pairs]

    bright = pick("b", pairs=True)
    return RealSeries(
        bright=[stack for _, stack in bright],
        dark=[stack for _, stack in pick("d", pairs=True)],
        photons=[head[1] for head, _ in bright],
        exposures_ms=[head[0] / 1e6 for head, _ in bright],  # the descriptor counts nanoseconds
        spatial=(pick("b", pairs=False)[0][1], pick("d", pairs=False)[0][1]),
    )


def report_of(real: RealSeries, release: str) -> CameraReport:
    return characterize(
        real.bright,
        real.dark,
        photons=real.photons,
        exposures_ms=real.exposures_ms,
        spatial=real.spatial,
        bit_depth=12,
        release=release,
    )


def test_real_camera_with_release_3_1_agrees_with_the_reference(real: RealSeries) -> None:
    report = report_of(real, "3.1")
    assert float(report.gain_dn_per_e) == pytest.approx(0.2791, rel=0.01)
    assert float(report.quantum_efficiency) == pytest.approx(0.4525, rel=0.01)
    assert float(report.dark_noise_e) == pytest.approx(10.92, rel=0.02)
    assert float(report.saturation_e) == pytest.approx(14008.0, rel=0.01)
    assert float(report.snr_max) == pytest.approx(118.4, rel=0.01)
    assert float(report.dynamic_range) == pytest.approx(1221.0, rel=0.02)
    assert float(report.prnu) == pytest.approx(0.00433, rel=0.01)
    assert report.gain_dn_per_e.reason is None


def test_real_camera_saturates_at_the_stated_level(real: RealSeries) -> None:
    report = report_of(real, "3.1")
    (level,) = (x for x in report.levels if x.photons == 30957.0)
    assert report.saturation_dn.value == pytest.approx(level.signal_dn)
    assert report.saturation_e.value == pytest.approx(30957.0 * report.quantum_efficiency.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_real_camera_agrees_with_the_package_of_the_standard(
    real: RealSeries, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = pytest.importorskip("emva1288.process", reason="the package emva1288 (an oracle) is not installed")
    # It was written for numpy 1, and leaves its descriptor file open.
    monkeypatch.setattr(np, "asfarray", lambda a: np.asarray(a, np.float64), raising=False)
    logging.disable()
    parser = process.ParseEmvaDescriptorFile(str(shared_data / "emva1288_set001" / "EMVA1288_Data.txt"))
    oracle = process.Results1288(process.Data1288(process.LoadImageData(parser.images).data).data)
    logging.disable(logging.NOTSET)
    report = report_of(real, "3.1")
    assert report.gain_dn_per_e.value == pytest.approx(oracle.K, rel=1e-4)
    assert 100 * report.quantum_efficiency.value == pytest.approx(oracle.QE, rel=1e-3)
    assert report.dark_noise_e.value == pytest.approx(oracle.sigma_d, rel=1e-3)
    assert report.dynamic_range.value == pytest.approx(oracle.DR, rel=2e-3)
    assert report.dsnu_e.value == pytest.approx(oracle.DSNU1288, rel=0.01)
    assert 100 * report.prnu.value == pytest.approx(oracle.PRNU1288, rel=0.003)


def test_real_camera_with_release_4_agrees_with_the_reference(real: RealSeries) -> None:
    report = report_of(real, "4.0")
    assert float(report.gain_dn_per_e) == pytest.approx(0.27674, rel=0.01)
    assert float(report.dark_noise_e) == pytest.approx(10.92, rel=0.02)
    assert float(report.prnu) == pytest.approx(0.00261, rel=0.02)
    assert [f.code for f in report.findings] == ["not_linear"]  # its response falls by 2 % up to saturation
    # 17 frames leave a temporal part of the size of the whole spatial variance: no figure, rather than a guess.
    assert report.dsnu_e.reason == "non_uniformity_not_resolved"


def test_real_dark_frames_clipped_at_zero_are_refused(shared_data: Path) -> None:
    darks = sorted((shared_data / "exposure_series").glob("d2_dark_100ms_*.tif"))
    stack = np.stack([np.asarray(Image.open(path)) for path in darks])
    assert len(darks) == 2
    with pytest.raises(ProfileError, match="clipped at zero"):
        characterize([stack], [stack], bit_depth=8)


# ---- what careless filming looks like


def lit_and_dark(noise_dn: float, seed: int) -> tuple[list[Stack], list[Stack], Stack]:
    rng = np.random.default_rng(seed)
    exposures = np.linspace(3, 40, 8)

    def shoot(mean_e: float) -> Stack:
        frames = 200 + 0.25 * rng.poisson(mean_e, (2, 24, 24)) + rng.normal(0, noise_dn, (2, 24, 24))
        return np.rint(frames).astype(np.uint16)

    return [shoot(300 * t) for t in exposures], [shoot(0.4 * t) for t in exposures], exposures


@pytest.mark.parametrize("noise_dn", [2.9, 3.07, 3.6, 4.3])
@pytest.mark.parametrize("seed", range(6))
def test_scatters_too_small_to_square_do_no_harm(noise_dn: float, seed: int) -> None:
    bright, dark, exposures = lit_and_dark(noise_dn, seed)
    current = characterize(bright, dark, bit_depth=12, exposures_ms=exposures).dark_current
    assert current.ci[0] < current.value < current.ci[1]
    assert current.value == pytest.approx(400, abs=4 * current.sigma)


def test_bright_and_dark_swapped_are_refused() -> None:
    bright, dark, exposures = lit_and_dark(3.0, 1)
    with pytest.raises(ProfileError, match="below its dark frames, expected above; are bright and dark swapped"):
        characterize(dark, bright, bit_depth=12, exposures_ms=exposures)


def test_one_dark_stack_for_several_exposures_is_refused() -> None:
    bright, dark, exposures = lit_and_dark(3.0, 1)
    with pytest.raises(ProfileError, match=r"dark frames: the same ones stand for 3 and 8\.28571 ms"):
        characterize(bright, dark[:1] * 8, bit_depth=12, exposures_ms=exposures)
    report = characterize(bright, dark[:1] * 8, bit_depth=12, exposures_ms=[20.0] * 8)
    assert report.dark_current.reason == "too_few_exposures"


def test_dark_frames_clamped_at_a_black_level_are_refused() -> None:
    bright, dark, _ = lit_and_dark(3.0, 1)
    with pytest.raises(ProfileError, match=r"% of the samples are 200, the smallest count.*black-level clamping off"):
        characterize(bright, [np.maximum(d, 200) for d in dark], bit_depth=12)


def test_spatial_frames_cut_off_below_full_scale_are_refused(simulated: SimulatedSeries) -> None:
    lit, unlit = simulated.spatial
    with pytest.raises(ProfileError, match=r"spatial bright frames: .*% of the samples are 2000, the largest count"):
        simulated.report(spatial=(np.minimum(lit, 2000), unlit))
