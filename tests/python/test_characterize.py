"""Camera characterisation: a simulated camera of known make, a real one, and everything that must be refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pyicg._frame_series import accumulate
from pyicg.characterize import CameraReport, _high_pass, _temporal_variance, characterize
from pyicg.errors import InputError, ProfileError

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
WHITE = math.sqrt(0.988495)  # what the high-pass leaves of a white pattern


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


def test_intervals_hold_the_truth(simulated: SimulatedSeries) -> None:
    report = simulated.report()
    truths = {
        "gain_dn_per_e": GAIN,
        "quantum_efficiency": QE,
        "dark_noise_e": DARK_NOISE_E,
        "dark_current": DARK_CURRENT_E_PER_S,
        "snr_max": math.sqrt(SATURATION_E),
    }
    for name, truth in truths.items():
        lo, hi = getattr(report, name).ci
        assert lo < truth < hi, name
        assert getattr(report, name).sigma > 0.0


def test_release_4_takes_shading_off_non_uniformity_and_release_3_1_does_not(simulated: SimulatedSeries) -> None:
    new, old = simulated.report(release="4.0"), simulated.report(release="3.1")
    assert float(new.prnu) == pytest.approx(PRNU * WHITE, rel=0.03)
    ramp_sd = np.std(np.linspace(-0.02, 0.02, SHAPE[1]))
    assert float(old.prnu) == pytest.approx(math.hypot(PRNU, ramp_sd), rel=0.03)
    assert float(new.dsnu_e) == pytest.approx(DSNU_E * WHITE, rel=0.04)
    assert float(old.dsnu_e) == pytest.approx(DSNU_E, rel=0.04)


def test_high_pass_removes_a_plane_and_leaves_the_stated_share_of_white_noise() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float64)
    assert np.abs(_high_pass(3.0 * y - 2.0 * x + 7.0)).max() < 1e-11
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1.0
    assert np.sum(_high_pass(impulse) ** 2) == pytest.approx(0.988495, abs=1e-6)


@given(arrays(np.uint8, (2, 3, 4)))
def test_temporal_variance_of_a_pair_is_equation_1(pair: Stack) -> None:
    y = pair.astype(np.float64)
    expected = np.mean((y[0] - y[1]) ** 2) / 2.0 - (y[0].mean() - y[1].mean()) ** 2 / 2.0
    assert _temporal_variance(accumulate(pair, "pair", 8)) == pytest.approx(expected, abs=1e-9)


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


def test_real_camera_with_release_4_agrees_with_the_reference(real: RealSeries) -> None:
    report = report_of(real, "4.0")
    assert float(report.gain_dn_per_e) == pytest.approx(0.27674, rel=0.01)
    assert float(report.dark_noise_e) == pytest.approx(10.92, rel=0.02)
    assert float(report.prnu) == pytest.approx(0.00261, rel=0.02)
    # 17 frames leave a temporal part of the size of the whole spatial variance: no figure, rather than a guess.
    assert report.dsnu_e.reason == "non_uniformity_not_resolved"


def test_real_dark_frames_clipped_at_zero_are_refused(shared_data: Path) -> None:
    darks = sorted((shared_data / "exposure_series").glob("d2_dark_100ms_*.tif"))
    stack = np.stack([np.asarray(Image.open(path)) for path in darks])
    assert len(darks) == 2
    with pytest.raises(ProfileError, match="clipped at zero"):
        characterize([stack], [stack], bit_depth=8)
