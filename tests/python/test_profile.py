from __future__ import annotations

import copy
import math
import pickle
import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pyicg.errors import ProfileError
from pyicg.frame import Stack
from pyicg.profile import CameraProfile, build_profile

SHAPE = (48, 64)
OFFSET, READ_DN, GAIN, LEVEL_E = 100.0, 3.0, 0.5, 4000.0
Frames = npt.NDArray[np.uint16]


def series(n: int, level_e: float = 0.0, seed: int = 0, response: npt.ArrayLike = 1.0) -> Frames:
    rng = np.random.default_rng([seed, n, int(level_e)])
    counts = OFFSET + READ_DN * rng.standard_normal((n, *SHAPE))
    counts += GAIN * rng.poisson(np.broadcast_to(level_e * np.asarray(response), (n, *SHAPE)))
    return np.rint(counts).clip(0, 4095).astype(np.uint16)


def build(dark: Frames, flat: Frames | None = None, **options: object) -> CameraProfile:
    return build_profile(dark, flat, **{"camera": "test", "exposure_ms": 20.0, "bit_depth": 12, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def full() -> CameraProfile:
    dark, flat = series(16), series(16, LEVEL_E)
    dark[:, 5, 6] = 900
    return build(dark, flat, gain_db=6.0, linearity=(1.0, 1e-6, 0.0))


# ---- measuring


def test_maps_noise_and_gain_come_back() -> None:
    response = 1.0 + 0.3 * np.linspace(-1, 1, SHAPE[1])
    profile = build(series(16), series(16, LEVEL_E, response=response))
    assert profile.dark is not None
    assert profile.flat is not None
    assert profile.bad is not None
    assert profile.dark.mean() == pytest.approx(OFFSET, abs=0.05)
    assert profile.flat[~profile.bad].mean() == pytest.approx(1.0, abs=1e-6)
    assert np.abs(profile.flat.mean(axis=0) / response - 1).max() < 0.01
    assert profile.read_noise_dn == pytest.approx(math.sqrt(READ_DN**2 + 1 / 12), rel=0.01)
    assert profile.gain_dn_per_e == pytest.approx(GAIN, rel=0.015)
    assert profile.saturation_dn == 4095.0
    assert profile.exposure_range_ms == (20.0, 20.0)
    assert profile.calibrated
    assert not profile.bad.any()


@pytest.mark.parametrize("n", [2, 3])
def test_gain_and_read_noise_are_unbiased_with_few_frames(n: int) -> None:
    # the gain of one run scatters by sqrt(2/((n - 1) pixels)), at most 2.6 %; the mean of 60 by 0.33 %
    profiles = [build(series(n, seed=s), series(n, LEVEL_E, seed=s)) for s in range(60)]
    assert np.mean([p.gain_dn_per_e for p in profiles]) == pytest.approx(GAIN, rel=0.013)
    assert np.mean([p.read_noise_dn for p in profiles]) == pytest.approx(math.sqrt(READ_DN**2 + 1 / 12), rel=0.01)


def test_a_flickering_lamp_and_a_drifting_offset_are_no_noise() -> None:
    drift = np.array([0, 40, 10, 30], np.uint16)[:, None, None]
    steady = build(series(4), series(4, LEVEL_E))
    drifting = build(series(4) + drift, series(4, LEVEL_E) + drift)
    assert drifting.read_noise_dn == pytest.approx(steady.read_noise_dn, rel=0.01)
    assert drifting.gain_dn_per_e == pytest.approx(steady.gain_dn_per_e, rel=0.01)


def test_one_frame_gives_maps_but_neither_noise_nor_gain() -> None:
    profile = build(series(1), series(1, LEVEL_E))
    assert profile.dark is not None
    assert profile.flat is not None
    assert math.isnan(profile.read_noise_dn)
    assert math.isnan(profile.gain_dn_per_e)
    assert "one dark frame: read noise and gain are unknown" in profile.provenance["assumptions"]
    assert "one flat frame: gain is unknown" in build(series(2), series(1, LEVEL_E)).provenance["assumptions"]


def test_without_flat_frames_there_is_no_flat_map_and_it_says_so() -> None:
    profile = build(series(4))
    assert profile.flat is None
    assert math.isnan(profile.gain_dn_per_e)
    assert any("vignetting" in text for text in profile.provenance["assumptions"])


def test_constant_dark_frames_get_the_emva_floor() -> None:
    profile = build(np.full((4, *SHAPE), 100, np.uint16))
    assert profile.read_noise_dn == 0.49
    assert any("0.49 DN" in text for text in profile.provenance["assumptions"])


def test_processed_flats_have_no_gain() -> None:
    profile = build(series(4), np.full((4, *SHAPE), 2000, np.uint16))
    assert math.isnan(profile.gain_dn_per_e)
    assert any("not raw" in text for text in profile.provenance["assumptions"])


def test_hot_dead_and_noisy_pixels_are_found_and_nothing_else() -> None:
    dark, flat = series(16), series(16, LEVEL_E)
    dark[:, 3, 4] += 100  # hot
    dark[::2, 10, 11] += 60  # noisy: +/- 30 DN around its mean
    flat[:, 20, 21] = 100 + 800 // 2  # response 0.2
    flat[:, 0, 0] = 100 + 2 * 2200  # response 2.2
    profile = build(dark, flat, bit_depth=13)
    assert profile.bad is not None
    assert profile.flat is not None
    assert sorted(zip(*np.nonzero(profile.bad), strict=True)) == [(0, 0), (3, 4), (10, 11), (20, 21)]
    assert (profile.flat[profile.bad] == 1).all()
    notes = profile.provenance
    assert (notes["hot_pixels"], notes["dead_pixels"], notes["bad_pixels"]) == (2, 2, 4)  # +30 DN on average is hot too
    assert notes["noisy_pixels"] == 1


def test_hot_needs_both_ten_sigma_and_five_counts() -> None:
    dark = np.full((1, *SHAPE), 100, np.uint16)
    dark[0, 1, 1], dark[0, 2, 2] = 104, 105
    profile = build(dark)
    assert profile.bad is not None
    assert np.argwhere(profile.bad).tolist() == [[2, 2]]


def test_unlit_corners_are_bad() -> None:
    y, x = np.indices(SHAPE)
    lit = (y - 23.5) ** 2 + (x - 31.5) ** 2 < 28**2
    profile = build(series(4), series(4, LEVEL_E, response=lit))
    assert profile.bad is not None
    assert (profile.bad == ~lit).all()


def test_flat_is_linearised() -> None:
    ramp = np.linspace(0.5, 1.5, SHAPE[1])
    c2 = 5e-5
    true_x = 2000.0 * ramp  # x + c2 x^2 = truth: solve for the counts that such a camera shows
    shown = (-1 + np.sqrt(1 + 4 * c2 * true_x)) / (2 * c2)
    flat = np.broadcast_to(np.rint(100 + shown), (1, *SHAPE)).astype(np.uint16)
    dark = np.full((1, *SHAPE), 100, np.uint16)
    profile = build(dark, flat, linearity=(1.0, c2, 0.0))
    assert profile.flat is not None
    assert np.abs(profile.flat[0] / ramp - 1).max() < 1e-3


def test_another_flat_exposure_is_an_assumption() -> None:
    profile = build(series(2), series(2, LEVEL_E), flat_exposure_ms=5.0)
    assert any("at 20 ms was taken off flat frames at 5 ms" in text for text in profile.provenance["assumptions"])
    assert profile.provenance["flat_exposure_ms"] == 5.0


def test_a_stack_a_list_and_any_order_give_the_same_bits() -> None:
    dark, flat = series(5), series(5, LEVEL_E)
    expected = build(dark, flat).digest
    assert build(Stack.from_array(dark, axes="TYX"), Stack.from_array(flat, axes="TYX")).digest == expected  # type: ignore[arg-type]
    assert build(list(dark[::-1]), list(flat[[3, 0, 4, 1, 2]])).digest == expected  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_variance_agrees_with_numpy(n: int, seed: int) -> None:
    from pyicg._frame_series import accumulate

    frames = np.random.default_rng(seed).integers(0, 65536, (n, 5, 7), dtype=np.uint16)
    sums = accumulate(frames, "test", 16)
    assert sums.variance is not None
    np.testing.assert_allclose(sums.mean, frames.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(sums.variance, frames.var(axis=0, ddof=1, dtype=np.float64), rtol=1e-12)
    assert sums.frame_variance == pytest.approx(frames.mean(axis=(1, 2)).var(ddof=1), rel=1e-9)


def test_read_only_and_strided_frames_are_fine_and_left_alone() -> None:
    wide = np.repeat(series(3), 2, axis=2)
    wide.setflags(write=False)
    assert build(wide[:, ::-1, ::2]).digest == build(series(3)[:, ::-1]).digest


# ---- refusing

ZEROS = np.zeros((2, *SHAPE), np.uint16)


@pytest.mark.parametrize(
    ("dark", "flat", "options", "message"),
    [
        (ZEROS, None, {}, r"100\.0% of the samples are 0, expected at most 5%.*raise the black level"),
        (series(2), series(3), {}, "above dark, expected at least 40.96 DN"),
        (series(2), series(2, 8000.0), {}, r"sit at the maximum, expected at most 0\.1%"),
        (series(2), series(2, LEVEL_E)[:, 1:], {}, r"shape \(47, 64\), expected \(48, 64\)"),
        ([series(1)[0], series(1)[0][1:]], None, {}, r"dark frame 1: found shape \(47, 64\)"),
        (series(2), None, {"bit_depth": 0}, "bit_depth: found 0"),
        (series(2), None, {"bit_depth": 17}, "bit_depth: found 17"),
        (series(2), None, {"bit_depth": 12.0}, r"bit_depth: found 12\.0"),
        (series(2), None, {"bit_depth": 6}, "expected at most 63; give the right bit_depth"),
        (series(1)[0], None, {}, r"expected 2-D \(H, W\); give one frame as frame\[None\]"),
        (series(0), None, {}, "found none"),
        (series(2).astype(np.float32), None, {}, "float32, expected uint8 or uint16"),
        (series(2).astype(">u2"), None, {}, "native byte order"),
        (series(2), None, {"exposure_ms": 0.0}, r"exposure_ms: found 0\.0"),
        (series(2), None, {"exposure_ms": math.nan}, "exposure_ms: found nan"),
        (series(2), None, {"linearity": (1.0, 0.0)}, "linearity: found"),
        (series(2), None, {"linearity": (0.0, 1.0, 0.0)}, "c1 > 0"),
        (series(2), None, {"response": np.arange(4096)}, "response: not supported in this release"),
    ],
)
def test_useless_data_are_refused(dark: Frames, flat: Frames | None, options: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build(dark, flat, **options)


def test_a_stack_that_is_not_linear_is_refused() -> None:
    class Video(list[Frames]):
        transfer = "srgb"

    with pytest.raises(ProfileError, match="transfer is 'srgb'"):
        build(Video(series(2)))  # type: ignore[arg-type]


# ---- the object


def test_identity_corrects_nothing_and_says_so() -> None:
    profile = CameraProfile.identity(SHAPE, bit_depth=12)
    assert (profile.dark, profile.flat, profile.bad) == (None, None, None)
    assert profile.saturation_dn == 4095.0
    assert not profile.calibrated
    assert math.isnan(profile.gain_dn_per_e)
    assert CameraProfile.identity(SHAPE).saturation_dn == 65535.0
    assert CameraProfile.identity(SHAPE, bit_depth=None).saturation_dn == math.inf


def test_it_owns_read_only_maps() -> None:
    dark = np.zeros(SHAPE, np.float32)
    profile = CameraProfile(camera="x", shape=SHAPE, bit_depth=12, dark=dark)
    dark[0, 0] = 7
    assert profile.dark is not None
    assert profile.dark[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        profile.dark[0, 0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dark": np.zeros(SHAPE)}, "dark map: found float64"),
        ({"dark": np.zeros((2, 2), np.float32)}, r"float32 \(2, 2\), expected float32 \(48, 64\)"),
        ({"dark": np.full(SHAPE, np.nan, np.float32)}, "3072 values are not finite"),
        ({"flat": np.zeros(SHAPE, np.float32)}, "flat map: 3072 values are not positive"),
        ({"bad": np.zeros(SHAPE, np.uint8)}, "bad map: found uint8"),
        ({"shape": (0, 4)}, "shape: found"),
        ({"camera": 7}, "camera: found 7"),
        ({"saturation_dn": -1.0}, "saturation_dn: found"),
        ({"saturation_dn": math.nan}, "saturation_dn: found nan"),
        ({"gain_dn_per_e": 0.0}, "gain_dn_per_e: found"),
        ({"read_noise_dn": -0.1}, "read_noise_dn: found"),
        ({"exposure_range_ms": (5.0, 1.0)}, "0 < lo <= hi"),
        ({"gain_db": "6"}, "gain_db: found '6'"),
        ({"calibrated": 1}, "calibrated: found 1"),
    ],
)
def test_wrong_fields_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        replace(CameraProfile.identity(SHAPE), **change)  # type: ignore[arg-type]


def test_digest_follows_numbers_and_not_provenance(full: CameraProfile) -> None:
    assert re.fullmatch("[0-9a-f]{64}", full.digest)
    assert full.dark is not None
    other = full.dark.copy()
    other[-1, -1] = np.nextafter(other[-1, -1], np.float32(1e9))
    changes: list[dict[str, object]] = [
        {"dark": other},
        {"dark": None},
        {"bad": None},
        {"gain_dn_per_e": math.nan},
        {"exposure_ms": 20.000001},
        {"camera": "another"},
        {"linearity": (1.0, 0.0, 0.0)},
        {"calibrated": False},
    ]
    digests = {replace(full, **change).digest for change in changes}  # type: ignore[arg-type]
    assert len(digests | {full.digest}) == len(changes) + 1
    assert replace(full, provenance={"by": "somebody"}).digest == full.digest


def test_pickle_and_deepcopy_keep_bits_and_read_only(full: CameraProfile) -> None:
    for twin in (pickle.loads(pickle.dumps(full)), copy.deepcopy(full)):
        assert twin.digest == full.digest
        assert twin.provenance == full.provenance
        assert not twin.flat.flags.writeable


def test_core_gets_every_number(full: CameraProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, object]] = []
    fake = types.ModuleType("pyicg._core")
    fake.Profile = lambda **arguments: calls.append(arguments) or object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyicg._core", fake)
    profile = replace(full)
    assert profile.core is profile.core
    (given,) = calls
    names = "height width dark flat bad linearity saturation_dn exposure_ms exposure_min_ms exposure_max_ms"
    assert " ".join(given) == f"{names} gain_db gain_dn_per_e read_noise_dn calibrated"
    assert isinstance(given["bad"], np.ndarray)
    assert given["bad"].dtype == np.uint8
    assert int(given["bad"].sum()) == 1
    assert (given["exposure_min_ms"], given["exposure_max_ms"], given["gain_db"]) == (20.0, 20.0, 6.0)
    identity = CameraProfile.identity((3, 4)).core
    assert identity is not None
    assert calls[1]["dark"] is None
    assert all(math.isnan(calls[1][name]) for name in ("exposure_ms", "exposure_min_ms", "gain_db"))  # type: ignore[arg-type]


# ---- the folder


def test_save_and_load_keep_every_bit(full: CameraProfile, tmp_path: Path) -> None:
    for name, profile in {"full": full, "none": CameraProfile.identity((3, 5), bit_depth=None)}.items():
        profile.save(tmp_path / name)
        twin = CameraProfile.load(tmp_path / name)
        assert twin.digest == profile.digest
        assert twin.provenance == profile.provenance
        for field in ("dark", "flat", "bad"):
            np.testing.assert_array_equal(getattr(twin, field), getattr(profile, field))
        scalars = set(profile.__dataclass_fields__) - {"dark", "flat", "bad", "provenance"}
        assert all(repr(getattr(twin, s)) == repr(getattr(profile, s)) for s in scalars)
    assert sorted(p.name for p in (tmp_path / "full").iterdir()) == ["bad.tif", "dark.tif", "flat.tif", "profile.toml"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "none"]


def test_saving_replaces_a_profile_and_nothing_else(full: CameraProfile, tmp_path: Path) -> None:
    path = tmp_path / "camera"
    full.save(path)
    CameraProfile.identity((3, 4)).save(path)
    assert CameraProfile.load(path).shape == (3, 4)
    assert [p.name for p in path.iterdir()] == ["profile.toml"]
    (path / "notes.txt").write_text("mine")
    with pytest.raises(ProfileError, match="left alone"):
        full.save(path)
    assert (path / "notes.txt").read_text() == "mine"
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "empty").mkdir()
    for other in (file, tmp_path / "empty"):
        with pytest.raises(ProfileError, match="not \\(only\\) a camera profile"):
            full.save(other)
    with pytest.raises(ProfileError, match="create it first"):
        full.save(tmp_path / "missing" / "camera")


def test_a_failed_save_leaves_the_old_profile(
    full: CameraProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "camera"
    full.save(path)
    with pytest.raises(ProfileError, match="cannot save the profile"):
        replace(full, provenance={"what": object()}).save(path)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk full"):
        CameraProfile.identity((3, 4)).save(path)
    assert CameraProfile.load(path).digest == full.digest
    assert [p.name for p in tmp_path.iterdir()] == ["camera"]


def damage_map(path: Path) -> None:
    data = bytearray((path / "flat.tif").read_bytes())
    data[-1] ^= 1
    (path / "flat.tif").write_bytes(data)


def edit(old: str, new: str) -> object:
    def change(path: Path) -> None:
        text = (path / "profile.toml").read_text()
        assert old in text
        (path / "profile.toml").write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: (p / "dark.tif").unlink(), r"dark\.tif: the dark map is missing; copy the whole folder"),
        (damage_map, r"flat\.tif: checksum mismatch, found \w{12}\.\.\., expected \w{12}"),
        (lambda p: (p / "profile.toml").unlink(), r"profile\.toml: missing"),
        (edit("schema_version = 1", "schema_version = 2"), "schema_version is 2, this release reads 1"),
        (edit("schema_version = 1", "schema_version = = 1"), "not valid TOML"),
        (edit("exposure_ms = 20.0", "exposure_ms = 21.0"), "edited by hand or damaged"),
        (edit("exposure_ms = 20.0", 'exposure_ms = "20"'), "exposure_ms: found '20', expected a number over 0"),
        (edit('file = "dark.tif"', 'file = "../dark.tif"'), r"\[maps\.dark\] must hold file = 'dark\.tif'"),
        (edit("[maps.dark]", "[maps.gloom]"), r"\[maps\] must be tables named among"),
        (edit('camera = "test"', 'camara = "test"'), r"missing \['camera'\], unknown \['camara'\]"),
        (edit("    48,\n    64,", "    48,\n    65,"), r"found float32 \(48, 64\), expected float32 \(48, 65\)"),
    ],
)
def test_a_damaged_folder_is_refused(full: CameraProfile, tmp_path: Path, harm: object, message: str) -> None:
    path = tmp_path / "camera"
    full.save(path)
    harm(path)  # type: ignore[operator]
    with pytest.raises(ProfileError, match=message) as error:
        CameraProfile.load(path)
    assert str(path) in str(error.value)


