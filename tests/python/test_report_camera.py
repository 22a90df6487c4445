"""The camera page and the picture of maps: what they say, and that the plots show the numbers."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import pyicg
from pyicg.errors import InputError
from pyicg.phantom import SimulatedCamera
from pyicg.report import camera_plots
from pyicg.report.camera import camera_files
from pyicg.report.camera_figures import four, key_figures, profile_figures, report_figures
from pyicg.report.maps import maps_picture
from pyicg.results import Finding, Measurement

SHAPE = (48, 64)
CAMERA = SimulatedCamera(dark_current_e_per_s=800.0, hot_pixel_share=0.0, seed=2)


def measured(camera: SimulatedCamera, *, photons: bool = True, exposures: bool = True) -> pyicg.CameraReport:
    series = camera.characterization_series(shape=SHAPE, levels=10)
    return pyicg.characterize(
        series.bright,
        series.dark,
        photons=series.photons if photons else None,
        exposures_ms=series.exposures_ms if exposures else None,
        spatial=series.spatial,
        bit_depth=camera.bit_depth,
    )


@pytest.fixture(scope="module")
def report() -> pyicg.CameraReport:
    return measured(CAMERA)


@pytest.fixture(scope="module")
def profile() -> pyicg.CameraProfile:
    return replace(CAMERA, hot_pixel_share=0.004).measure_profile(SHAPE)


def page(**given: object) -> str:
    files = camera_files(**{"camera": "head 3", "provenance": {"frames": "series.csv"}, **given})  # type: ignore[arg-type]
    assert list(files) == ["camera.json", "camera.csv", "camera.html"]
    return files["camera.html"].decode()


def text_of(html: str) -> str:
    body = html.split("<body>")[1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r'src="[^"]*"', "", body)).replace("\xa0", " "))


def pixels(png: bytes | None) -> npt.NDArray[np.uint8]:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def count(image: npt.NDArray[np.uint8], colour: str) -> int:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return int((image == wanted).all(axis=-1).sum())


# ---- the page


def test_page_gives_each_figure_with_interval_and_meaning(report: pyicg.CameraReport) -> None:
    text = text_of(page(report=report))
    gain = report.gain_dn_per_e
    assert f"{gain.value:.4f} DN/e" in text
    assert f"{gain.ci[0]:.4f} to {gain.ci[1]:.4f}" in text
    assert f"{100 * report.quantum_efficiency.value:.2f} %" in text
    assert f"{report.saturation_e.value:.0f} e" in text
    assert "Computed per EMVA 1288 Release 4.0 Linear, 12 bits, 10 light levels." in text
    assert "Counts per electron" in text
    assert "compliant" not in text
    assert text.count("Research software, not a medical device") == 2
    assert not re.search(r"\bnan\b|None", text, re.IGNORECASE)


def test_page_is_one_file_without_network_or_script(report: pyicg.CameraReport) -> None:
    html = page(report=report)
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert "<script" not in html
    assert html.count("data:image/png;base64,") == 3


def test_findings_come_first(report: pyicg.CameraReport) -> None:
    found = replace(report, findings=(Finding("not_linear", "bends by 5 %; correct it"),))
    html = page(report=found)
    text = text_of(html)
    assert text.index("1 finding: read before use") < text.index("bends by 5 %") < text.index("System gain K")
    assert "<code>not_linear</code>" in html
    clean = text_of(page(report=replace(report, findings=())))
    assert "Nothing amiss was found" in clean


def test_a_bent_camera_has_its_finding_on_the_page() -> None:
    text = text_of(page(report=measured(replace(CAMERA, bend=0.1))))
    assert "not_linear" in text
    assert "read before use" in text


def test_page_says_simulated_and_uncalibrated_only_when_so(report: pyicg.CameraReport) -> None:
    assert "SIMULATED" in page(report=report, simulated=True)
    plain = page(report=report)
    assert "SIMULATED" not in plain
    assert "UNCALIBRATED" not in plain
    identity = pyicg.CameraProfile.identity((8, 8))
    assert "UNCALIBRATED" in page(profile=identity)


def test_texts_are_escaped(report: pyicg.CameraReport) -> None:
    html = page(report=report, camera="<b>head & neck</b>", notes=["<i>note</i>"])
    assert "<b>head" not in html
    assert "&lt;b&gt;head &amp; neck&lt;/b&gt;" in html
    assert "<i>" not in html


def test_undefined_figures_say_why() -> None:
    found = measured(CAMERA, photons=False)
    rows = {row.key: row for row in report_figures(found)}
    assert rows["quantum_efficiency"].value == "undefined"
    assert rows["quantum_efficiency"].remark == "The number of photons was not given."
    text = text_of(page(report=found))
    assert "Quantum efficiency undefined Photons that become electrons. The number of photons was not given." in text


def test_a_profile_puts_its_own_figures_first(report: pyicg.CameraReport, profile: pyicg.CameraProfile) -> None:
    html = page(report=report, profile=profile)
    text = text_of(html)
    assert text.index("What the profile holds") < text.index("All figures of the camera")
    assert html.count("data:image/png;base64,") == 4
    assert profile.digest in text
    key = key_figures(report_figures(report), profile_figures(profile))
    assert key[0].item.value == profile.gain_dn_per_e
    assert [row.key for row in key].count("gain_dn_per_e") == 1
    assert len(key) <= 6
    assert all(not math.isnan(row.item.value) for row in key)
    for item in profile.provenance["assumptions"]:
        assert item in text


def test_profile_figures_have_normal_intervals(profile: pyicg.CameraProfile) -> None:
    rows = {row.key: row.item for row in profile_figures(profile)}
    gain, noise = profile.gain_dn_per_e, profile.read_noise_dn
    assert rows["gain_dn_per_e"].ci[1] == pytest.approx(gain + 1.96 * profile.gain_sigma_dn_per_e, rel=1e-6)
    electrons = rows["read_noise_e"]
    assert electrons.value == pytest.approx(noise / gain)
    relative = math.hypot(profile.read_noise_sigma_dn / noise, profile.gain_sigma_dn_per_e / gain)
    assert electrons.sigma == pytest.approx(electrons.value * relative)
    assert math.isnan(rows["response_nm_per_dn_ms"].value)


def test_json_and_table_hold_the_numbers(report: pyicg.CameraReport) -> None:
    files = camera_files(camera="head 3", report=report, provenance={"frames": "series.csv"})
    said = json.loads(files["camera.json"])
    assert said["figures"]["gain_dn_per_e"]["value"] == report.gain_dn_per_e.value
    assert said["figures"]["prnu"]["value"] == pytest.approx(100 * report.prnu.value)
    assert said["figures"]["prnu"]["unit"] == "%"
    assert said["characterization"]["prnu"]["value"] == report.prnu.value
    assert said["provenance"]["frames"] == "series.csv"
    lines = files["camera.csv"].decode().splitlines()
    assert lines[0].split(",")[:4] == ["exposure_ms", "photons", "signal_dn", "variance_dn2"]
    assert len(lines) == 11
    level = report.levels[4]
    assert [float(cell) for cell in lines[5].split(",")[:4]] == [
        level.exposure_ms,
        level.photons,
        level.signal_dn,
        level.variance_dn2,
    ]


@pytest.mark.parametrize(
    ("figure", "text"),
    [(0.27671, "0.2767"), (16124.3, "16124"), (123456.0, "123456"), (1e7, "1.000e+07"), (-0.5, "-0.5000"), (0.0, "0")],
)
def test_four_figures(figure: float, text: str) -> None:
    assert four(figure) == text


def test_text_of_figures_needs_no_matplotlib() -> None:
    code = "import sys, pyicg.cli; sys.exit('matplotlib' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- the plots


def test_plots_show_points_and_line(report: pyicg.CameraReport) -> None:
    for png in (
        camera_plots.photon_transfer(report),
        camera_plots.linearity(report),
        camera_plots.dark_current(report),
    ):
        image = pixels(png)
        assert 1000 <= image.shape[1] <= 1400
        assert count(image, camera_plots.POINT) > 10 * 60
        assert count(image, camera_plots.LINE) > 500


def test_photon_transfer_line_runs_through_the_points(report: pyicg.CameraReport) -> None:
    """On a straight photon transfer the dots of the fit lie on the line: it enters each from below left."""
    signal = np.array([level.signal_dn for level in report.levels if level.in_fit])
    light = np.array([level.variance_dn2 - level.dark_variance_dn2 for level in report.levels if level.in_fit])
    gain = report.gain_dn_per_e.value
    offset = float(np.mean(light - gain * signal))
    assert np.abs(light - offset - gain * signal).max() < 0.1 * light.max()
    image = pixels(camera_plots.photon_transfer(report))
    orange = (image == [0xB3, 0x59, 0x00]).all(axis=-1)
    blue = (image == [0x00, 0x57, 0x9C]).all(axis=-1)
    top = image.shape[0] // 8  # below the legend
    (line_y, line_x), (dot_y, dot_x) = np.nonzero(orange[top:]), np.nonzero(blue[top:])
    slope, level = np.polyfit(line_x, line_y, 1)
    assert slope < 0
    assert np.abs(dot_y - (level + slope * dot_x)).max() < 30


def test_plots_that_would_show_nothing_are_left_out() -> None:
    blind = measured(CAMERA, photons=False, exposures=False)
    assert camera_plots.linearity(blind) is None
    assert camera_plots.dark_current(blind) is None
    assert page(report=blind).count("data:image/png;base64,") == 1


def test_undefined_gain_still_draws(report: pyicg.CameraReport) -> None:
    image = pixels(camera_plots.photon_transfer(replace(report, gain_dn_per_e=Measurement.undefined("no_response"))))
    assert count(image, camera_plots.LINE) == 0
    assert count(image, camera_plots.POINT) > 600


# ---- the maps


def test_maps_picture_shows_every_map(profile: pyicg.CameraProfile) -> None:
    image = pixels(maps_picture(profile))
    assert image.shape[1] == 1350
    assert profile.bad is not None
    assert 0 < profile.bad.sum() < 40
    assert count(image, "#d55e00") >= 4 * profile.bad.sum()  # a dot per bad pixel
    one = pixels(maps_picture(replace(profile, flat=None, flat_sigma=None, bad=None)))
    assert one.shape[1] == 675
    assert count(one, "#d55e00") == 0


def test_maps_limits_leave_bad_pixels_out(profile: pyicg.CameraProfile) -> None:
    assert profile.dark is not None
    assert profile.bad is not None
    wild = np.where(profile.bad, np.float32(4000), profile.dark)
    np.testing.assert_allclose(
        pixels(maps_picture(replace(profile, dark=wild))).astype(int).mean(),
        pixels(maps_picture(profile)).astype(int).mean(),
        atol=0.5,
    )


def test_a_profile_without_maps_has_no_picture() -> None:
    with pytest.raises(InputError, match="no maps"):
        maps_picture(pyicg.CameraProfile.identity((8, 8)))


def test_even_maps_and_odd_names_draw() -> None:
    even = pyicg.CameraProfile(
        camera="肝\n$x^2$" + "long" * 40,
        shape=(4, 300),
        bit_depth=8,
        dark=np.full((4, 300), 5, np.float32),
        bad=np.ones((4, 300), np.bool_),
        calibrated=True,
    )
    assert pixels(maps_picture(even)).shape[1] == 1350
