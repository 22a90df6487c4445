from __future__ import annotations

import math

import numpy as np
import pytest

import pyicg
from pyicg.phantom import SimulatedCamera

from .camera_frames import LEVEL_E, SHAPE, Frames, build, codes, series

# ---- several dark exposures

CAMERA = SimulatedCamera(dark_current_e_per_s=400.0, seed=5, hot_pixel_share=0.0)


def darks(*times: float, n: int = 16, camera: SimulatedCamera = CAMERA) -> dict[float, Frames]:
    return {time: camera.dark_series(n, shape=SHAPE, exposure_ms=time) for time in times}


def test_dark_current_comes_from_the_line_through_the_exposures() -> None:
    profile = build(darks(5, 20, 80))
    truth = CAMERA.dark_current_e_per_s / 1000 * CAMERA.gain_dn_per_e
    assert profile.dark_rate is not None
    assert profile.dark is not None
    assert profile.dark_sigma is not None
    assert profile.dark_exposures_ms is not None
    assert profile.dark_current_dn_per_ms == pytest.approx(truth, rel=0.01)
    assert abs(profile.dark_current_dn_per_ms - truth) < 4 * profile.dark_current_sigma_dn_per_ms
    assert profile.dark_rate.mean() == pytest.approx(profile.dark_current_dn_per_ms, rel=1e-5)
    assert profile.exposure_range_ms == (5.0, 80.0)
    assert profile.dark_exposures_ms == pytest.approx((35.0, math.sqrt(1050.0)))
    # as numpy's own weighted least squares
    frames = darks(5, 20, 80)
    t, mean = np.array([5.0, 20.0, 80.0]), np.stack([f.mean(axis=0).ravel() for f in frames.values()])
    slope, level = np.polyfit(t, mean, 1)
    np.testing.assert_allclose(profile.dark_rate.ravel(), slope, atol=1e-6)
    np.testing.assert_allclose(profile.dark.ravel(), level + 20 * slope, rtol=1e-6)
    # and the stated uncertainty is the scatter of the map around the truth
    truth_map = CAMERA._patterns(SHAPE).dark_dn
    for time in (5.0, 35.0, 80.0):
        dark, sigma = profile.dark_at(time)
        assert sigma is not None
        scatter = ((dark - truth_map - truth * time) ** 2).mean() / (sigma**2).mean()
        assert scatter == pytest.approx(1.0, abs=0.3)  # one variance stands for all; dark current adds to it
    assert not any("dark current is not measured" in text for text in profile.provenance["assumptions"])


def test_frames_weigh_the_line() -> None:
    frames = darks(10, 20, 40)
    frames[40] = frames[40][:2]
    profile = build(frames)
    assert profile.dark_rate is not None
    mean = np.stack([f.mean(axis=0).ravel() for f in frames.values()])
    slope, _ = np.polyfit([10.0, 20.0, 40.0], mean, 1, w=np.sqrt([16.0, 16.0, 2.0]))
    np.testing.assert_allclose(profile.dark_rate.ravel(), slope, atol=1e-6)


def test_read_noise_holds_at_the_stated_exposure() -> None:
    # dark current adds its shot noise: K^2 * electrons
    hot = SimulatedCamera(dark_current_e_per_s=4000.0, seed=5, hot_pixel_share=0.0)
    frames = darks(10, 40, camera=hot)
    for time in (10.0, 20.0, 40.0):
        expected = hot.gain_dn_per_e**2 * (hot.read_noise_e**2 + 4 * time) + 1 / 12
        assert build(frames, exposure_ms=time).read_noise_dn == pytest.approx(math.sqrt(expected), rel=0.02)


def test_the_order_of_the_exposures_does_not_matter() -> None:
    frames = darks(10, 20, 40, n=3)
    assert build(dict(reversed(frames.items()))).digest == build(frames).digest
    assert build({20.0: frames[20]}).digest == build(frames[20]).digest  # a mapping of one exposure is that exposure


def test_a_misstated_dark_exposure_is_found() -> None:
    frames = darks(10, 20, 30, 40, 50)
    assert codes(build(frames)) == []
    frames[40.0] = CAMERA.dark_series(16, shape=SHAPE, exposure_ms=52)
    profile = build(frames)
    assert codes(profile) == ["exposure_inconsistent"]
    assert "dark level at 40 ms" in profile.provenance["findings"][0]["text"]


# ---- several flat exposures


def flats(camera: SimulatedCamera, *times: float, n: int = 8, top: float = 0.9) -> dict[float, Frames]:
    """Exposures of one lamp: the longest reaches `top` of the range."""
    return {t: camera.flat_series(n, shape=SHAPE, exposure_ms=t, level=top * t / max(times)) for t in times}


TIMES = (2, 4, 8, 12, 16, 20, 24, 28, 32, 36)


@pytest.mark.parametrize("bend", [0.05, -0.03, 0.0])
@pytest.mark.parametrize("kind", ["polynomial", "table"])
def test_linearity_is_estimated(bend: float, kind: str) -> None:
    camera = SimulatedCamera(bend=bend, seed=3)
    profile = build(darks(2, 20, 36, camera=camera), flats(camera, *TIMES), linearity=kind)
    size = 4095.0 - camera.offset_dn
    true = np.linspace(0.02, 0.97, 60) * size
    shown = true * (1 - bend * true / size)
    if kind == "table":
        assert profile.linearity_table is not None
        assert profile.linearity_step_dn is not None
        nodes = profile.linearity_step_dn * np.arange(len(profile.linearity_table))
        inside = shown < nodes[-1]
        linear, true = np.interp(shown[inside], nodes, profile.linearity_table), true[inside]
        assert len(profile.linearity_table) == 65
    else:
        c1, c2, c3 = profile.linearity
        linear = c1 * shown + c2 * shown**2 + c3 * shown**3
    ratio = linear / true
    assert np.abs(ratio / ratio.mean() - 1).max() < 0.002
    assert ratio.mean() == pytest.approx(1.0, abs=0.003)
    assert profile.gain_dn_per_e == pytest.approx(camera.gain_dn_per_e, rel=0.01)  # on the linearised axis
    assert profile.provenance["nonlinearity_after"] < 0.001
    assert codes(profile) == []