def test_a_map_of_another_kind_is_refused(full: CameraProfile, tmp_path: Path) -> None:
    import hashlib

    import tifffile

    path = tmp_path / "camera"
    full.save(path)
    old = hashlib.sha256((path / "dark.tif").read_bytes()).hexdigest()
    for content, message in (
        (None, "found float64, expected float32"),
        (b"no image", "not a readable TIFF"),
    ):
        if content is None:
            tifffile.imwrite(path / "dark.tif", np.zeros(SHAPE))
        else:
            (path / "dark.tif").write_bytes(content)
        new = hashlib.sha256((path / "dark.tif").read_bytes()).hexdigest()
        table = (path / "profile.toml").read_text()
        (path / "profile.toml").write_text(table.replace(old, new))
        old = new
        with pytest.raises(ProfileError, match=message):
            CameraProfile.load(path)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no such profile folder"):
        CameraProfile.load(tmp_path / "nowhere")


# ---- real data


def images(folder: Path, pattern: str) -> list[npt.NDArray[np.generic]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob(pattern))]


def test_real_camera_agrees_with_its_emva_report(shared_data: Path) -> None:
    folder = shared_data / "emva1288_set001" / "images"
    profile = build(images(folder, "d_s_*.png"), images(folder, "b_s_*.png"))  # type: ignore[arg-type]
    assert profile.dark is not None
    assert profile.gain_dn_per_e == pytest.approx(0.2791, rel=0.02)  # two-point, against the 14-level slope
    assert profile.read_noise_dn == pytest.approx(3.073, rel=0.02)
    assert 14.7 <= profile.dark.mean() <= 14.8


def test_real_dark_frame_comes_off_with_its_sign(shared_data: Path) -> None:
    folder = shared_data / "plantcv"
    (dark,) = images(folder, "FLUO_TV_dark.png")
    (frame,) = images(folder, "FLUO_TV_min.png")
    profile = build(dark[None], bit_depth=16)  # type: ignore[arg-type]
    assert profile.dark is not None
    np.testing.assert_array_equal(profile.dark, dark)
    assert float((frame - profile.dark).mean(dtype=np.float64)) == pytest.approx(166.9, abs=0.05)


@pytest.mark.parametrize("exposure", ["25ms", "100ms", "3916ms"])
def test_real_dark_frames_clipped_at_zero_are_refused(shared_data: Path, exposure: str) -> None:
    frames = images(shared_data / "exposure_series", f"d1_dark_{exposure}_*.tif")
    assert len(frames) == 2
    with pytest.raises(ProfileError, match=r"99\.[78]% of the samples are 0"):
        build(frames, bit_depth=8)  # type: ignore[arg-type]
