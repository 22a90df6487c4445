"""``pyicg profile``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

import pyicg
from pyicg.cli import main
from pyicg.phantom import SimulatedCamera

from .interrupts import interrupt

SHAPE = (64, 80)
CAMERA = SimulatedCamera(dark_current_e_per_s=2000.0, vignetting=0.1, hot_pixel_share=2e-3, seed=4)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85)
TOLD = ["--camera", "simulated head", "--exposure-ms", "20", "--bit-depth", "12"]


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def write(path: Path, frames: npt.NDArray[np.uint16]) -> None:
    tifffile.imwrite(path, frames, photometric="minisblack")


def write_table(path: Path, rows: Sequence[Sequence[object]], header: str = "kind,file,exposure_ms") -> Path:
    lines = [header, *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def film(folder: Path, camera: SimulatedCamera) -> Path:
    """Dark and flat frames at ten exposures of one light, and their table."""
    rows = []
    for share in SHARES:
        exposure = 40 * share
        write(folder / f"dark{exposure:g}.tif", camera.dark_series(16, shape=SHAPE, exposure_ms=exposure))
        write(folder / f"flat{exposure:g}.tif", camera.flat_series(16, shape=SHAPE, level=share, exposure_ms=exposure))
        rows += [(kind, f"{kind}{exposure:g}.tif", exposure) for kind in ("dark", "flat")]
    return write_table(folder / "series.csv", rows)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filmed")
    film(folder, CAMERA)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of a bare sensor at eleven levels, and their table."""
    folder = tmp_path_factory.mktemp("bare")
    series = CAMERA.characterization_series(shape=SHAPE, levels=11, n=4)
    rows: list[tuple[object, ...]] = []
    for k, exposure in enumerate(series.exposures_ms):
        write(folder / f"bright{k}.tif", series.bright[k])
        write(folder / f"dark{k}.tif", series.dark[k])
        rows += [("bright", f"bright{k}.tif", exposure, series.photons[k]), ("dark", f"dark{k}.tif", exposure, 0)]
    for kind, frames in zip(("spatial_bright", "spatial_dark"), series.spatial, strict=True):
        write(folder / f"{kind}.tif", frames)
        rows.append((kind, f"{kind}.tif", 20, ""))
    write_table(folder / "series.csv", rows, "kind,file,exposure_ms,photons")
    return folder


# ---- build


def test_one_command_gives_a_profile_and_a_report(
    filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, report = tmp_path / "head.icgprofile", tmp_path / "report"
    code = run("profile", "build", filmed / "series.csv", *TOLD, "--simulated", "--report", report, "-o", target)
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"head.icgprofile", "report"}
    profile = pyicg.CameraProfile.load(target)
    assert profile.gain_dn_per_e == pytest.approx(0.25, rel=0.01)
    assert profile.dark_current_dn_per_ms == pytest.approx(0.5, rel=0.01)
    assert profile.exposure_range_ms == (2.0, 34.0)
    assert profile.provenance["simulated"] is True
    np.testing.assert_array_equal(profile.bad, CAMERA.hot_pixels(SHAPE))

    printed = capsys.readouterr().out
    assert printed.startswith("SIMULATED")
    assert "holds at    2 to 34 ms" in printed
    assert re.search(r"System gain K +0\.2[45]\d+ DN/e +0\.00\d+", printed)
    assert profile.digest in printed
    assert "not a medical device" in printed

    assert {path.name for path in report.iterdir()} == {"camera.json", "camera.csv", "camera.html"}
    said = json.loads((report / "camera.json").read_text())
    assert said["simulated"] is True
    assert said["basis"] == "Computed per EMVA 1288 Release 4.0 Linear, 12 bits, 10 light levels."
    assert said["profile_figures"]["gain_dn_per_e"]["value"] == profile.gain_dn_per_e
    assert said["figures"]["gain_dn_per_e"]["value"] == pytest.approx(0.25, rel=0.02)
    # per cent; in so small a frame the high-pass leaves some of the vignetting in it
    assert said["figures"]["prnu"]["value"] == pytest.approx(1.0, rel=0.1)
    assert said["findings"] == []
    assert "through the optics" in said["notes"][0]
    assert said["provenance"]["profile"]["digest"] == profile.digest
    with (report / "camera.csv").open(newline="") as file:
        levels = list(csv.DictReader(file))
    assert [float(level["exposure_ms"]) for level in levels] == pytest.approx([40 * share for share in SHARES])
    assert float(levels[5]["signal_dn"]) == pytest.approx(0.5 * (4095 - 64) * CAMERA.mean_response(SHAPE), rel=0.01)


