from __future__ import annotations

import math
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyicg.errors import ProfileError
from pyicg.profile import CameraProfile

from .camera_frames import SHAPE, full_profile

VERSION1 = Path(__file__).parent / "data" / "version1.icgprofile"
MAPS = ("dark", "dark_rate", "dark_sigma", "flat", "flat_sigma", "bad", "read_noise_map", "gain_map")


@pytest.fixture(scope="module")
def full() -> CameraProfile:
    return full_profile()


def assert_same(twin: CameraProfile, profile: CameraProfile) -> None:
    assert twin.digest == profile.digest
    assert twin.provenance == profile.provenance
    for field in MAPS:
        np.testing.assert_array_equal(getattr(twin, field), getattr(profile, field))
    scalars = set(profile.__dataclass_fields__) - {*MAPS, "provenance"}
    assert all(repr(getattr(twin, s)) == repr(getattr(profile, s)) for s in scalars)


# ---- round trip


def test_save_and_load_keep_every_bit(full: CameraProfile, tmp_path: Path) -> None:
    for name, profile in {"full": full, "none": CameraProfile.identity((3, 5), bit_depth=None)}.items():
        profile.save(tmp_path / name)
        assert_same(CameraProfile.load(tmp_path / name), profile)
    files = ["bad.tif", "dark.tif", "dark_sigma.tif", "flat.tif", "flat_sigma.tif", "profile.toml"]
    assert sorted(p.name for p in (tmp_path / "full").iterdir()) == files
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "none"]


numbers = st.floats(min_value=1e-6, max_value=1e6)
unknown = st.just(math.nan)


@st.composite
def profiles(draw: st.DrawFn) -> CameraProfile:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def some_map(keep: bool) -> np.ndarray | None:
        return rng.uniform(1e-3, 4095, shape).astype(np.float32) if keep and draw(st.booleans()) else None

    dark = some_map(True)
    exposure = draw(numbers)
    rate = some_map(dark is not None)
    flat = some_map(True)
    scalars: dict[str, float] = {}
    for value, sigma in (
        ("gain_dn_per_e", "gain_sigma_dn_per_e"),
        ("read_noise_dn", "read_noise_sigma_dn"),
        ("dark_current_dn_per_ms", "dark_current_sigma_dn_per_ms"),
        ("response_nm_per_dn_ms", "response_sigma_nm_per_dn_ms"),
    ):
        scalars[value] = draw(numbers | unknown)
        scalars[sigma] = draw(numbers | unknown)
    table = draw(st.none() | st.lists(numbers, min_size=1, max_size=9, unique=True))
    pairs = st.none() | st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair)))
    texts = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    return CameraProfile(
        camera=draw(texts) or "",
        sensor=draw(texts),
        optics=draw(texts),
        lens_distance_mm=draw(st.none() | numbers),
        filter_band_nm=draw(pairs),
        shape=shape,
        bit_depth=draw(st.none() | st.integers(1, 16)),
        dark=dark,
        dark_rate=rate,
        dark_sigma=some_map(dark is not None),
        dark_exposures_ms=draw(pairs) if rate is not None else None,
        flat=flat,
        flat_sigma=some_map(flat is not None),
        bad=draw(st.sampled_from([None, rng.random(shape) < 0.5])),
        read_noise_map=some_map(True),
        gain_map=some_map(True),
        linearity=(1.0, 0.0, 0.0) if table else (draw(numbers), draw(numbers), -draw(numbers)),
        linearity_table=None if table is None else (0.0, *sorted(table)),
        linearity_step_dn=None if table is None else draw(numbers),
        saturation_dn=draw(numbers | st.just(math.inf)),
        exposure_ms=exposure,
        exposure_range_ms=draw(pairs),
        gain_db=draw(st.none() | st.floats(-60, 60)),
        **scalars,
        response_range_nm=draw(pairs),
        calibrated=draw(st.booleans()),
        provenance=draw(
            st.dictionaries(st.text("abc_ .", min_size=1, max_size=5), numbers | st.text("xyz"), max_size=3)
        ),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profiles())
def test_any_profile_survives_the_folder(tmp_path: Path, profile: CameraProfile) -> None:
    profile.save(tmp_path / "any")
    assert_same(CameraProfile.load(tmp_path / "any"), profile)


