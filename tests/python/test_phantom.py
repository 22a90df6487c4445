from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyicg.errors import InputError, UnitError
from pyicg.phantom import BedPhantom, SectionPhantom, SimulatedCamera, bed_scene, section_stack

SHAPE = (64, 80)


@pytest.fixture(scope="module")
def bed() -> BedPhantom:
    return bed_scene(ring_inner_radius_mm=4.0)


@pytest.fixture(scope="module")
def section() -> SectionPhantom:
    return section_stack()


def frames_of(phantom: BedPhantom | SectionPhantom) -> npt.NDArray[np.float64]:
    return np.stack(list(phantom.stack)).astype(np.float64)


def corrected(phantom: BedPhantom | SectionPhantom) -> npt.NDArray[np.float64]:
    """Frames in DN/ms by the profile that was measured, not by the truth."""
    profile = phantom.profile
    assert profile.dark is not None
    assert profile.flat is not None
    assert profile.exposure_ms is not None
    return (frames_of(phantom) - profile.dark) / profile.flat / profile.exposure_ms


# ---- camera


def test_variance_is_gain_times_mean_plus_read_noise() -> None:
    camera = SimulatedCamera(prnu=0.0, vignetting=0.0, dsnu_dn=0.0, hot_pixel_share=0.0, seed=3)
    n = 64
    for radiance in (0.0, 20.0, 80.0, 300.0):
        frames = camera.expose(np.full(SHAPE, radiance), n).astype(np.float64)
        electrons = radiance * camera.exposure_ms
        variance = camera.gain_dn_per_e**2 * (electrons + camera.read_noise_e**2) + 1 / 12
        samples = frames.size
        sem = math.sqrt(variance / samples)
        assert frames.mean() == pytest.approx(camera.offset_dn + camera.gain_dn_per_e * electrons, abs=5 * sem)
        found = frames.var(axis=0, ddof=1).mean()
        assert found == pytest.approx(variance, rel=5 * math.sqrt(2 / (samples - frames[0].size)))


def test_fixed_patterns_have_the_spread_asked_for() -> None:
    camera = SimulatedCamera(dsnu_dn=4.0, prnu=0.03, vignetting=0.0, hot_pixel_share=0.0, read_noise_e=1.0)
    dark = camera.dark_series(32, shape=SHAPE).mean(axis=0)
    flat = camera.flat_series(32, shape=SHAPE).mean(axis=0) - dark
    assert dark.std() == pytest.approx(4.0, rel=0.05)
    shot = math.sqrt(camera.gain_dn_per_e * flat.mean() / 32) / flat.mean()
    assert math.sqrt((flat.std() / flat.mean()) ** 2 - shot**2) == pytest.approx(0.03, rel=0.05)
    assert flat.mean() == pytest.approx(0.5 * (4095 - 64), rel=0.005)


def test_corners_lose_the_share_asked_for() -> None:
    camera = SimulatedCamera(prnu=0.0, vignetting=0.4, hot_pixel_share=0.0, seed=1)
    shape = (65, 81)
    flat = camera.flat_series(200, shape=shape).mean(axis=0) - camera.dark_series(50, shape=shape).mean(axis=0)
    corners = np.mean([flat[0, 0], flat[0, -1], flat[-1, 0], flat[-1, -1]])
    assert corners / flat[31:34, 39:42].mean() == pytest.approx(0.6, abs=0.005)


def test_hot_pixels_are_as_many_as_asked_for_and_stay() -> None:
    camera = SimulatedCamera(hot_pixel_share=0.01)
    hot = camera.hot_pixels((200, 200))
    assert hot.mean() == pytest.approx(0.01, abs=5 * math.sqrt(0.01 / 40000))
    dark = camera.dark_series(4, shape=(200, 200)).mean(axis=0)
    assert dark[hot].min() > dark[~hot].max() + 50


def test_clipping_at_both_ends() -> None:
    camera = SimulatedCamera(offset_dn=0.0, hot_pixel_share=0.0)
    assert (camera.expose(np.full(SHAPE, 1e5)) == 4095).all()
    assert 0.3 < (camera.dark_series(4, shape=SHAPE) == 0).mean() < 0.7
    assert SimulatedCamera(bit_depth=8).expose(np.full(SHAPE, 1e5)).max() == 255