def test_a_bent_camera_without_linearity_is_reported() -> None:
    bent = SimulatedCamera(bend=0.05, seed=3)
    profile = build(darks(2, 20, 36, camera=bent), flats(bent, *TIMES))
    assert codes(profile) == ["not_linear"]
    assert profile.provenance["nonlinearity_before"] == pytest.approx(0.02, abs=0.005)
    straight = SimulatedCamera(seed=3)
    frames = flats(straight, *TIMES)
    assert codes(build(darks(2, 20, 36, camera=straight), frames)) == []
    frames[12] = straight.flat_series(8, shape=SHAPE, exposure_ms=16, level=0.4)  # said to be 12 ms
    assert "not_linear" in codes(build(darks(2, 20, 36, camera=straight), frames, linearity="polynomial"))


def test_a_given_table_is_used() -> None:
    x = np.arange(0.0, 4001.0, 100.0)
    profile = build(series(2), series(2, LEVEL_E), linearity=np.column_stack([x, x + 5e-5 * x**2]))
    assert profile.linearity == (1.0, 0.0, 0.0)
    assert profile.linearity_step_dn == 100.0
    assert profile.linearity_table == pytest.approx((x + 5e-5 * x**2).tolist())
    assert profile.flat is not None
    polynomial = build(series(2), series(2, LEVEL_E), linearity=(1.0, 5e-5, 0.0))
    assert polynomial.flat is not None
    np.testing.assert_allclose(profile.flat, polynomial.flat, rtol=1e-3)


def test_flats_are_averaged_by_their_inverse_variance() -> None:
    dim, bright = series(8, 400.0), series(8, LEVEL_E)
    both = build({20.0: series(16), 200.0: series(16)}, {20.0: dim, 200.0: bright})
    one = build(series(16), bright)
    assert both.flat is not None
    assert one.flat is not None
    assert both.flat_sigma is not None
    assert one.flat_sigma is not None
    assert both.flat_sigma.mean() < one.flat_sigma.mean() < build(series(16), dim).flat_sigma.mean()  # type: ignore[union-attr]
    assert ((both.flat - 1) ** 2).mean() / (both.flat_sigma**2).mean() == pytest.approx(1.0, abs=0.1)
    assert ((both.flat - 1) ** 2).mean() < ((one.flat - 1) ** 2).mean()


def test_a_flat_fielded_uniform_scene_is_at_the_shot_noise_limit() -> None:
    shape = (160, 200)
    camera = SimulatedCamera(seed=7, prnu=0.02, vignetting=0.3)
    dark, flat = camera.dark_series(64, shape=shape), camera.flat_series(65, shape=shape)
    profile = build(dark, flat[:64])
    cal = pyicg.calibrate(flat[64], profile, exposure_ms=20.0)
    assert cal.variance is not None
    assert profile.flat is not None
    assert profile.flat_sigma is not None
    assert profile.dark_sigma is not None
    good = cal.mask == 0
    shot = (camera.gain_dn_per_e * cal.data * 20 * profile.flat + profile.read_noise_dn**2) / (profile.flat * 20) ** 2
    maps = (cal.data * profile.flat_sigma) ** 2 + (profile.dark_sigma / profile.flat / 20) ** 2
    assert cal.data[good].var() / (shot + maps)[good].mean() == pytest.approx(1.0, abs=0.03)
    assert flat[64][good].std() / flat[64][good].mean() > 0.05  # what it was before
    assert cal.data[good].std() / cal.data[good].mean() < 0.02


def test_scene_flat_brings_its_smooth_part_only() -> None:
    y, x = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
    lens = 1 - 0.2 * (x**2 + y**2) + 0.05 * x**4
    grain = 1 + 0.05 * np.random.default_rng(8).standard_normal(SHAPE)
    pixels = 1 + 0.02 * np.random.default_rng(9).standard_normal(SHAPE)
    flat = series(64, LEVEL_E, response=pixels)
    scene = series(64, LEVEL_E, response=pixels * lens * grain, seed=1)
    profile = build(series(64), flat, scene_flat=scene)
    assert profile.flat is not None
    truth = pixels * lens / (pixels * lens).mean()
    off = profile.flat / truth - 1
    assert off.std() < 0.006  # grain (5 %) stays out: 15 terms of 3072 pixels let 0.35 % through
    alone = build(series(64), scene_flat=scene)
    assert alone.flat is not None
    assert np.abs(alone.flat / (lens / lens.mean()) - 1).max() < 0.03
    assert alone.flat_sigma is None
    assert profile.provenance["scene_flat_frames"] == 64


def test_a_tilted_flat_is_reported() -> None:
    for tilt, expected in ((0.05, ["uneven_light"]), (0.01, [])):
        profile = build(series(16), series(16, LEVEL_E, response=1 + tilt * np.linspace(-0.5, 0.5, SHAPE[1])))
        assert codes(profile) == expected
        assert profile.provenance["flat_tilt"] == pytest.approx(tilt, abs=0.002)