def test_without_report_nothing_but_the_profile_is_written(filmed: Path, tmp_path: Path) -> None:
    assert run("profile", "build", filmed / "series.csv", *TOLD, "-o", tmp_path / "a.icgprofile") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.icgprofile"]
    assert "simulated" not in pyicg.CameraProfile.load(tmp_path / "a.icgprofile").provenance


def test_two_files_give_the_figures_of_the_profile(
    filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = ["--dark", filmed / "dark20.tif", "--flat", filmed / "flat20.tif"]
    setting = ["--sensor", "IMX 174", "--optics", "f/2", "--lens-distance-mm", "300", "--filter-band", "815,850"]
    report = tmp_path / "report"
    assert run("profile", "build", *series, *TOLD, *setting, "--report", report, "-o", tmp_path / "a.icgprofile") == 0
    profile = pyicg.CameraProfile.load(tmp_path / "a.icgprofile")
    assert (profile.sensor, profile.optics, profile.lens_distance_mm) == ("IMX 174", "f/2", 300.0)
    assert profile.filter_band_nm == (815.0, 850.0)
    printed = capsys.readouterr().out
    assert "815 to 850 nm" in printed
    assert "assumed: dark current is not measured" in printed
    said = json.loads((report / "camera.json").read_text())
    assert said["characterization"] is None
    assert said["figures"] == {}
    assert said["profile_figures"]["read_noise_e"]["value"] == pytest.approx(
        profile.read_noise_dn / profile.gain_dn_per_e
    )
    assert said["basis"].startswith("Two-point figures")
    assert (report / "camera.csv").read_text().count("\n") == 1


def test_a_bent_camera_is_said_and_corrected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = film(tmp_path, replace(CAMERA, bend=0.1))
    build = ["profile", "build", series, *TOLD, "--report", tmp_path / "r", "-o", tmp_path / "a.icgprofile"]
    assert run(*build) == 0
    assert "FINDING not_linear" in capsys.readouterr().out
    assert "not_linear" in (tmp_path / "r" / "camera.html").read_text()
    assert run(*build, "--linearity", "polynomial") == 0
    assert "FINDING not_linear" not in capsys.readouterr().out
    said = json.loads((tmp_path / "r" / "camera.json").read_text())
    assert "holds the curve that corrects it" in said["notes"][1]
    profile = pyicg.CameraProfile.load(tmp_path / "a.icgprofile")
    assert profile.linearity != (1.0, 0.0, 0.0)
    assert profile.gain_dn_per_e == pytest.approx(0.25, rel=0.02)


def test_uneven_light_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = film(tmp_path, replace(CAMERA, tilt=0.2))
    assert run("profile", "build", series, *TOLD, "-o", tmp_path / "a.icgprofile") == 0
    assert "FINDING uneven_light" in capsys.readouterr().out


def test_response_and_scene_flat_reach_the_profile(filmed: Path, tmp_path: Path) -> None:
    pairs = [(0, 1.0), (10, 3.0), (20, 5.0), (40, 9.0)]
    table = write_table(tmp_path / "icg.csv", pairs, "concentration_nm,signal_dn_per_ms")
    write(tmp_path / "scene.tif", CAMERA.flat_series(16, shape=SHAPE, level=0.4))
    series = ["--dark", filmed / "dark20.tif", "--flat", filmed / "flat20.tif", "--scene-flat", tmp_path / "scene.tif"]
    assert run("profile", "build", *series, *TOLD, "--response", table, "-o", tmp_path / "a.icgprofile") == 0
    profile = pyicg.CameraProfile.load(tmp_path / "a.icgprofile")
    assert profile.response_nm_per_dn_ms == pytest.approx(5.0)
    assert profile.response_range_nm == (0.0, 40.0)
    assert profile.provenance["scene_flat_frames"] == 16


# ---- wrong tables and wrong use


def tables(folder: Path, filmed: Path) -> dict[str, tuple[Path, str]]:
    """Name -> (table, what the message must say)."""
    dark, flat = ("dark", filmed / "dark20.tif", 20), ("flat", filmed / "flat20.tif", 20)
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "empty.csv").write_text("")
    return {
        "missing": (folder / "none.csv", "none.csv"),
        "binary": (folder / "binary.csv", "UTF-8"),
        "empty": (folder / "empty.csv", "columns are missing"),
        "header only": (write_table(folder / "1.csv", []), "no rows"),
        "missing column": (write_table(folder / "2.csv", [dark[:2]], "kind,file"), "exposure_ms"),
        "unknown column": (write_table(folder / "3.csv", [(*dark, 1)], "kind,file,exposure_ms,gain"), "gain"),
        "semicolons": (write_table(folder / "4.csv", [], "kind;file;exposure_ms"), "semicolons"),
        "unknown kind": (write_table(folder / "5.csv", [("black", *dark[1:])]), "line 2: kind is 'black'"),
        "no number": (write_table(folder / "6.csv", [dark, (*flat[:2], "fast")]), "line 3: exposure_ms is 'fast'"),
        "zero exposure": (write_table(folder / "7.csv", [(*dark[:2], 0)]), "over 0"),
        "no file name": (write_table(folder / "8.csv", [("dark", "", 20)]), "line 2: file is empty"),
        "missing file": (write_table(folder / "9.csv", [("dark", "nowhere.tif", 20)]), "nowhere.tif"),
        "short row": (write_table(folder / "10.csv", [("dark", "x.tif")]), "line 2: found 2 cells"),
        "twice": (write_table(folder / "11.csv", [dark, dark, flat]), "lines 2 and 3: two rows of kind dark"),
        "no dark": (write_table(folder / "12.csv", [flat]), "no row of kind dark"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "binary",
        "empty",
        "header only",
        "missing column",
        "unknown column",
        "semicolons",
        "unknown kind",
        "no number",
        "zero exposure",
        "no file name",
        "missing file",
        "short row",
        "twice",
        "no dark",
    ],
)
def test_wrong_tables_are_exit_3(name: str, filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, word = tables(tmp_path, filmed)[name]
    before = set(tmp_path.iterdir())
    assert run("profile", "build", table, *TOLD, "--report", tmp_path / "r", "-o", tmp_path / "a.icgprofile") == 3
    message = capsys.readouterr().err
    assert word in message
    assert "Traceback" not in message
    assert set(tmp_path.iterdir()) == before


def test_bad_frames_are_exit_3(filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "clipped.tif", np.zeros((4, *SHAPE), np.uint16))
    write(tmp_path / "small.tif", np.full((4, 20, 20), 500, np.uint16))
    write(tmp_path / "white.tif", np.full((4, *SHAPE), 4095, np.uint16))
    tifffile.imwrite(tmp_path / "real.tif", np.zeros((4, *SHAPE), np.float32), photometric="minisblack")
    dark, flat = filmed / "dark20.tif", filmed / "flat20.tif"
    for pair, word in (
        ((tmp_path / "clipped.tif", flat), "clipped at zero"),
        ((dark, tmp_path / "small.tif"), "shape"),
        ((dark, tmp_path / "white.tif"), "maximum"),
        ((dark, tmp_path / "real.tif"), "uint16"),
        ((flat, dark), "swapped"),
    ):
        code = run("profile", "build", "--dark", pair[0], "--flat", pair[1], *TOLD, "-o", tmp_path / "a.icgprofile")
        assert code == 3
        assert word in capsys.readouterr().err
        assert not (tmp_path / "a.icgprofile").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", *TOLD, "-o", "x"],
        ["build", "s.csv", "--dark", "d.tif", *TOLD, "-o", "x"],
        ["build", "s.csv", "--flat-exposure-ms", "3", *TOLD, "-o", "x"],
        ["build", "--dark", "d.tif", *TOLD],
        ["build", "--dark", "d.tif", *TOLD, "--linearity", "cubic", "-o", "x"],
        ["characterize", "s.csv", "-o", "x"],
        ["characterize", "s.csv", "--bit-depth", "12", "--release", "5", "-o", "x"],
        ["check", "x"],
        ["show"],
    ],
)
def test_wrong_use_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("profile", *arguments) == 2
    assert capsys.readouterr().err != ""


