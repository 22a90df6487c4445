"""``pyicg bench``: who is measured, that outputs are compared first, what it prints, writes and refuses."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import pyicg
from pyicg._bench import measure, work
from pyicg._bench.scene import bench_scene
from pyicg._bench.with_pyicg import FullScore, WithPyicg
from pyicg._bench.with_scipy import WithScipy
from pyicg._bench.work import STAGES, Calibration, Work
from pyicg.cli import main

from .scripts import load

CALIBRATE = STAGES[0]


@pytest.fixture(scope="module")
def prepared() -> Work:
    return measure.prepare((256, 256))


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["bench", *(str(a) for a in arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


class Fake:
    """A peer that calibrates like numpy, only later, or wrongly."""

    name = "fake"
    version = "fake 1"
    fits_rims = False

    def __init__(self, delay_s: float = 0.0, factor: float = 1.0) -> None:
        self._delay_s, self._factor = delay_s, factor

    def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
        def calibrate() -> Any:
            time.sleep(self._delay_s)
            return work.frame.data * np.float32(self._factor)

        return {"calibrate": calibrate}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, prepared: Work) -> pytest.MonkeyPatch:
    """One stage, the prepared scene, no peers but those a test puts there."""
    monkeypatch.setattr(work, "STAGES", (CALIBRATE,))
    monkeypatch.setattr(measure, "prepare", lambda *_: prepared)
    monkeypatch.setattr(measure, "peers_of", lambda *_: [])
    return monkeypatch


def test_the_scene_is_what_it_says(prepared: Work) -> None:
    scene = prepared.scene
    assert scene.raw.dtype == np.uint16
    assert scene.raw.max() < 4095
    assert np.array_equal(scene.raw, bench_scene((256, 256)).raw)  # seeded
    assert not np.array_equal(scene.raw, bench_scene((256, 256), seed=1).raw)
    labels, count = ndimage.label(prepared.bright, np.ones((3, 3)))
    assert count > 20  # rims and flecks
    assert ndimage.label(prepared.frame.rim, np.ones((3, 3)))[1] == 4
    assert prepared.frame.contours == 7  # one rim is open, so it has no hole
    rims = prepared.frame.rim | prepared.frame.core
    assert (scene.liver & rims).sum() < 0.01 * rims.sum()  # a fleck that touches a rim
    assert 0 < labels.max() < 200


def test_a_bad_pixel_is_the_median_of_its_good_neighbours(prepared: Work) -> None:
    scene = prepared.scene
    rng = np.random.default_rng(0)
    data = rng.normal(10, 1, scene.raw.shape).astype(np.float32)
    bad = scene.profile.bad
    assert bad is not None
    expected = data.copy()
    for y, x in np.argwhere(bad):
        window = slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2)
        expected[y, x] = np.median(data[window][~bad[window]])
    assert np.array_equal(Calibration(scene).repair(data), expected)


def test_pyicg_gives_what_numpy_and_scipy_give(prepared: Work) -> None:
    ours = WithPyicg(prepared.scene)
    offered = ours.stages(prepared)
    assert set(offered) == {
        "calibrate",
        "background",
        "distance inside the rim",
        "distance outside the rim",
        "rim statistics",
        "rims",
        "whole frame",
    }
    assert np.array_equal(offered["calibrate"](), prepared.frame.data)  # to the bit
    assert offered["background"]() == (prepared.frame.median, prepared.frame.mad)
    for _ in range(2):  # buffers that are reused must not remember
        for stage in STAGES:
            if stage.name in offered:
                assert stage.right(ours, offered[stage.name](), prepared), stage.name
    found, expected = offered["whole frame"](), prepared.frame
    for name in ("data", "sbr", "rim", "core", "distances"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert (found.median, found.mad, found.contours) == (expected.median, expected.mad, expected.contours)
    assert found.thickness == pytest.approx(expected.thickness, abs=1e-4)
    assert found.rim_sbr == pytest.approx(expected.rim_sbr, rel=1e-6)
    assert found.cnr == pytest.approx(expected.cnr, rel=1e-6)


def test_opencv_gives_what_numpy_and_scipy_give(prepared: Work) -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("skimage")
    from pyicg._bench.with_opencv import WithOpenCV
    from pyicg._bench.with_opencv_tuned import WithTable, WithTunedOpenCV

    differ: dict[str, set[str]] = {}
    for peer in (
        WithScipy(prepared.scene),
        *(kind(prepared.scene) for kind in (WithOpenCV, WithTunedOpenCV, WithTable)),
    ):
        offered = peer.stages(prepared)
        for _ in range(2):  # buffers that are reused must not remember
            wrong = {s.name for s in STAGES if s.name in offered and not s.right(peer, offered[s.name](), prepared)}
        differ[peer.name] = wrong
    assert differ.pop("OpenCV") == {"background", "rim statistics"}  # medians by histogram
    assert differ.pop("OpenCV, tuned, table") == {"calibrate", "whole frame"}  # whole counts of dark
    assert set().union(*differ.values()) == set()
    assert len(differ) == 2


def test_wrong_outputs_are_told(prepared: Work) -> None:
    frame = prepared.frame
    stages = {stage.name: stage for stage in STAGES}
    fake = Fake()
    assert stages["calibrate"].right(fake, frame.data * np.float32(1 + 5e-7), prepared)
    assert not stages["calibrate"].right(fake, frame.data * np.float32(1 + 3e-6), prepared)
    assert not stages["calibrate"].right(fake, frame.data[1:], prepared)
    assert not stages["background"].right(fake, (frame.median, 1.001 * frame.mad), prepared)
    shifted = np.roll(frame.rim, 1, axis=0)
    for name in ("threshold", "components"):
        assert not stages[name].right(fake, shifted, prepared)
    assert not stages["contours"].right(fake, frame.contours + 1, prepared)
    assert stages["thickness by angle"].right(fake, frame.thickness[::-1], prepared)  # rims in any order
    assert not stages["thickness by angle"].right(fake, frame.thickness + np.float32(0.3), prepared)
    assert not stages["thickness by angle"].right(fake, frame.thickness[1:], prepared)
    rims = [frame.rim, frame.core, frame.contours, frame.thickness]
    assert stages["rims"].right(fake, rims, prepared)
    for k, wrong in enumerate((shifted, shifted, 3, frame.thickness + np.float32(0.3))):
        assert not stages["rims"].right(fake, [*rims[:k], wrong, *rims[k + 1 :]], prepared)


def test_contenders_take_turns(prepared: Work) -> None:
    order: list[int] = []
    seconds = measure.in_turn([lambda: order.append(0), lambda: order.append(1)], 3)
    assert order == [0, 1, 0, 1, 0, 1]
    assert [len(times) for times in seconds] == [3, 3]
    ((_, timings),) = measure.measure(prepared, [Fake(), Fake(0.03)], rounds=2, stages=(CALIBRATE,))
    quick, slow = timings
    assert slow.ms >= 30
    assert slow.rounds == 2
    assert slow.copies > quick.copies
    assert slow.mb_s == pytest.approx(1e-3 * CALIBRATE.bytes_per_pixel * 65536 / slow.ms)
    assert measure.best(timings) == quick
    assert measure.best([]) is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be pinned here")
def test_pinned_for_as_long_as_it_is_asked_for() -> None:
    before = os.sched_getaffinity(0)
    with measure.pinned(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--size", "256", "--rounds", "1", "-o", tmp_path / "times.csv") == 0
    printed = capsys.readouterr().out
    for text in ("SIMULATED", pyicg.__version__, "1 pinned thread", "medians of 1", "numpy", "copies", "not offered"):
        assert text in printed
    assert "Research software, not a medical device." in printed
    with (tmp_path / "times.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} == {stage.name for stage in STAGES}
    assert {(row["height"], row["width"], row["threads"]) for row in rows} == {("256", "256", "1")}
    by_us = {row["stage"]: row for row in rows if row["contender"] == "pyicg"}
    assert by_us["Gaussian"]["status"] == "not offered"
    assert by_us["Gaussian"]["ms"] == ""
    assert {row["contender"] for row in rows if row["fitted"] == "True"} == {"pyicg, full score"}
    assert by_us["rims"]["status"] == by_us["whole frame"]["status"] == "measured"
    assert all(row["status"] in ("measured", "not offered") for row in by_us.values())
    assert float(by_us["calibrate"]["ms"]) > 0

    chart = load("chart", Path(__file__).parents[2] / "bench" / "peers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["chart.py", str(tmp_path / "times.csv"), "-o", str(tmp_path / "speed.png")])
        chart.main()
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_ratio_only_for_equal_outputs(short: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    short.setattr(measure, "peers_of", lambda *_: [Fake(0.2)])
    assert run("--rounds", "2") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("calibrate"))
    assert float(line.split()[-1]) > 1  # the peer takes longer

    short.setattr(measure, "peers_of", lambda *_: [Fake(0.0, 1.01)])
    assert run("--rounds", "2") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("calibrate"))
    assert line.endswith("none")


def test_a_wrong_answer_of_ours_is_exit_4(short: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Wrong(WithPyicg):
        def stages(self, work: Work) -> Mapping[str, Callable[[], Any]]:
            return {"calibrate": lambda: work.frame.data + np.float32(1)}

    short.setattr("pyicg._bench.with_pyicg.WithPyicg", Wrong)
    short.setattr(measure, "peers_of", lambda *_: [Fake()])
    assert run("--rounds", "1") == 4
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("calibrate"))
    assert line.endswith("outputs differ")


def test_without_peers(prepared: Work, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(work, "STAGES", STAGES[:2])
    monkeypatch.setattr(measure, "prepare", lambda *_: prepared)
    monkeypatch.setattr(measure, "_installed", lambda *_: False)
    monkeypatch.setattr("pyicg._bench.with_scipy.find_spec", lambda *_: None)
    assert run("--rounds", "1", "--size", "256") == 0
    printed = capsys.readouterr().out
    assert "not installed, so not measured: scikit-image" in printed
    assert "not installed, so not measured: opencv-python-headless" in printed
    line = next(line for line in printed.splitlines() if line.startswith("background"))
    assert "numpy + scipy " in line
    assert "OpenCV" not in line
    alone = WithScipy(prepared.scene)
    assert alone.name == "numpy + scipy"
    assert not {"contours", "whole frame"} & alone.stages(prepared).keys()


def test_the_full_score_is_of_the_whole_frame_only(prepared: Work) -> None:
    assert list(FullScore(prepared.scene).stages(prepared)) == ["whole frame"]


def test_scaling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(measure, "SIZES", {"small": (96, 128)})
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    assert run("--scaling", "--rounds", "1", "-o", tmp_path / "rates.json") == 0
    printed = capsys.readouterr().out
    assert "frames/s" in printed
    saved = json.loads((tmp_path / "rates.json").read_text())
    assert saved["simulated"] is True
    cores = len(before) if before is not None else os.cpu_count() or 1
    assert [row["threads"] for row in saved["rows"]] == list(range(1, cores + 1))
    assert all(row["ms"] > 0 and row["machine"] for row in saved["rows"])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--size", "8k"), 2, "8k"),
        (("--rounds", "0"), 2, "0 is not in the range"),
        (("--threads", "100000"), 2, "processors"),
        (("-o", "times.txt"), 2, ".csv or .json"),
        (("--scaling", "--threads", "1"), 2, "leave --size and --threads out"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == code
    assert text in capsys.readouterr().err


def test_nothing_is_measured_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "prepare", lambda *_: pytest.fail("measured all the same"))
    (tmp_path / "file").touch()
    assert run("-o", tmp_path / "file" / "times.csv") == 3
    assert "cannot write" in capsys.readouterr().err


def test_opencv_is_imported_only_by_its_own_modules() -> None:
    spec = importlib.util.find_spec("pyicg._bench.measure")
    assert spec is not None
    assert spec.origin is not None
    assert "import cv2" not in Path(spec.origin).read_text(encoding="utf-8")
