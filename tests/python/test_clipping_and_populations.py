"""What lies about a lesion, and what was cut off: drapes, tables, clipped regions, backgrounds of another frame."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

import pyicg
from pyicg import CameraProfile, InputError, UnitError
from pyicg.phantom import SimulatedCamera

from .oracles import F32, calibrated

SHAPE = (160, 240)
Mask = npt.NDArray[np.bool_]


def disc(centre: tuple[float, float], radius: float) -> Mask:
    y, x = np.indices(SHAPE)
    return np.asarray(np.hypot(y - centre[0], x - centre[1]) <= radius)


def texture(seed: int, amount: float, sigma: float = 4.0) -> npt.NDArray[np.float64]:
    grain = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), sigma)
    return np.exp(amount * grain / grain.std())


@pytest.mark.parametrize("share", [0.26, 0.35, 0.42])
@pytest.mark.parametrize("dim", [0.05, 0.1, 0.25, 0.6])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_a_drape_is_no_background_while_more_liver_shows(share: float, dim: float, noise: float) -> None:
    # Even and dim, a drape fills a narrower part of the histogram than the liver does.
    lesion = disc((80, 190), 18)
    scene = np.where(lesion, 300.0, 100.0)
    scene[:, : int(share * SHAPE[1])] = 100 * dim
    rng = np.random.default_rng(5)
    cal = calibrated(scene + rng.normal(0, noise * np.sqrt(scene / 100)))
    for exclude in (None, lesion):
        bg = pyicg.estimate_background(cal, exclude=exclude)
        assert bg.level == pytest.approx(100, rel=0.005)
        assert pyicg.contrast(cal, signal=lesion, background=bg).sbr.value == pytest.approx(3.0, rel=0.005)


def test_a_bed_without_a_lesion_and_with_a_drape_has_no_sign() -> None:
    rate = 50 * texture(2, 0.08, 6.0)
    rate[:, :72] = 10.0
    camera = SimulatedCamera(bit_depth=16, gain_dn_per_e=2.0, read_noise_e=2.0, vignetting=0.0)
    raw = camera.expose(rate)[0]
    score = pyicg.score_frame(raw, profile=camera.measure_profile(SHAPE), prevalence="mimic-overall")
    assert score.fluorescent is False
    assert score.margin is not None
    assert score.margin.label != "R1"


@pytest.mark.parametrize("amount", [0.0, 0.2])
def test_a_large_uneven_lesion_of_twenty_times_the_liver_is_a_lesion(amount: float) -> None:
    lesion = disc((80, 120), 70)  # 40 % of the frame
    scene = np.where(lesion, 2000 * texture(3, amount, 2.0), 100.0)
    bg = pyicg.estimate_background(calibrated(scene + np.random.default_rng(6).normal(0, 2, SHAPE)))
    assert (bg.empty_field, bg.reason) == (False, None)
    assert bg.level == pytest.approx(100, rel=0.002)


def test_every_figure_says_that_an_empty_field_was_left_out() -> None:
    specimen = disc((80, 120), 50)
    lesion = disc((80, 120), 20)
    scene = np.where(specimen, 100.0, 1.0) + 200 * lesion
    cal = calibrated(scene + np.random.default_rng(7).normal(0, 0.2, SHAPE))
    bg = pyicg.estimate_background(cal)
    assert bg.empty_field
    assert bg.level == pytest.approx(100, rel=0.002)
    con = pyicg.contrast(cal, signal=lesion, background=bg)
    assert con.sbr.value == pytest.approx(3.0, rel=0.005)
    assert {con.sbr.reason, con.cnr.reason, con.background_level.reason} == {"empty_field_left_out"}


@pytest.mark.parametrize("offset", [12.0, 12.3, 12.5])
@pytest.mark.parametrize("policy", ["median", "percentile"])
def test_the_interval_of_a_median_holds_the_count_it_clings_to(offset: float, policy: str) -> None:
    # A dark map that is not whole shifts the lattice of the counts: the median lies on it, up to half a count off.
    rng = np.random.default_rng(8)
    level, sigma = 2.0, 1.4
    misses = []
    for _ in range(20):
        raw = np.rint(offset + rng.normal(level, sigma, (80, 80))).clip(0).astype(np.uint8)
        profile = replace(CameraProfile.identity((80, 80), bit_depth=8), dark=np.full((80, 80), offset, F32))
        bg = pyicg.estimate_background(pyicg.calibrate(raw, profile), policy=policy)
        truth = level if policy == "median" else level - 0.6745 * math.hypot(sigma, 12**-0.5)
        misses.append(abs(bg.level - truth) > 1.96 * bg.sem)
        assert bg.budget is not None
        assert bg.budget.pixel_noise == pytest.approx(12**-0.5, rel=1e-6)
    assert np.mean(misses) <= 0.05


def test_a_signal_that_was_cut_off_at_zero_has_no_lower_bound() -> None:
    rng = np.random.default_rng(9)
    core = disc((80, 120), 20)
    raw = np.rint(rng.normal(np.where(core, 4, 60), 2.5)).clip(0).astype(np.uint8)
    profile = replace(CameraProfile.identity(SHAPE, bit_depth=8), dark=np.full(SHAPE, 4, F32), calibrated=True)
    cal = pyicg.calibrate(raw, profile)
    con = pyicg.contrast(cal, signal=core, background=pyicg.estimate_background(cal))
    assert con.signal_level.reason == con.sbr.reason == "signal_cut_off"
    assert con.sbr.ci[0] == con.signal_level.ci[0] == -math.inf
    assert con.michelson.ci[0] == -1.0
    assert con.signal_level.ci[1] > 0  # the truth
    shadow = pyicg.contrast(calibrated(cal.data + 40), signal=core, background=pyicg.estimate_background(cal))
    assert shadow.signal_level.reason is None


def test_a_saturated_signal_without_a_background_is_still_a_lower_bound() -> None:
    data, bits = np.full((6, 6), 4095.0), np.ones((6, 6), np.uint8)
    cal = calibrated(data, bits)
    con = pyicg.contrast(cal, signal=np.ones((6, 6), bool), background=pyicg.estimate_background(cal))
    assert con.signal_level.reason == "saturated_lower_bound"
    assert con.signal_level.ci[1] == math.inf
    assert math.isnan(con.sbr.value)


def test_a_background_belongs_to_its_frame() -> None:
    raw = np.random.default_rng(10).poisson(100, (60, 60)).astype(np.uint16)
    signal = np.zeros((60, 60), bool)
    signal[20:30, 20:30] = True
    profile = CameraProfile(camera="c", shape=(60, 60), bit_depth=12, gain_dn_per_e=0.5, read_noise_dn=2.0)
    cal = pyicg.calibrate(raw, profile, exposure_ms=10)
    other_unit = pyicg.estimate_background(pyicg.calibrate(raw, profile, exposure_ms=10, unit="e/ms"))
    with pytest.raises(UnitError, match=r"in e/ms, the frame in DN/ms"):
        pyicg.contrast(cal, signal=signal, background=other_unit)
    other_profile = pyicg.estimate_background(
        pyicg.calibrate(raw, CameraProfile.identity((60, 60), bit_depth=12), exposure_ms=10)
    )
    with pytest.raises(InputError, match="one profile"):
        pyicg.contrast(cal, signal=signal, background=other_profile)
    with pytest.raises(InputError, match="one profile"):
        pyicg.segment_rim(cal, background=other_profile)
    small = pyicg.estimate_background(calibrated(np.full((40, 40), 5.0), unit="DN/ms"))
    with pytest.raises(InputError, match=r"\(40, 40\), this one is \(60, 60\)"):
        pyicg.contrast(cal, signal=signal, background=small)
    # A frame of the same camera a moment later is fine, and so is a background stated by hand.
    later = pyicg.calibrate(raw[::-1], profile, exposure_ms=10)
    by_hand = pyicg.Background(10.0, 1.0, 0.1, 100, "mask")
    for background in (pyicg.estimate_background(later), by_hand):
        assert pyicg.contrast(cal, signal=signal, background=background).sbr.value == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("factor", [1e-30, 1e-20, 1e19, 1e30])
def test_figures_do_not_depend_on_the_unit(factor: float) -> None:
    lesion = disc((80, 120), 20)
    scene = np.where(lesion, 300.0, 100.0) + np.random.default_rng(11).normal(0, 4, SHAPE)
    wanted, found = (
        pyicg.contrast(cal, signal=lesion, background=pyicg.estimate_background(cal, exclude=lesion))
        for cal in (calibrated(scene), calibrated(scene * factor))
    )
    for name in ("sbr", "cnr", "cvr"):
        assert getattr(found, name).value == pytest.approx(getattr(wanted, name).value, rel=1e-4)
        np.testing.assert_allclose(getattr(found, name).ci, getattr(wanted, name).ci, rtol=1e-3)


def test_a_surface_without_noise_has_no_spread() -> None:
    lesion = disc((80, 120), 20)
    cal = calibrated(np.where(lesion, 300.0, 100.0))
    con = pyicg.contrast(cal, signal=lesion, background=pyicg.background_surface(cal, exclude=lesion).under(lesion))
    assert con.sbr.value == pytest.approx(3.0, rel=1e-6)
    assert math.isnan(con.cnr.value)
    assert con.cnr.reason == "background_not_resolved"