def test_a_band_that_is_none_is_exit_2(filmed: Path, tmp_path: Path) -> None:
    frames = ["--dark", filmed / "dark20.tif", "--filter-band", "815-850"]
    assert run("profile", "build", *frames, *TOLD, "-o", tmp_path / "a.icgprofile") == 2


# ---- characterize


@pytest.mark.parametrize("release", ["4.0", "3.1"])
def test_characterize(bare: Path, tmp_path: Path, release: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["profile", "characterize", bare / "series.csv", "--bit-depth", "12", "--release", release, "--simulated"]
    assert run(*command, "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    head = "4.0 Linear" if release == "4.0" else "3.1"
    assert printed.splitlines()[0] == f"computed per EMVA 1288 Release {head}, SIMULATED frames"
    assert "compliant" not in printed + (tmp_path / "out" / "camera.html").read_text()
    found = json.loads((tmp_path / "out" / "camera.json").read_text())["figures"]
    for name, truth, tolerance in (
        ("gain_dn_per_e", 0.25, 0.02),
        ("quantum_efficiency", 50.0, 0.02),
        ("dark_noise_e", 8.0, 0.02),
        ("prnu", 1.0, 0.05),
    ):
        assert found[name]["value"] == pytest.approx(truth, rel=tolerance)
        assert found[name]["ci"][0] < found[name]["value"] < found[name]["ci"][1]
    assert f"{found['gain_dn_per_e']['value']:.4f} DN/e" in printed
    with (tmp_path / "out" / "camera.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11
    assert {row["in_fit"] for row in rows} == {"true", "false"}


def test_characterize_pairs_levels_by_exposure(bare: Path, tmp_path: Path) -> None:
    lines = (bare / "series.csv").read_text().splitlines()
    shuffled = [lines[0], *sorted(lines[1:], reverse=True)]
    moved = "\n".join(shuffled).replace("bright", "@").replace(",@", f",{bare}/bright").replace("@,", "bright,")
    text = moved.replace("spatial_@", "spatial_bright").replace(",dark", f",{bare}/dark")
    text = text.replace(",spatial_", f",{bare}/spatial_").replace("@", "bright")
    (tmp_path / "shuffled.csv").write_text(text)
    outcomes = []
    for table in (bare / "series.csv", tmp_path / "shuffled.csv"):
        assert run("profile", "characterize", table, "--bit-depth", "12", "-o", tmp_path / "out") == 0
        outcomes.append(json.loads((tmp_path / "out" / "camera.json").read_text())["figures"]["gain_dn_per_e"]["value"])
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-9)


def test_characterize_refuses_what_does_not_pair(
    bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bright = [("bright", bare / f"bright{k}.tif", 10 + k, "") for k in range(3)]
    dark = [("dark", bare / "dark0.tif", 10, "")]
    header = "kind,file,exposure_ms,photons"
    cases = (
        (bright + dark, "line 3: no dark row at 11 ms"),
        (bright, "expected at least one of each"),
        ([*bright[:1], *dark, ("spatial_dark", bare / "dark0.tif", 10, "")], "spatial_bright"),
        ([(*bright[0][:3], 100), ("bright", bare / "bright1.tif", 10, ""), *dark], "1 of 2 bright rows state photons"),
    )
    for k, (rows, word) in enumerate(cases):
        table = write_table(tmp_path / f"{k}.csv", rows, header)
        assert run("profile", "characterize", table, "--bit-depth", "12", "-o", tmp_path / "out") == 3
        assert word in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_a_refused_figure_is_exit_4(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("bright", bare / f"bright{k}.tif", 10) for k in (1, 2)] + [("dark", bare / "dark0.tif", 10)]
    table = write_table(tmp_path / "two.csv", rows)
    assert run("profile", "characterize", table, "--bit-depth", "12", "-o", tmp_path / "out") == 4
    assert re.search(r"System gain K +undefined +Too few light levels", capsys.readouterr().out)


# ---- show and check


@pytest.fixture(scope="module")
def built(filmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("built") / "head.icgprofile"
    assert run("profile", "build", filmed / "series.csv", *TOLD, "-o", target) == 0
    return target


def test_show_prints_everything(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = pyicg.CameraProfile.load(built)
    picture = tmp_path / "maps.png"
    assert run("profile", "show", built, "--picture", picture) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert profile.bad is not None
    assert profile.dark is not None
    assert f"Bad pixels: {profile.bad.sum()}" in printed
    assert f"{profile.bad.sum()} hot" in printed
    assert f"{np.median(profile.dark[~profile.bad]):.2f}" in printed
    for word in ("simulated head", "64 x 80", "12", "2 to 34 ms", "linear", "4095 DN", "dark_rate.tif", profile.digest):
        assert word in printed
    row = next(line for line in printed.splitlines() if line.startswith("Dark current  "))
    assert f"{profile.dark_current_dn_per_ms:.4f} DN/ms" in row


def test_show_says_uncalibrated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pyicg.CameraProfile.identity((8, 8)).save(tmp_path / "none.icgprofile")
    assert run("profile", "show", tmp_path / "none.icgprofile") == 0
    printed = capsys.readouterr().out
    assert "UNCALIBRATED" in printed
    assert "no maps" in printed
    assert run("profile", "show", tmp_path / "none.icgprofile", "--picture", tmp_path / "x.png") == 3
    assert "no maps to draw" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_show_of_nothing_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("profile", "show", tmp_path / "nowhere") == 3
    assert "nowhere" in capsys.readouterr().err


def test_check_tells_steady_from_drifted(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, camera in (("same", CAMERA), ("later", replace(CAMERA, offset_dn=67.0))):
        write(tmp_path / f"dark_{name}.tif", camera.dark_series(17, shape=SHAPE))
        write(tmp_path / f"flat_{name}.tif", camera.flat_series(17, shape=SHAPE))
    command = ["profile", "check", built, "--exposure-ms", "20"]
    fresh = ["--dark", tmp_path / "dark_same.tif", "--flat", tmp_path / "flat_same.tif"]
    assert run(*command, *fresh, "-o", tmp_path / "same.json") == 0
    printed = capsys.readouterr().out
    assert "nothing drifted" in printed
    assert "DRIFTED" not in printed
    assert json.loads((tmp_path / "same.json").read_text())["ok"] is True

    fresh = ["--dark", tmp_path / "dark_later.tif", "--flat", tmp_path / "flat_later.tif"]
    assert run(*command, *fresh, "-o", tmp_path / "later.json") == 4
    printed = capsys.readouterr().out
    assert re.search(r"dark level, DN .* 0\.5000 +DRIFTED", printed)
    assert "FINDING offset_drift" in printed
    assert re.search(r"gain, DN/e .* in order", printed)
    said = json.loads((tmp_path / "later.json").read_text())
    assert said["ok"] is False
    offset = said["figures"]["offset_dn"]
    assert offset["fresh"]["value"] - offset["profile"] == pytest.approx(3.0, abs=0.05)


def test_check_refuses_other_frames(
    built: Path, filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "small.tif", np.full((4, 20, 20), 70, np.uint16))
    for dark, exposure, word in (
        (tmp_path / "small.tif", "20", "shape"),
        (filmed / "dark20.tif", "500", "500"),
        (tmp_path / "none.tif", "20", "none.tif"),
    ):
        assert run("profile", "check", built, "--dark", dark, "--exposure-ms", exposure) == 3
        assert word in capsys.readouterr().err


# ---- disk and keyboard


def test_output_that_cannot_be_written(filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("kept")
    build = ["profile", "build", "--dark", filmed / "dark20.tif", *TOLD]
    assert run(*build, "-o", in_the_way / "a.icgprofile") == 3
    assert "cannot write" in capsys.readouterr().err
    assert run(*build, "--report", in_the_way / "r", "-o", tmp_path / "a.icgprofile") == 3
    assert in_the_way.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_full_disk_leaves_the_old_report_whole(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["profile", "characterize", bare / "series.csv", "--bit-depth", "12", "-o", tmp_path]
    assert run(*command) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    plain = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "camera.html":
            raise OSError(28, "No space left on device")
        return plain(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(*command) == 3
    assert "No space left" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_interrupt_is_exit_130_and_leaves_nothing(tmp_path: Path) -> None:
    # Sparse: frames that take no room on the disk. All are 0, so only the end of the series could be refused.
    np.lib.format.open_memmap(tmp_path / "long.npy", mode="w+", dtype=np.uint16, shape=(20000, 400, 400))
    interrupt("profile", "build", "--dark", tmp_path / "long.npy", *TOLD, "-o", tmp_path / "a.icgprofile")
    assert [path.name for path in tmp_path.iterdir()] == ["long.npy"]


def test_nothing_is_written_into_a_profile(built: Path, filmed: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    assert run("profile", "show", built, "--picture", built / "dark.tif") == 2
    inside = built / "profile.toml"
    assert run("profile", "check", built, "--dark", filmed / "x.tif", "--exposure-ms", "20", "-o", inside) == 2
    target = tmp_path / "new"
    told = ["--camera", "c", "--exposure-ms", "20", "--bit-depth", "12", "-o", target]
    assert run("profile", "build", filmed / "series.csv", "--report", target / "report", *told) == 2
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before
    assert not target.exists()


def test_display_video_is_refused(filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--camera", "c", "--exposure-ms", "20", "--bit-depth", "12", "-o", tmp_path / "new"]
    assert run("profile", "build", filmed / "series.csv", "--transfer", "srgb", *told) == 3
    assert "transfer is 'srgb', expected 'linear'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
