"""Threads, forks and memory: stacks read ahead within bounds, scorers anywhere, nothing left behind."""

from __future__ import annotations

import _thread
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

import pyicg
from pyicg import CameraProfile, InputError, Scorer, Stack
from pyicg._threads import processors
from pyicg.results import to_plain

SHAPE = (48, 64)
MAPS = {"data": np.float32, "mask": np.uint8, "labels": np.int32, "signal": np.bool_, "lesion": np.bool_}
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def frame(seed: int) -> npt.NDArray[np.uint16]:
    counts = np.random.default_rng(seed).poisson(400, SHAPE)
    counts[10:30, 10:40] += 1200
    return counts.astype(np.uint16)


def profile() -> CameraProfile:
    return CameraProfile.identity(SHAPE)


class Frames:
    """Frames made when they are read, and what happens meanwhile."""

    shape = SHAPE
    dtype = np.dtype(np.uint16)

    def __init__(self, count: int, on_read: Callable[[int], None] = lambda _: None) -> None:
        self._count = count
        self._on_read = on_read
        self._lock = threading.RLock()
        self.alive = 0
        self.read_so_far: list[int] = []
        self.most_alive = 0

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> npt.NDArray[np.uint16]:
        with self._lock:
            self.read_so_far.append(index)
        self._on_read(index)
        made = frame(index)
        with self._lock:
            self.alive += 1
            self.most_alive = max(self.most_alive, self.alive)
        weakref.finalize(made, self._let_go)
        return made

    def _let_go(self) -> None:
        with self._lock:
            self.alive -= 1

    def name(self, index: int) -> str:
        return f"made, page {index}"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen here")
def test_no_more_threads_than_processors_that_may_be_used() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert processors() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert processors() == len(before)


@pytest.mark.parametrize("view", ["bed", "section"])
def test_threads_of_one_frame_change_no_bit(view: str) -> None:
    scene = pyicg.phantom.bed_scene(
        n_frames=2, patch_radius_mm=6, ring_inner_radius_mm=8, shape=(240, 320), texture=0.05
    )

    def scored(threads: int) -> list[Any]:
        scorer = Scorer(
            scene.profile,
            shape=scene.stack.shape[1:],
            view=view,
            pixel_size_mm=0.2,
            outputs=tuple(MAPS),
            threads=threads,
        )
        found: list[Any] = []
        for counts in scene.stack:
            score = scorer.score(counts, exposure_ms=scene.stack.exposure_ms)
            found.append((to_plain(score), {name: m.tobytes() for name, m in scorer.maps.items()}))
        return found

    one = scored(1)
    assert one[0][0]["lesions"]
    for threads in (2, 3):
        assert repr(scored(threads)) == repr(one)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, None, 2**31])