def test_measured_profile_finds_the_camera() -> None:
    camera = SimulatedCamera(seed=5)
    profile = camera.measure_profile((240, 320))
    assert profile.gain_dn_per_e == pytest.approx(camera.gain_dn_per_e, rel=0.01)
    read_dn = math.hypot(camera.gain_dn_per_e * camera.read_noise_e, math.sqrt(1 / 12))
    assert profile.read_noise_dn == pytest.approx(read_dn, rel=0.01)
    np.testing.assert_array_equal(profile.bad, camera.hot_pixels((240, 320)))
    assert "simulated" in profile.camera
    assert profile.provenance["simulated"] is True


def test_streams_are_independent_and_seeds_reproduce() -> None:
    camera = SimulatedCamera(seed=7, hot_pixel_share=0.0, dsnu_dn=0.0)
    scene = np.zeros(SHAPE)
    first = camera.expose(scene, 2)
    np.testing.assert_array_equal(first, SimulatedCamera(seed=7, hot_pixel_share=0.0, dsnu_dn=0.0).expose(scene, 2))
    dark = camera.dark_series(2, shape=SHAPE)
    other = SimulatedCamera(seed=8, hot_pixel_share=0.0, dsnu_dn=0.0).expose(scene, 2)
    for twin in (first[1], dark[0], other[0]):
        assert abs(np.corrcoef(first[0].ravel(), twin.ravel())[0, 1]) < 5 / math.sqrt(scene.size)


