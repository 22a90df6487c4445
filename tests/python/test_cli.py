from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi, roiwrite

import pyicg
from pyicg import _core
from pyicg.cli import main

from .interrupts import interrupt

FILES = {"frames.csv", "lesions.csv", "summary.json", "overlay.png", "report.html"}


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated tumour-bed video and its profile on disk."""
    folder = tmp_path_factory.mktemp("bed")
    scene = pyicg.phantom.bed_scene(n_frames=2)
    tifffile.imwrite(
        folder / "bed.tif", np.stack(list(scene.stack)), photometric="minisblack", metadata={"axes": "TYX"}
    )
    scene.profile.save(folder / "camera.icgprofile")
    return folder


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specimen")
    scene = pyicg.phantom.section_stack(margins_mm=(1.5,), n_slices=3)
    tifffile.imwrite(
        folder / "slices.tif", np.stack(list(scene.stack)), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    scene.profile.save(folder / "camera.icgprofile")
    plane = {"point_mm": scene.plane.point_mm, "normal": scene.plane.normal}
    (folder / "plane.json").write_text(json.dumps(plane))
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def bed_options(folder: Path) -> list[str | Path]:
    return ["--profile", folder / "camera.icgprofile", "--view", "bed", "--bit-depth", "12"]


def test_score_bed(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code = run("score", bed / "bed.tif", *bed_options(bed), "--pixel-size", "0.2", "--prevalence", "0.126", "-o", out)
    assert code == 0
    assert {path.name for path in out.iterdir()} == FILES
    rows = table(out / "frames.csv")
    assert [row["fluorescent"] for row in rows] == ["true", "true"]
    assert float(rows[0]["sbr"]) == pytest.approx(3.0, rel=0.03)
    assert float(rows[0]["sbr_lo"]) < float(rows[0]["sbr"]) < float(rows[0]["sbr_hi"])
    summary = json.loads((out / "summary.json").read_text())
    assert summary["margin"]["p_r1"] == pytest.approx(0.456, abs=5e-4)
    assert summary["summary"]["calibrated"] is True
    assert "not a medical device" in capsys.readouterr().out


def test_score_bed_without_lesions(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*bed_options(bed), "--pixel-size", "0.2", "--no-lesions"]
    assert run("score", bed / "bed.tif", *options, "-o", tmp_path / "out") == 0
    assert re.search(r"lesions +not looked for", capsys.readouterr().out)
    rows = table(tmp_path / "out" / "frames.csv")
    assert [(row["fluorescent"], row["n_lesions"], row["reasons"]) for row in rows] == [
        ("true", "", "lesions_not_sought")
    ] * 2
    section = ["--view", "section", "--axes", "ZYX", "--no-lesions", "-o", tmp_path / "cut"]
    assert run("score", bed / "bed.tif", *section) == 2
    assert "--no-lesions belongs to --view bed" in capsys.readouterr().err


def test_score_bed_tells_the_answer_by_cut(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--prevalence", "mimic-overall", "--risk-threshold", "0.3", "--dose-mg", "10", "--hours-before", "24"]
    assert run("score", bed / "bed.tif", *bed_options(bed), *options, "-o", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "margin        R1, P(R1) 46 % [32 %, 61 %]\n" in printed
    assert "by SBR cut    1.5, 1.75, 2: present, P(R1) 46 % (32 % to 61 %)\n" in printed
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["margin"]["provenance"]["risk_threshold"]["value"] == 0.3
    assert summary["summary"]["risk_threshold"] == 0.3
    assert summary["margin"]["provenance"]["protocol"]["dose_mg"] == 10.0
    row = table(tmp_path / "frames.csv")[0]
    for cut in ("1.5", "1.75", "2"):
        assert row[f"margin_at_{cut}"] == "R1"
        assert float(row[f"p_r1_at_{cut}"]) == float(row["p_r1"]) == summary["margin"]["p_r1"]
        assert [row[f"p_r1_at_{cut}_{end}"] for end in ("lo", "hi")] == [row["p_r1_lo"], row["p_r1_hi"]]


def test_another_protocol_leaves_the_label_open(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--prevalence", "mimic-overall", "--dose-mg", "25"]
    assert run("score", bed / "bed.tif", *bed_options(bed), *options, "-o", tmp_path / "a") == 0
    assert "margin        indeterminate, P(R1) 46 % [32 %, 61 %] protocol_differs" in capsys.readouterr().out
    assert run("score", bed / "bed.tif", *bed_options(bed), "--dose-mg", "-1", "-o", tmp_path / "b") == 3
    assert "dose_mg is -1.0, expected a number > 0" in capsys.readouterr().err
    assert run("score", bed / "bed.tif", *bed_options(bed), "--risk-threshold", "2", "-o", tmp_path / "b") == 3
    assert "risk_threshold is 2.0, expected a number in (0, 1)" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_the_tie_is_an_option(specimen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    how: list[str | Path] = ["--plane", specimen / "plane.json", "--view", "section", *SIZES, "--tie", "R1"]
    assert run("score", specimen / "slices.tif", *how, "-o", tmp_path) == 0
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["margin"]["provenance"]["tie"]["value"] == found["summary"]["tie"] == "R1"
    assert found["lesions"][0]["margin"]["provenance"]["tie"]["value"] == "R1"
    assert "lies at or below 1 mm" in (tmp_path / "report.html").read_text()
    assert "R0, P(R1) < 0.1 % [< 0.1 %, < 0.1 %] uncalibrated" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["file", "points"])
def test_score_section(specimen: Path, tmp_path: Path, way: str) -> None:
    plane = json.loads((specimen / "plane.json").read_text())["point_mm"][1]
    points = [f"0,{plane},0; 0,{plane},40; 20,{plane},0; 20,{plane},40"]
    how: list[str | Path] = ["--plane", specimen / "plane.json"]
    if way == "points":
        how = ["--plane-points", *points, "--tumour-side", f"4,{plane - 3},20"]
    sizes = ["--pixel-size", "0.1", "--slice-spacing", "1", "--bit-depth", "12"]
    profile: list[str | Path] = ["--profile", specimen / "camera.icgprofile", "--view", "section"]
    assert run("score", specimen / "slices.tif", *profile, *sizes, *how, "-o", tmp_path) == 0
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["distance"]["min_mm"] == pytest.approx(1.5, abs=0.15)
    assert found["margin"]["label"] == "R0"


SIZES = ["--pixel-size", "0.1", "--slice-spacing", "1", "--bit-depth", "12"]


def cut_line(folder: Path, y_mm: float, *slices: int) -> Path:
    """A line of ImageJ in each slice, at y in mm, saved by the ROI Manager; slice 0 stands for all of them."""
    ends = {"x1": 10.0, "y1": y_mm / 0.1, "x2": 190.0, "y2": y_mm / 0.1}
    rois = [ImagejRoi(roitype=ROI_TYPE.LINE, **ends, position=n, name=f"cut {n}") for n in slices]
    roiwrite(folder / "cut.zip", rois)
    return folder / "cut.zip"


@pytest.mark.parametrize("side", [True, False])
def test_score_section_with_lines_of_imagej(specimen: Path, tmp_path: Path, side: bool) -> None:
    y = json.loads((specimen / "plane.json").read_text())["point_mm"][1]
    profile: list[str | Path] = ["--profile", specimen / "camera.icgprofile", "--view", "section", *SIZES]
    how: list[str | Path] = ["--plane-roi", cut_line(tmp_path, y, 1, 3)]
    how += ["--tumour-side", f"1,{y - 3},20"] if side else []
    assert run("score", specimen / "slices.tif", *profile, *how, "-o", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert found["distance"]["min_mm"] == pytest.approx(1.5, abs=0.15)
    assert found["margin"]["label"] == "R0"


def test_a_line_of_every_slice_needs_perpendicular(
    specimen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y = json.loads((specimen / "plane.json").read_text())["point_mm"][1]
    call = ["score", specimen / "slices.tif", "--view", "section", "--plane-roi", cut_line(tmp_path, y, 0)]
    assert run(*call, *SIZES, "-o", tmp_path / "out") == 3
    assert "perpendicular" in capsys.readouterr().err
    assert run(*call, "--pixel-size", "0.1", "--perpendicular", "-o", tmp_path / "out") == 3
    assert "pass --slice-spacing and --pixel-size" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(*call, *SIZES, "--perpendicular", "-o", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert found["distance"]["min_mm"] == pytest.approx(1.5, abs=0.15)


def test_a_fitted_plane_keeps_its_error_in_its_file(specimen: Path, tmp_path: Path) -> None:
    y = json.loads((specimen / "plane.json").read_text())["point_mm"][1]
    points = [(0, y, 0), (0, y + 0.4, 20), (2, y + 0.4, 0), (2, y, 20), (1, y + 0.2, 10)]
    fitted = pyicg.fit_plane(points).facing((1, y - 3, 10))
    exact = pyicg.Plane(point_mm=fitted.point_mm, normal=fitted.normal)
    sigma = {}
    for name, plane in {"fitted": fitted, "exact": exact}.items():
        how: list[str | Path] = ["--plane", plane.save(tmp_path / f"{name}.json"), "--view", "section", *SIZES]
        run("score", specimen / "slices.tif", *how, "-o", tmp_path / name)
        found = json.loads((tmp_path / name / "summary.json").read_text())["distance"]
        sigma[name] = found["sigma_mm"]
        foot = found["foot_mm"]
    assert sigma["fitted"] ** 2 - sigma["exact"] ** 2 == pytest.approx(fitted.variance_mm2([foot])[0], rel=1e-3)
    assert sigma["fitted"] > 2 * sigma["exact"]
    (tmp_path / "cut.json").write_text((tmp_path / "fitted.json").read_text()[:200])
    how = ["--plane", tmp_path / "cut.json", "--view", "section", *SIZES]
    assert run("score", specimen / "slices.tif", *how, "-o", tmp_path / "none") == 3


def test_without_a_profile_it_says_uncalibrated(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("score", bed / "bed.tif", "--view", "bed", "--bit-depth", "12", "-o", tmp_path)
    assert "UNCALIBRATED" in capsys.readouterr().out
    assert "UNCALIBRATED" in (tmp_path / "report.html").read_text().upper()


def test_several_inputs_get_a_folder_each(bed: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.tif"
    second.write_bytes((bed / "bed.tif").read_bytes())
    assert run("score", bed / "bed.tif", second, *bed_options(bed), "-o", tmp_path / "out") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"bed", "second"}
    assert {p.name for p in (tmp_path / "out" / "second").iterdir()} == FILES


def test_a_plane_that_meets_no_lesion_is_exit_4(specimen: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.tif"
    values = np.random.default_rng(0).normal(800, 5, (2, 80, 80)).astype(np.uint16)
    tifffile.imwrite(flat, values, photometric="minisblack", metadata={"axes": "ZYX"})
    sizes = ["--pixel-size", "0.1", "--slice-spacing", "1"]
    plane = ["--plane", specimen / "plane.json"]
    assert run("score", flat, "--view", "section", *sizes, *plane, "-o", tmp_path / "out") == 4
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert found["margin"]["label"] == "indeterminate"
    assert found["margin"]["reasons"] == ["no_lesion", "uncalibrated"]


def test_an_exposure_out_of_the_profiles_range_is_exit_4(bed: Path, tmp_path: Path) -> None:
    assert run("score", bed / "bed.tif", *bed_options(bed), "--exposure-ms", "999", "-o", tmp_path) == 4
    rows = table(tmp_path / "frames.csv")
    assert rows[0]["sbr"] == ""
    assert rows[0]["sbr_reason"] == "out_of_range"


def bad_inputs(folder: Path) -> dict[str, tuple[Path, list[str], str]]:
    """Name -> (input, options, what the message must say)."""
    rng = np.random.default_rng(0)
    frame = rng.poisson(300, (40, 50)).astype(np.uint16)
    tifffile.imwrite(folder / "rgb.tif", np.zeros((40, 50, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(
        folder / "multi.tif", np.zeros((3, 40, 50), np.uint8), photometric="minisblack", metadata={"axes": "CYX"}
    )
    tifffile.imwrite(folder / "good.tif", np.stack([frame, frame]), photometric="minisblack")
    whole = (folder / "good.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) - 3000])
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.tif").write_text("no picture")
    (folder / "nodir").mkdir()
    with tifffile.TiffWriter(folder / "unequal.tif") as tif:
        tif.write(frame)
        tif.write(frame[:20])
    tifffile.imwrite(folder / "float64.tif", np.zeros((20, 20)))
    good = folder / "good.tif"
    return {
        "no such file": (folder / "none.tif", [], "none.tif"),
        "a folder": (folder / "nodir", [], "nodir"),
        "truncated": (folder / "cut.tif", [], "cut.tif"),
        "empty": (folder / "empty.tif", [], "empty.tif"),
        "no image": (folder / "text.tif", [], "text.tif"),
        "colour": (folder / "rgb.tif", [], "channel"),
        "channels": (folder / "multi.tif", [], "channel"),
        "pages of unequal size": (folder / "unequal.tif", [], "unequal.tif"),
        "float64": (folder / "float64.tif", [], "float64"),
        "negative pixel size": (good, ["--pixel-size", "-0.1"], "pixel"),
        "zero pixel size": (good, ["--pixel-size", "0"], "pixel"),
        "wrong bit depth": (good, ["--bit-depth", "8"], "bit"),
        "zero exposure": (good, ["--exposure-ms", "0"], "exposure"),
        "no such profile": (good, ["--profile", str(folder / "nowhere")], "nowhere"),
        "bad prevalence": (good, ["--prevalence", "2"], "prevalence"),
        "unknown prevalence": (good, ["--prevalence", "often"], "prevalence"),
    }


BAD = [
    "no such file",
    "a folder",
    "truncated",
    "empty",
    "no image",
    "colour",
    "channels",
    "pages of unequal size",
    "float64",
    "negative pixel size",
    "zero pixel size",
    "wrong bit depth",
    "zero exposure",
    "no such profile",
    "bad prevalence",
    "unknown prevalence",
]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_exit_3_and_leaves_nothing(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, options, word = bad_inputs(tmp_path)[name]
    out = tmp_path / "out"
    assert run("score", path, "--view", "bed", *options, "-o", out) == 3
    message = capsys.readouterr().err
    assert word in message
    assert "Traceback" not in message
    assert not out.exists() or list(out.iterdir()) == []


def test_wrong_profile_shape(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, np.full((30, 30), 500, np.uint16))
    assert run("score", small, *bed_options(bed), "-o", tmp_path / "out") == 3
    message = capsys.readouterr().err
    assert "(30, 30)" in message
    assert "(240, 320)" in message


def test_float_nan_and_inf_are_flagged_and_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = np.random.default_rng(0).normal(500, 5, (60, 60)).astype(np.float32)
    frame[3, 3], frame[4, 4] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "nan.tif", frame)
    assert run("score", tmp_path / "nan.tif", "--view", "bed", "-o", tmp_path / "out") == 4
    rows = table(tmp_path / "out" / "frames.csv")
    assert float(rows[0]["background_level"]) == pytest.approx(500, abs=1)
    assert "not_finite" in rows[0]["reasons"]
    assert "not_finite" in capsys.readouterr().out


def test_a_page_of_nan_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = np.full((3, 40, 40), 500, np.float32)
    pages[1] = np.nan
    tifffile.imwrite(tmp_path / "nan.tif", pages, photometric="minisblack")
    assert run("score", tmp_path / "nan.tif", "--view", "bed", "-o", tmp_path / "out") == 3
    assert "page 1: every pixel is NaN" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_inputs_of_the_same_name_are_told_apart(bed: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "patient1" / "x.1.tif", tmp_path / "patient2" / "x.1.tif"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes((bed / "bed.tif").read_bytes())
    assert run("score", *paths, *bed_options(bed), "-o", tmp_path / "out") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"patient1_x.1", "patient2_x.1"}


def test_every_input_is_opened_before_the_first_is_scored(bed: Path, tmp_path: Path) -> None:
    inputs = [bed / "bed.tif", tmp_path / "missing.tif"]
    assert run("score", *inputs, *bed_options(bed), "-o", tmp_path / "out") == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["score", "x.tif", "-o", "out"],
        ["score", "x.tif", "--view", "ceiling", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--plane-points", "0,0,0;1,1,1;2,0,0", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--plane-points", "a,b", "--tumour-side", "0,0,0", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--plane", "p.json", "--plane-roi", "cut.roi", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--plane", "p.json", "--perpendicular", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--tumour-side", "0,0,0", "-o", "out"],
        ["score", "x.tif", "--view", "section", "--tie", "r1", "-o", "out"],
        ["score", "x.tif", "--view", "bed", "--dose-mg", "ten", "-o", "out"],
        ["no-such-command"],
    ],
)
def test_wrong_use_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().err != ""


def test_output_that_cannot_be_written(bed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("kept")
    assert run("score", bed / "bed.tif", *bed_options(bed), "-o", in_the_way / "out") == 3
    assert "cannot write" in capsys.readouterr().err
    assert in_the_way.read_text() == "kept"


def test_full_disk_leaves_the_old_results_whole(
    bed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", bed / "bed.tif", *bed_options(bed), "-o", tmp_path) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "summary.json":
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run("score", bed / "bed.tif", *bed_options(bed), "-o", tmp_path) == 3
    assert "No space left" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_interrupt_is_exit_130_and_leaves_nothing(tmp_path: Path) -> None:
    # Sparse: 4000 frames that take no room on the disk.
    np.lib.format.open_memmap(tmp_path / "long.npy", mode="w+", dtype=np.uint16, shape=(4000, 400, 400))
    interrupt("score", tmp_path / "long.npy", "--view", "bed", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_profile_build_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = pyicg.phantom.SimulatedCamera()
    tifffile.imwrite(tmp_path / "dark.tif", camera.dark_series(8, shape=(64, 64)), photometric="minisblack")
    tifffile.imwrite(tmp_path / "flat.tif", camera.flat_series(8, shape=(64, 64)), photometric="minisblack")
    told = ["--camera", "simulated", "--exposure-ms", str(camera.exposure_ms), "--bit-depth", str(camera.bit_depth)]
    target = tmp_path / "made.icgprofile"
    series: list[str | Path] = ["--dark", tmp_path / "dark.tif", "--flat", tmp_path / "flat.tif"]
    assert run("profile", "build", *series, *told, "-o", target) == 0
    assert run("profile", "show", target) == 0
    printed = capsys.readouterr().out
    digest = pyicg.CameraProfile.load(target).digest
    assert printed.count(digest) == 2
    gain = pyicg.CameraProfile.load(target).gain_dn_per_e
    assert gain == pytest.approx(camera.gain_dn_per_e, rel=0.05)


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info") == 0
    printed = capsys.readouterr().out
    assert pyicg.__version__ in printed
    assert "ABI 1" in printed
    machine = next(line for line in printed.splitlines() if line.startswith("machine"))
    assert machine.endswith(f"{_core.instruction_set()} instruction set")
    assert _core.instruction_set() in ("baseline", "avx2", "avx512")


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "-o", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "SIMULATED" in printed
    assert printed.count("recovered") == 10
    assert "MISSED" not in printed
    assert not re.search(r"\bclear", printed, re.IGNORECASE)  # never of a margin
    assert FILES | {"bed"} == {path.name for path in tmp_path.iterdir()}