def test_the_table_reads_as_a_data_sheet(full: CameraProfile, tmp_path: Path) -> None:
    profile = replace(
        full,
        sensor="NIR CMOS",
        optics="25 mm f/1.4",
        lens_distance_mm=300.0,
        filter_band_nm=(820.0, 860.0),
        response_nm_per_dn_ms=3.5,
        response_sigma_nm_per_dn_ms=0.1,
        response_range_nm=(1.0, 300.0),
    )
    profile.save(tmp_path / "camera")
    table = tomllib.loads((tmp_path / "camera" / "profile.toml").read_text())
    assert table["schema_version"] == 2
    assert table["camera"] == {
        "name": "test",
        "sensor": "NIR CMOS",
        "optics": "25 mm f/1.4",
        "lens_distance_mm": 300.0,
        "filter_band_nm": [820.0, 860.0],
        "shape": [48, 64],
        "bit_depth": 12,
        "gain_db": 6.0,
    }
    assert table["exposure"] == {"dark_ms": 20.0, "range_ms": [20.0, 20.0]}
    assert table["gain"] == {
        "value": profile.gain_dn_per_e,
        "sigma": profile.gain_sigma_dn_per_e,
        "unit": "DN/e",
    }
    assert table["response"] == {"value": 3.5, "sigma": 0.1, "range_nm": [1.0, 300.0], "unit": "nM/(DN/ms)"}
    assert table["saturation"] == {"value": 4095.0, "unit": "DN"}
    assert table["linearity"] == {"polynomial": [1.0, 1e-6, 0.0]}
    assert "dark_current" not in table  # unknown
    assert {name: entry["unit"] for name, entry in table["maps"].items()} == {
        "dark": "DN",
        "dark_sigma": "DN",
        "flat": "1",
        "flat_sigma": "1",
        "bad": "1",
    }


def test_maps_are_plain_float_tiff(full: CameraProfile, tmp_path: Path) -> None:
    from PIL import Image

    full.save(tmp_path / "camera")
    with Image.open(tmp_path / "camera" / "flat.tif") as image:
        assert image.mode == "F"
        np.testing.assert_array_equal(np.asarray(image), full.flat)
    with Image.open(tmp_path / "camera" / "bad.tif") as image:
        assert image.mode == "L"
        assert sorted(set(np.asarray(image).ravel().tolist())) == [0, 1]


# ---- version 1, for ever


def test_version_1_keeps_loading_with_its_numbers(tmp_path: Path) -> None:
    profile = CameraProfile.load(VERSION1)
    assert (profile.camera, profile.shape, profile.bit_depth) == ("simulated, schema 1", (12, 16), 12)
    assert profile.linearity == (1.0, 1e-6, 0.0)
    assert (profile.exposure_ms, profile.exposure_range_ms, profile.gain_db) == (20.0, (20.0, 20.0), 6.0)
    assert profile.gain_dn_per_e == 0.2550313012060126
    assert profile.read_noise_dn == 2.03721128069902
    assert (profile.saturation_dn, profile.calibrated) == (4095.0, True)
    assert profile.provenance["dark_frames"] == 8
    assert profile.dark is not None
    assert profile.flat is not None
    assert float(profile.dark.mean(dtype=np.float64)) == pytest.approx(63.944010416666664, rel=1e-9)
    assert float(profile.flat[3, 5]) == pytest.approx(1.053066372871399, rel=1e-7)
    assert profile.bad is not None
    assert int(profile.bad.sum()) == 0
    assert (profile.dark_rate, profile.dark_sigma, profile.flat_sigma) == (None, None, None)
    assert math.isnan(profile.gain_sigma_dn_per_e)
    profile.save(tmp_path / "now")  # as version 2
    assert tomllib.loads((tmp_path / "now" / "profile.toml").read_text())["schema_version"] == 2
    assert_same(CameraProfile.load(tmp_path / "now"), profile)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("exposure_ms = 20.0", "exposure_ms = 21.0", "edited by hand or damaged"),
        ("bit_depth = 12", "bit_debt = 12", r"unknown \['bit_debt'\]"),
        ('camera = "simulated, schema 1"', 'sensor = "x"', r"missing \['camera'\], unknown \['sensor'\]"),
        ("[maps.dark]", "[maps.dark_rate]", r"\[maps\] must be tables named among"),
        ("schema_version = 1", "schema_version = 2", r"expected a table \[camera\]"),
    ],
)
def test_a_damaged_version_1_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = shutil.copytree(VERSION1, tmp_path / "old.icgprofile")
    text = (path / "profile.toml").read_text()
    assert old in text
    (path / "profile.toml").write_text(text.replace(old, new))
    with pytest.raises(ProfileError, match=message):
        CameraProfile.load(path)


# ---- saving and refusing


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
        (edit("schema_version = 2", "schema_version = 3"), "schema_version is 3, this release reads 1 and 2"),
        (edit("schema_version = 2", 'schema_version = "2"'), "schema_version is '2', this release reads 1 and 2"),
        (edit("schema_version = 2", "schema_version = = 2"), "not valid TOML"),
        (edit("dark_ms = 20.0", "dark_ms = 21.0"), "edited by hand or damaged"),
        (edit("dark_ms = 20.0", 'dark_ms = "20"'), "exposure_ms: found '20', expected a number over 0"),
        (edit('unit = "DN/e"', 'unit = "e/DN"'), r"\[gain\]: found unit 'e/DN', expected 'DN/e'"),
        (edit("[saturation]", "[satiation]"), r"unknown \['satiation'\]"),
        (edit('file = "dark.tif"', 'file = "../dark.tif"'), r"\[maps\.dark\] must hold file = 'dark\.tif'"),
        (edit("[maps.dark]", "[maps.gloom]"), r"\[maps\] must be tables named among"),
        (edit('name = "test"', 'nome = "test"'), r"missing \['camera.name'\], unknown \['camera.nome'\]"),
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