def test_threads_that_are_none(threads: Any) -> None:
    with pytest.raises(InputError, match="threads"):
        Scorer(profile(), shape=SHAPE, threads=threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_come_in_order_and_few_are_held(threads: int) -> None:
    frames = Frames(60)
    result = pyicg.score_stack(Stack(frames, axes="TYX"), profile=profile(), threads=threads)
    assert [score.index for score in result.frames] == list(range(60))
    scorer = Scorer(profile(), shape=SHAPE)
    digests = [scorer.score(frame(k)).frame_digest for k in range(60)]
    assert [score.frame_digest for score in result.frames] == digests
    assert frames.most_alive <= 3 * threads + 1


def test_the_next_frame_is_read_while_one_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    second_is_read = threading.Event()
    overlapped = []

    class Patient(Scorer):
        def score(self, *args: Any, **options: Any) -> Any:
            if options.get("index") == 0:
                overlapped.append(second_is_read.wait(30))
            return super().score(*args, **options)

    monkeypatch.setattr("pyicg.score.Scorer", Patient)
    frames = Frames(4, lambda index: second_is_read.set() if index == 1 else None)
    pyicg.score_stack(Stack(frames, axes="TYX"), profile=profile(), threads=1)
    assert overlapped[0]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_bad_frame_ends_the_stack(threads: int) -> None:
    """Later ones may fail earlier; whichever the threads come to first, the caller hears of the first."""

    def read(index: int) -> None:
        if index == 7:
            time.sleep(0.2)
        if index in (7, 8, 10):
            raise InputError(f"frame {index} is damaged")

    frames = Frames(500, read)
    with pytest.raises(InputError, match="frame 7 is damaged"):
        pyicg.score_stack(Stack(frames, axes="TYX"), profile=profile(), threads=threads)
    assert max(frames.read_so_far) <= 7 + 3 * threads
    assert threading.active_count() == 1 or not any("ThreadPool" in t.name for t in threading.enumerate())


def test_ctrl_c_ends_the_stack() -> None:
    # Once more every 100 frames, as a person would: Python drops an interrupt amid a finalizer.
    frames = Frames(100_000, lambda index: _thread.interrupt_main() if index % 100 == 20 else None)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pyicg.score_stack(Stack(frames, axes="TYX"), profile=profile(), threads=2)
    assert time.monotonic() - start < 20
    assert len(frames.read_so_far) < 500
    assert not any("ThreadPool" in t.name for t in threading.enumerate())


def test_maps_go_into_the_callers_arrays() -> None:
    scorer = Scorer(profile(), shape=SHAPE, outputs=("metrics", *MAPS))
    score = scorer.score(frame(0))
    fresh = dict(scorer.maps)
    assert {name: array.dtype for name, array in fresh.items()} == {name: np.dtype(t) for name, t in MAPS.items()}
    assert fresh["signal"].any()
    out = {name: np.full(SHAPE, 1, MAPS[name]) for name in ("data", "mask", "labels", "signal", "lesion")}
    again = scorer.score(frame(0), out=out)
    assert to_plain(again) == to_plain(score)
    for name, array in fresh.items():
        assert scorer.maps[name] is out[name]
        np.testing.assert_array_equal(out[name], array)
    before = out["data"].copy()
    scorer.score(frame(1), out={"labels": out["labels"]})
    np.testing.assert_array_equal(out["data"], before)
    assert scorer.maps["data"] is not out["data"]
    assert scorer.maps["labels"] is out["labels"]


def read_only() -> npt.NDArray[np.float32]:
    array = np.full(SHAPE, 7, np.float32)
    array.flags.writeable = False
    return array


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "shape": ({"data": np.full((48, 65), 7, np.float32)}, r"float32 array of shape \(48, 64\), found float32"),
    "dtype": ({"mask": np.full(SHAPE, 7, np.int8)}, "uint8 array"),
    "byte order": ({"labels": np.full(SHAPE, 7, ">i4")}, "int32 array"),
    "strided": ({"data": np.full((48, 128), 7, np.float32)[:, ::2]}, "contiguous"),
    "fortran": ({"data": np.full((64, 48), 7, np.float32).T}, "contiguous"),
    "read-only": ({"data": read_only()}, "writable"),
    "list": ({"data": [7]}, "found list"),
    "unknown": ({"colour": np.full(SHAPE, 7, np.float32)}, "names 'colour'"),
    "not an output": ({"lesion": np.full(SHAPE, True)}, "names 'lesion'"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_arrays_that_do_not_fit_are_refused_untouched(case: str) -> None:
    misfit, message = MISFITS[case]
    scorer = Scorer(profile(), shape=SHAPE, outputs=("data", "mask", "labels", "signal"))
    good = np.full(SHAPE, True)
    with pytest.raises(InputError, match=message):
        scorer.score(frame(0), out={"signal": good, **misfit})
    assert good.all()
    assert all((np.asarray(array) == 7).all() for name, array in misfit.items() if name != "lesion")


def test_arrays_that_share_memory_are_refused() -> None:
    raw = np.full(SHAPE, 500, np.float32)
    scorer = Scorer(CameraProfile.identity(SHAPE, bit_depth=None), shape=SHAPE, dtype="float32", outputs=tuple(MAPS))
    with pytest.raises(InputError, match="shares memory with the frame"):
        scorer.score(raw, out={"data": raw})
    one = np.zeros(SHAPE, np.bool_)
    with pytest.raises(InputError, match="shares memory with out"):
        scorer.score(raw, out={"signal": one, "lesion": one})
    assert (raw == 500).all()
    assert not one.any()


def test_a_frame_that_is_refused_leaves_the_arrays() -> None:
    scorer = Scorer(profile(), shape=SHAPE, outputs=("data",))
    out = np.full(SHAPE, 7, np.float32)
    with pytest.raises(InputError):
        scorer.score(frame(0)[:, ::-1], out={"data": out})
    assert (out == 7).all()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read the Linux way")
def test_memory_is_back_at_its_baseline_after_10_000_frames() -> None:
    counts = [np.ascontiguousarray(frame(seed)[:32, :32]) for seed in range(8)]
    scorer = Scorer(CameraProfile.identity((32, 32)), shape=(32, 32), outputs=("data", "labels"))

    def run(n: int) -> None:
        for k in range(n):
            scorer.score(counts[k % 8])
        gc.collect()

    run(500)
    resident = resident_bytes()
    run(10_000)
    assert resident_bytes() - resident < 4_000_000  # 400 a frame; what pytest and the allocator keep is in it
    tracemalloc.start()
    try:
        run(200)
        traced = tracemalloc.get_traced_memory()[0]
        run(1000)
        assert tracemalloc.get_traced_memory()[0] - traced < 2000  # bytes: two a frame
    finally:
        tracemalloc.stop()


def digits(seed: int) -> Any:
    return to_plain(Scorer(profile(), shape=SHAPE).score(frame(seed)))


def test_a_scorer_per_thread() -> None:
    alone = [digits(seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(digits, range(12))) == alone


def test_a_second_thread_waits_for_the_scorer() -> None:
    scorer = Scorer(profile(), shape=SHAPE)
    alone = [digits(seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert [to_plain(score) for score in pool.map(lambda k: scorer.score(frame(k)), range(12))] == alone


def distances() -> npt.NDArray[np.float32]:
    mask = np.random.default_rng(3).random((200, 300)) > 0.01
    return pyicg.distance_transform(mask, threads=2)


def exit_code_of_a_child(work: Callable[[], bool]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -9


@posix
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_scores_and_has_threads_of_its_own() -> None:
    scorer = Scorer(profile(), shape=SHAPE)
    expected, map_expected = to_plain(scorer.score(frame(1))), distances()

    def work() -> bool:
        same = to_plain(scorer.score(frame(1))) == expected and to_plain(digits(1)) == expected
        return same and np.array_equal(distances(), map_expected)

    assert exit_code_of_a_child(work) == 0
    assert work()


@posix
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_while_other_threads_work() -> None:
    expected, map_expected = digits(1), distances()
    enough = threading.Event()

    def busy() -> None:
        while not enough.is_set():
            distances()

    def work() -> bool:
        return digits(1) == expected and np.array_equal(distances(), map_expected)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(busy) for _ in range(2)]
        try:
            codes = [exit_code_of_a_child(work) for _ in range(10)]
        finally:
            enough.set()
        for one in running:
            one.result()
    assert codes == [0] * 10


def child_work(seed: int) -> tuple[Any, bytes]:
    return digits(seed), distances().tobytes()


@pytest.mark.parametrize(
    "method", [m for m in ("fork", "forkserver", "spawn") if m in multiprocessing.get_all_start_methods()]
)
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_multiprocessing(method: str) -> None:
    expected = [child_work(seed) for seed in range(4)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(child_work, range(4)).get(120) == expected


def test_distance_maps_from_many_threads_at_once() -> None:
    expected = distances()
    with ThreadPoolExecutor(6) as pool:
        assert all(np.array_equal(found, expected) for found in pool.map(lambda _: distances(), range(60)))


LARGE = """
import sys, pyicg
stack = pyicg.read_stack(sys.argv[1])
def peak():  # MB, of this program: what getrusage tells begins with the peak of the process that started it
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1000 for line in status if line.startswith("VmHWM"))
result = pyicg.score_stack(stack[:40], profile=pyicg.CameraProfile.identity(stack.frame_shape), threads=2)
before = peak()
result = pyicg.score_stack(stack[::100], profile=pyicg.CameraProfile.identity(stack.frame_shape), threads=2)
print(len(stack), len(result.frames), len({f.frame_digest for f in result.frames}), before, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files and peak memory are read the Linux way")
def test_a_stack_larger_than_the_memory_it_may_take(tmp_path: Path) -> None:
    """Holes of a file take no disk: 3 GB of BigTIFF, of which every 100th frame is scored."""
    path = tmp_path / "sparse.tif"
    shape = (20_000, 256, 304)
    mapped = tifffile.memmap(path, shape=shape, dtype=np.uint16, bigtiff=True, photometric="minisblack")
    mapped[19_900, 128, 152] = 9
    del mapped
    assert path.stat().st_size > 3_000_000_000
    assert path.stat().st_blocks * 512 < 10_000_000
    done = subprocess.run([sys.executable, "-c", LARGE, path], capture_output=True, text=True, check=True)
    frames, scored, different, before, after = map(float, done.stdout.split())
    assert (frames, scored, different) == (20_000, 200, 2)
    assert after < 500
    assert after - before < 15  # MB: the 31 MB that are scored do not add up