def test_a_moving_scene_gives_its_frames_in_order() -> None:
    camera = SimulatedCamera()
    scene = np.multiply.outer([10.0, 50.0, 200.0], np.ones(SHAPE))
    frames = camera.expose(scene, 2)
    assert frames.shape == (6, *SHAPE)
    assert (np.diff(frames.mean(axis=(1, 2))) > 100).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize(
    "change",
    [
        {"bit_depth": 17},
        {"gain_dn_per_e": 0.0},
        {"vignetting": 1.0},
        {"exposure_ms": math.nan},
        {"read_noise_e": -1.0},
        {"bend": 0.3},
        {"quantum_efficiency": 0.0},
        {"tilt": 2.1},
        {"full_well_e": 0.0},
        {"dark_current_e_per_s": -1.0},
        {"drift_dn": math.inf},
        {"blinking_pixel_share": 1.0},
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        SimulatedCamera(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scene", "n"), [(-np.ones(SHAPE), 1), (np.full(SHAPE, np.inf), 1), (np.ones(5), 1), (np.ones(SHAPE), 0)]
)
def test_impossible_scenes_are_refused(scene: npt.NDArray[np.float64], n: int) -> None:
    with pytest.raises(InputError):
        SimulatedCamera().expose(scene, n)


def test_defaults_give_the_frames_of_the_plain_camera() -> None:
    """Options that came later change no bit of a camera that does not use them."""
    camera, shape = SimulatedCamera(seed=3), (40, 50)
    rng = np.random.default_rng([3, 0])
    dark = 64 + rng.standard_normal(shape)
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    tan2 = (0.75**-0.5 - 1) * (y[:, None] ** 2 + x**2) / (y[0] ** 2 + x[0] ** 2)
    response = (1 + 0.01 * rng.standard_normal(shape)) / (1 + tan2) ** 2
    hot_e = np.where(rng.random(shape) < 5e-4, rng.uniform(400, 4000, shape), 0.0)

    def plain(radiance: float, stream: int) -> npt.NDArray[np.uint16]:
        noise = np.random.default_rng([3, stream])
        frames = []
        for _ in range(3):
            electrons = noise.poisson(radiance * response * 20 + hot_e) + 8 * noise.standard_normal(shape)
            frames.append(np.rint(dark + 0.25 * electrons).clip(0, 4095).astype(np.uint16))
        return np.stack(frames)

    np.testing.assert_array_equal(camera.expose(np.full(shape, 80.0), 3), plain(80.0, 1))
    np.testing.assert_array_equal(camera.dark_series(3, shape=shape), plain(0.0, 2))
    np.testing.assert_array_equal(camera.dark_series(3, shape=shape, exposure_ms=20.0), plain(0.0, 2))
    np.testing.assert_array_equal(camera.flat_series(3, shape=shape), plain(0.5 * (4095 - 64) / 0.25 / 20, 3))


EVEN = {"prnu": 0.0, "dsnu_dn": 0.0, "vignetting": 0.0, "hot_pixel_share": 0.0}


def test_dark_current_is_a_slope_over_exposure_with_its_own_shot_noise() -> None:
    camera = SimulatedCamera(**EVEN, dark_current_e_per_s=5000.0, read_noise_e=4.0, seed=2)
    for exposure in (5.0, 20.0, 80.0):
        frames = camera.dark_series(40, shape=SHAPE, exposure_ms=exposure).astype(np.float64)
        electrons = 5.0 * exposure
        variance = 0.25**2 * (electrons + 16) + 1 / 12
        assert frames.mean() == pytest.approx(64 + 0.25 * electrons, abs=5 * math.sqrt(variance / frames.size))
        assert frames.var(axis=0, ddof=1).mean() == pytest.approx(variance, rel=5 * math.sqrt(2 / (39 * 5120)))


def test_hot_pixels_grow_with_the_exposure() -> None:
    camera = SimulatedCamera(hot_pixel_share=0.02, dsnu_dn=0.0)
    hot = camera.hot_pixels(SHAPE)
    short, long = (camera.dark_series(16, shape=SHAPE, exposure_ms=t).mean(axis=0)[hot] - 64 for t in (10.0, 40.0))
    assert (long / short).mean() == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize("what", ["dsnu", "prnu"])
def test_rows_and_columns_have_the_spread_asked_for(what: str) -> None:
    names = ("dsnu_row_dn", "dsnu_column_dn") if what == "dsnu" else ("prnu_row", "prnu_column")
    spreads = (3.0, 5.0) if what == "dsnu" else (0.02, 0.03)
    camera = SimulatedCamera(**EVEN, **dict(zip(names, spreads, strict=True)))
    image = camera.dark_series(64, shape=SHAPE).mean(axis=0)
    if what == "prnu":
        image = camera.flat_series(64, shape=SHAPE).mean(axis=0) / (0.5 * (4095 - 64)) - image / (0.5 * (4095 - 64))
    assert image.mean(axis=1).std() == pytest.approx(spreads[0], rel=0.02)
    assert image.mean(axis=0).std() == pytest.approx(spreads[1], rel=0.02)
    assert camera.dsnu_e == pytest.approx(math.hypot(3, 5) / 0.25 if what == "dsnu" else 0.0)
    assert camera.prnu_total == pytest.approx(math.hypot(0.02, 0.03) if what == "prnu" else 0.0)


def test_a_bent_camera_loses_the_share_asked_for_at_full_scale() -> None:
    camera = SimulatedCamera(**EVEN, bend=0.1, bit_depth=16, gain_dn_per_e=1.0, offset_dn=100.0)
    span = camera.saturation_dn - 100
    for share in (0.1, 0.5, 1.0):
        found = camera.expose(np.full(SHAPE, share * span / 20.0), 4).mean() - 100
        assert found == pytest.approx(share * span * (1 - 0.1 * share), rel=1e-3)
    assert camera.expose(np.full(SHAPE, camera.saturation_e / 20)).mean() == pytest.approx(
        camera.saturation_dn, rel=5e-3
    )
    assert (camera.expose(np.full(SHAPE, 30 * span / 20)) == 65535).all()


def test_a_full_well_stops_the_signal() -> None:
    camera = SimulatedCamera(**EVEN, full_well_e=5000.0)
    assert camera.saturation_e == 5000.0
    frames = camera.expose(np.full(SHAPE, 1000.0), 8)
    assert frames.mean() == pytest.approx(64 + 1250, abs=0.1)
    assert frames.std() == pytest.approx(math.hypot(0.25 * 8, math.sqrt(1 / 12)), rel=0.02)


def test_tilted_light_rises_by_the_share_asked_for() -> None:
    camera = SimulatedCamera(**EVEN, tilt=0.2)
    light = camera.flat_series(64, shape=SHAPE).mean(axis=0) - 64
    columns = light.mean(axis=0) / light.mean()
    np.testing.assert_allclose(columns, np.linspace(0.9, 1.1, SHAPE[1]), atol=2e-3)


def test_bad_pixels_are_where_the_truth_says() -> None:
    camera = SimulatedCamera(blinking_pixel_share=0.01, noisy_pixel_share=0.01, hot_pixel_share=0.01)
    shape = (100, 100)
    hot, blinking, noisy = camera.hot_pixels(shape), camera.blinking_pixels(shape), camera.noisy_pixels(shape)
    assert not (hot & blinking).any()
    assert not (noisy & (hot | blinking)).any()
    for kind in (blinking, noisy):
        assert kind.mean() == pytest.approx(0.01, abs=0.005)
    frames = camera.dark_series(200, shape=shape).astype(np.float64)
    variance = frames.var(axis=0, ddof=1)
    plain = variance[~(hot | blinking | noisy)].mean()
    assert variance[noisy].mean() / plain == pytest.approx(36, rel=0.1)
    steps = (np.diff(frames, axis=0) ** 2).mean(axis=0) / 2
    assert steps[noisy].mean() / variance[noisy].mean() == pytest.approx(1.0, rel=0.05)
    # half the variance would be that of independent levels; one switch in ten frames leaves a fifth of it
    assert steps[blinking].mean() / variance[blinking].mean() == pytest.approx(0.2, rel=0.15)
    assert (variance[blinking] > 20 * plain).mean() > 0.95


def test_the_dark_level_drifts() -> None:
    camera = SimulatedCamera(**EVEN, drift_dn=0.5)
    levels = camera.dark_series(10, shape=(200, 200)).mean(axis=(1, 2))
    np.testing.assert_allclose(np.diff(levels), 0.5, atol=0.1)
    assert levels[-1] - levels[0] == pytest.approx(4.5, abs=0.1)


def test_other_exposures_and_levels_have_noise_of_their_own() -> None:
    camera = SimulatedCamera(**EVEN)
    frames = [camera.dark_series(1, shape=SHAPE, exposure_ms=t)[0] for t in (20.0, 20.1)]
    frames += [camera.flat_series(1, shape=SHAPE, level=x)[0] for x in (0.4, 0.5)]
    for left, right in combinations(frames, 2):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 5 / math.sqrt(left.size)
    same = camera.flat_series(1, shape=SHAPE, level=0.4, exposure_ms=5.0)
    assert same.mean() == pytest.approx(frames[2].mean(), rel=1e-3)


@pytest.mark.parametrize("method", ["exposure", "light"])
def test_characterization_series_is_what_it_says(method: str) -> None:
    camera = SimulatedCamera(dark_current_e_per_s=50.0, hot_pixel_share=0.0, quantum_efficiency=0.4)
    series = camera.characterization_series(shape=SHAPE, levels=(0.25, 0.5, 1.0), spatial_frames=3, method=method)
    assert [stack.shape for stack in series.bright + series.dark] == [(2, *SHAPE)] * 6
    assert [stack.shape for stack in series.spatial] == [(3, *SHAPE)] * 2
    assert series.photons == pytest.approx([share * 16124 / 0.4 for share in (0.25, 0.5, 1.0)])
    assert series.exposures_ms == ((10.0, 20.0, 40.0) if method == "exposure" else (20.0,) * 3)
    for bright, dark, photons, exposure in zip(
        series.bright[:2], series.dark[:2], series.photons, series.exposures_ms, strict=False
    ):
        dark_dn = 64 + 0.25 * 0.05 * exposure
        assert dark.mean() == pytest.approx(dark_dn, abs=0.15)
        assert bright.mean() - dark.mean() == pytest.approx(0.25 * 0.4 * photons, rel=2e-3)
    half = series.spatial[0].mean() - series.spatial[1].mean()
    assert half == pytest.approx(0.5 * (4095 - 64), rel=2e-3)
    corners = series.spatial[0].mean(axis=0)[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert corners / series.spatial[0].mean() == pytest.approx(1.0, abs=0.02)  # no lens, no vignetting


def test_characterization_levels_run_from_dark_to_saturation() -> None:
    series = SimulatedCamera(hot_pixel_share=0.0).characterization_series(shape=(32, 32), levels=7)
    assert series.exposures_ms[0] == pytest.approx(0.03 * 40)
    assert series.exposures_ms[-1] == pytest.approx(1.06 * 40)
    assert (series.bright[-1] == 4095).mean() > 0.9
    assert (series.bright[-2] == 4095).mean() < 0.002


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"levels": 1}, "levels"),
        ({"levels": (0.0, 1.0)}, "levels"),
        ({"method": "both"}, "method"),
        ({"n": 1}, "n is 1"),
    ],
)
def test_impossible_characterization_is_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        SimulatedCamera().characterization_series(shape=(8, 8), **options)  # type: ignore[arg-type]


# ---- tumour bed


def test_bed_stack_says_what_it_is(bed: BedPhantom) -> None:
    assert bed.stack.shape == (12, 240, 320)
    assert bed.stack.dtype == np.uint16
    assert (bed.stack.axes, bed.stack.spacing_mm) == ("TYX", (None, 0.2, 0.2))
    assert (bed.stack.exposure_ms, bed.stack.bit_depth) == (20.0, 12)
    assert max(int(frame.max()) for frame in bed.stack) < 4095


def test_bed_plateau_and_liver_are_exact_before_noise(bed: BedPhantom) -> None:
    truth = bed.truth
    assert truth.patch_centres_px is not None
    assert truth.ring_centres_px is not None
    y, x = np.indices(bed.profile.shape)
    for t, noiseless in enumerate(truth.noiseless):
        from_patch = np.hypot(y - truth.patch_centres_px[t, 0], x - truth.patch_centres_px[t, 1]) * 0.2
        from_ring = np.hypot(y - truth.ring_centres_px[t, 0], x - truth.ring_centres_px[t, 1]) * 0.2
        reach = 4 * truth.psf_sigma_px * 0.2
        top = from_patch < truth.patch_radius_mm - reach
        assert np.ptp(np.nonzero(top.any(axis=0))) + 1 >= 16
        ratio = noiseless / truth.background_level
        np.testing.assert_allclose(ratio[top], truth.sbr, rtol=1e-4)
        outside = (from_patch > 3.2 + reach) & (from_ring > 5.6 + reach)
        np.testing.assert_allclose(ratio[outside], 1.0, rtol=1e-3)
        middle = np.abs(from_ring - 4.8) < 0.1
        np.testing.assert_allclose(ratio[middle], truth.sbr, rtol=2e-3)  # 3.3 sigma from either edge
        glowing = (from_patch < 3.2) | (np.abs(from_ring - 4.8) < 0.8)
        from_edge = np.minimum(np.abs(from_patch - 3.2), np.abs(np.abs(from_ring - 4.8) - 0.8))
        assert from_edge[truth.residual_mask[t] != glowing].max(initial=0.0) < 0.01


def test_bed_discs_have_their_area(bed: BedPhantom) -> None:
    # light is conserved by the blur: the sum over the scene gives the area of patch and ring
    glow = (bed.truth.noiseless / bed.truth.background_level - 1) / (bed.truth.sbr - 1)
    area_mm2 = math.pi * (3.2**2 + 5.6**2 - 4.0**2)
    np.testing.assert_allclose(glow.sum(axis=(1, 2), dtype=np.float64) * 0.04, area_mm2, rtol=1e-3)
    np.testing.assert_allclose(bed.truth.residual_mask.sum(axis=(1, 2)) * 0.04, area_mm2, rtol=0.02)


def test_bed_frames_show_the_truth_through_the_measured_profile(bed: BedPhantom) -> None:
    truth, good = bed.truth, ~np.asarray(bed.profile.bad)
    found = corrected(bed)
    error = (found - truth.noiseless)[:, good]
    assert abs(error.mean()) < 2e-3 * truth.background_level
    liver = good & (truth.noiseless < 1.0001 * truth.background_level)
    assert found[liver].mean() == pytest.approx(truth.background_level, rel=1e-3)
    top = good & (truth.noiseless > 0.9999 * truth.sbr * truth.background_level)
    assert found[top].mean() / found[liver].mean() == pytest.approx(truth.sbr, rel=2e-3)


def test_bed_drifts_as_asked(bed: BedPhantom) -> None:
    truth = bed.truth
    assert truth.patch_centres_px is not None
    np.testing.assert_allclose(np.diff(truth.patch_centres_px, axis=0), [[0.15, 0.35]] * 11)
    x = np.arange(320) < 150
    weights = (truth.noiseless[:, :, x] / truth.background_level - 1).astype(np.float64)
    total = weights.sum(axis=(1, 2))
    cy = (weights * np.arange(240)[:, None]).sum(axis=(1, 2)) / total
    cx = (weights * np.arange(int(x.sum()))).sum(axis=(1, 2)) / total
    np.testing.assert_allclose(np.stack([cy, cx], axis=1), truth.patch_centres_px, atol=0.01)


def test_bed_without_residual_is_negative() -> None:
    small: dict[str, object] = {"shape": (96, 96), "n_frames": 2}
    for phantom in (bed_scene(sbr=None, **small), bed_scene(residual=False, **small)):  # type: ignore[arg-type]
        truth = phantom.truth
        assert not truth.fluorescent
        assert math.isnan(truth.sbr)
        assert truth.patch_centres_px is None
        assert math.isnan(truth.patch_radius_mm)
        assert not truth.residual_mask.any()
        np.testing.assert_allclose(truth.noiseless, truth.background_level, rtol=1e-6)
    ring = bed_scene(residual=False, ring_inner_radius_mm=4.0, **small).truth  # type: ignore[arg-type]
    assert ring.fluorescent
    assert ring.sbr == 3.0
    assert ring.patch_centres_px is None


def test_texture_keeps_the_mean_and_has_its_spread() -> None:
    truth = bed_scene(sbr=None, texture=0.1, n_frames=1, shape=(200, 200), psf_sigma_px=0.5).truth
    assert truth.noiseless.mean(dtype=np.float64) == pytest.approx(truth.background_level, rel=1e-3)
    assert truth.noiseless.std(dtype=np.float64) / truth.background_level == pytest.approx(0.1, rel=0.03)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), sbr=st.floats(1.2, 8.0))
def test_bed_seeds_reproduce_bits(seed: int, sbr: float) -> None:
    def make(used: int) -> BedPhantom:
        return bed_scene(shape=(72, 72), n_frames=2, sbr=sbr, seed=used)

    first, again, other = make(seed), make(seed), make(seed + 1)
    np.testing.assert_array_equal(frames_of(first), frames_of(again))
    assert first.profile.digest == again.profile.digest
    assert (frames_of(first) != frames_of(other)).any()
    ratio = first.truth.noiseless.max() / first.truth.background_level
    assert ratio == pytest.approx(sbr, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"patch_radius_mm": 1.0}, InputError, "flat top of .* expected at least 16 px"),
        ({"shape": (40, 40)}, InputError, "border; raise shape"),
        ({"drift_px": (20.0, 0.0)}, InputError, "border"),
        ({"shape": (120, 120), "ring_inner_radius_mm": 4.0}, InputError, "border|touch"),
        ({"patch_radius_mm": 10.0, "ring_inner_radius_mm": 12.0}, InputError, "would touch"),
        ({"sbr": 1.0}, InputError, "sbr is 1.0; expected a number above 1, or None"),
        ({"n_frames": 0}, InputError, "n_frames"),
        ({"texture": 0.5}, InputError, "texture"),
        ({"pixel_size_mm": 0.0}, UnitError, "pixel_size_mm is 0.0"),
        ({"patch_radius_mm": math.nan}, UnitError, "patch_radius_mm"),
    ],
)
def test_impossible_beds_are_refused(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bed_scene(**options)  # type: ignore[arg-type]


# ---- specimen


def test_section_stack_says_what_it_is(section: SectionPhantom) -> None:
    assert section.stack.shape == (9, 320, 440)
    assert (section.stack.axes, section.stack.spacing_mm) == ("ZYX", (1.0, 0.1, 0.1))
    assert section.plane.normal == pytest.approx((0.0, 1.0, 0.0))
    assert [lesion.label for lesion in section.truth.lesions] == ["R1", "R0", "R0"]


def distance_to_plane(section: SectionPhantom, point_mm: tuple[float, float, float]) -> float:
    return float(np.dot(np.subtract(section.plane.point_mm, point_mm), section.plane.normal))


def assert_geometry(section: SectionPhantom, margins_mm: tuple[float, ...], pixel_mm: float) -> None:
    lesions = section.truth.lesions
    height, width = section.stack.shape[1:]
    for lesion, margin in zip(lesions, margins_mm, strict=True):
        outer = lesion.core_radius_mm + lesion.rim_thickness_mm
        assert distance_to_plane(section, lesion.centre_mm) - lesion.core_radius_mm == pytest.approx(margin, abs=1e-9)
        assert lesion.margin_mm == margin
        assert lesion.label == ("R1" if margin < 1 else "R0")
        assert lesion.centre_mm[1] - outer + pixel_mm / 2 >= 1.5 - 1e-9
        assert lesion.centre_mm[2] - outer + pixel_mm / 2 >= 1.5 - 1e-9
        assert (width - 0.5) * pixel_mm - lesion.centre_mm[2] - outer >= 1.5 - 1e-9
    for left, right in pairwise(lesions):
        space = right.centre_mm[2] - left.centre_mm[2] - 2 * (left.core_radius_mm + left.rim_thickness_mm)
        assert space >= 1.5 - 1e-9
    assert (height - 0.5) * pixel_mm - section.plane.point_mm[1] == pytest.approx(3.0, abs=pixel_mm)


def test_margins_are_exact(section: SectionPhantom) -> None:
    assert_geometry(section, (0.4, 1.5, 6.0), 0.1)


@settings(max_examples=6, deadline=None)
@given(
    margins=st.lists(st.floats(-0.5, 8.0), min_size=1, max_size=3).map(tuple),
    pixel_mm=st.floats(0.15, 0.4),
    core_mm=st.floats(1.0, 4.0),
)
def test_shape_grows_with_the_lesions(margins: tuple[float, ...], pixel_mm: float, core_mm: float) -> None:
    section = section_stack(margins_mm=margins, shape=None, n_slices=1, pixel_size_mm=pixel_mm, core_radius_mm=core_mm)
    assert_geometry(section, margins, pixel_mm)


def test_radii_per_slice(section: SectionPhantom) -> None:
    lesion = section.truth.lesions[1]
    assert lesion.centre_mm[0] == 4.0
    assert lesion.inner_radius_mm(4) == 3.5
    assert lesion.inner_radius_mm(6) == pytest.approx(math.sqrt(3.5**2 - 4))
    assert math.isnan(lesion.inner_radius_mm(0))
    assert lesion.outer_radius_mm(0) == pytest.approx(math.sqrt(5.1**2 - 16))
    assert math.isnan(lesion.outer_radius_mm(10))


def test_levels_are_exact_before_noise(section: SectionPhantom) -> None:
    truth = section.truth
    ratio = truth.noiseless / truth.background_level
    for lesion in truth.lesions:
        y, x = (round(mm / 0.1) for mm in lesion.centre_mm[1:])
        assert ratio[4, y, x] == pytest.approx(0.4, abs=1e-4)
        assert ratio[4, y - 43, x] == pytest.approx(4.0, rel=2e-3)  # the middle of the shell, on the far side
        assert ratio[0, y, x] == pytest.approx(4.0, rel=1e-4)  # beyond the core the shell fills the disc
    assert ratio[4, 20, 220] == pytest.approx(1.0, abs=1e-4)
    assert ratio[4, -5, 220] == pytest.approx(0.02, abs=1e-4)


def test_half_levels_lie_on_the_true_circles(section: SectionPhantom) -> None:
    # along the column through the centre, on the side away from the plane; the blur of a curved edge moves the half
    # level by about sigma^2/(2 r), under 0.03 px here
    truth = section.truth
    lesion = truth.lesions[2]
    for z in (4, 5, 6):
        cy, cx = lesion.centre_mm[1] / 0.1, lesion.centre_mm[2] / 0.1
        assert cx == pytest.approx(round(cx), abs=1e-6)
        profile = truth.noiseless[z, : round(cy), round(cx)].astype(np.float64) / truth.background_level
        inner = cy - crossing(profile[::-1], (0.4 + 4.0) / 2, round(cy))
        outer = cy - crossing(profile, (1.0 + 4.0) / 2, None)
        assert inner == pytest.approx(10 * lesion.inner_radius_mm(z), abs=0.06)
        assert outer == pytest.approx(10 * lesion.outer_radius_mm(z), abs=0.06)


def crossing(profile: npt.NDArray[np.float64], level: float, flipped_from: int | None) -> float:
    """Return the row at which a profile first rises over a level; of a flipped one, in rows of the image."""
    i = int(np.argmax(profile > level))
    index = i - 1 + (level - profile[i - 1]) / (profile[i] - profile[i - 1])
    return index if flipped_from is None else flipped_from - 1 - index


def test_the_plane_cuts_the_shell(section: SectionPhantom) -> None:
    truth = section.truth
    lesion = truth.lesions[0]
    column = truth.noiseless[4, :, round(lesion.centre_mm[2] / 0.1)] / truth.background_level
    core_edge, plane_row = (lesion.centre_mm[1] + 3.5) / 0.1, section.plane.point_mm[1] / 0.1
    assert plane_row - core_edge == pytest.approx(4.0, abs=1e-9)
    assert 2.5 < column[round(core_edge) : round(plane_row) + 1].max() < 4.0
    assert column[math.ceil(plane_row) + 6] < 0.03


def test_centre_offset_moves_the_spheres_between_slices() -> None:
    section = section_stack(margins_mm=(2.0,), shape=None, n_slices=3, centre_offset_mm=0.5)
    assert section.truth.lesions[0].centre_mm[0] == 1.5
    assert section.truth.lesions[0].inner_radius_mm(1) == section.truth.lesions[0].inner_radius_mm(2)


def test_section_frames_show_the_truth_through_the_measured_profile(section: SectionPhantom) -> None:
    good = ~np.asarray(section.profile.bad)
    error = (corrected(section) - section.truth.noiseless)[:, good]
    assert abs(error.mean()) < 2e-3 * section.truth.background_level


def test_section_seeds_reproduce_bits() -> None:
    def make(seed: int) -> SectionPhantom:
        return section_stack(margins_mm=(1.0,), shape=None, n_slices=2, seed=seed)

    first, again, other = make(4), make(4), make(5)
    np.testing.assert_array_equal(frames_of(first), frames_of(again))
    assert (frames_of(first) != frames_of(other)).any()
    assert first.truth.lesions[0].label == "R0"  # 1 mm exactly is R0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"shape": (320, 300)}, InputError, r"the lesions need at least \(\d+, 366\); give that, or shape=None"),
        ({"margins_mm": ()}, InputError, "margins_mm"),
        ({"margins_mm": (-4.0,)}, InputError, "margins_mm"),
        ({"margins_mm": (math.nan,)}, InputError, "margins_mm"),
        ({"sbr": 0.3}, InputError, "core_sbr"),
        ({"n_slices": 0}, InputError, "n_slices"),
        ({"slice_spacing_mm": -1.0}, UnitError, "slice_spacing_mm"),
    ],
)
def test_impossible_specimens_are_refused(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        section_stack(**options)  # type: ignore[arg-type]
