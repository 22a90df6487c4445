"""Measuring: threads pinned, contenders called in turn, outputs compared before any time is taken for a ratio."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyicg._bench.scene import BenchScene, bench_scene
from pyicg._bench.with_scipy import WithScipy
from pyicg._bench.work import STAGES, Contender, Stage, Work
from pyicg._threads import processors

__all__ = [
    "SIZES",
    "Timing",
    "best",
    "in_turn",
    "machine",
    "measure",
    "missing_peers",
    "peers_of",
    "pinned",
    "prepare",
]

SIZES = {"256": (256, 256), "1080p": (1080, 1920), "4k": (2160, 3840)}

_OPENCV = "opencv-python-headless"


@dataclass(frozen=True)
class Timing:
    """How long one contender takes for one stage, or why there is no time.

    `status` is ``measured``, ``outputs differ`` (the times then say nothing) or ``not offered``; `mb_s` are the fewest
    bytes that the stage reads and writes per second, `copies` how many copies of as many bytes the time would hold.
    """

    stage: str
    contender: str
    version: str
    status: str
    ms: float = math.nan
    least_ms: float = math.nan
    rounds: int = 0
    mb_s: float = math.nan
    copies: float = math.nan


def best(timings: Iterable[Timing]) -> Timing | None:
    """Return the fastest that gave the right output; None where there is none."""
    timed = [timing for timing in timings if timing.status == "measured"]
    return min(timed, key=lambda timing: timing.ms) if timed else None


def peers_of(scene: BenchScene, threads: int) -> list[Contender]:
    """Return the peers that are installed."""
    peers: list[Contender] = [WithScipy(scene)]
    if _installed("cv2"):
        from pyicg._bench.with_opencv import WithOpenCV
        from pyicg._bench.with_opencv_tuned import WithTable, WithTunedOpenCV

        peers += [WithOpenCV(scene, threads), WithTunedOpenCV(scene, threads), WithTable(scene, threads)]
    return peers


def missing_peers() -> list[str]:
    """Return the packages whose work is not measured because they are not installed."""
    return [package for module, package in (("skimage", "scikit-image"), ("cv2", _OPENCV)) if not _installed(module)]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def prepare(shape: tuple[int, int]) -> Work:
    """Simulate the frame and find, with numpy and scipy, the answer of every step."""
    return WithScipy(bench_scene(shape)).work()


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keep this process on as many processors as it may use threads, and other libraries' pools to as many."""
    with contextlib.ExitStack() as stack:
        if hasattr(os, "sched_setaffinity"):
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, set(sorted(before)[:threads]))
            stack.callback(os.sched_setaffinity, 0, before)
        if _installed("threadpoolctl"):  # no step calls BLAS; this keeps it from disturbing all the same
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(threads))
        yield


def measure(
    work: Work, contenders: Sequence[Contender], *, rounds: int, stages: Sequence[Stage] = STAGES
) -> Iterator[tuple[Stage, list[Timing]]]:
    """Time each stage, one after the other; whoever takes part in a stage takes turns in every round."""
    offers = [contender.stages(work) for contender in contenders]
    copy_s = _copy_seconds_per_byte(work, rounds)
    for stage in stages:
        calls: list[Callable[[], Any]] = []
        timings: list[Timing] = []
        for contender, offer in zip(contenders, offers, strict=True):
            call = offer.get(stage.name)
            status = "not offered"
            if call is not None:
                status = "measured" if stage.right(contender, call(), work) else "outputs differ"
                calls.append(call)
            timings.append(Timing(stage.name, contender.name, contender.version, status))
        seconds = iter(in_turn(calls, rounds))
        size = stage.bytes_per_pixel * work.scene.raw.size
        yield stage, [t if t.status == "not offered" else _timed(t, next(seconds), size, copy_s) for t in timings]


def in_turn(calls: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Return the seconds of every call in every round.

    A machine that changes speed, as many do for seconds at a time, then hits all of them alike.
    """
    times: list[list[float]] = [[] for _ in calls]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for call, seconds in zip(calls, times, strict=True):
                start = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - start)
            gc.collect(0)
    finally:
        if collecting:
            gc.enable()
    return times


def _timed(timing: Timing, seconds: Sequence[float], size: int, copy_s: float) -> Timing:
    middle = statistics.median(seconds)
    return Timing(
        timing.stage,
        timing.contender,
        timing.version,
        timing.status,
        ms=1e3 * middle,
        least_ms=1e3 * min(seconds),
        rounds=len(seconds),
        mb_s=1e-6 * size / middle,
        copies=middle / (copy_s * size),
    )


def _copy_seconds_per_byte(work: Work, rounds: int) -> float:
    """Return the time of a copy of the float32 frame per byte read or written, both arrays in use."""
    source, target = work.frame.data, np.zeros_like(work.frame.data)
    (seconds,) = in_turn([lambda: np.copyto(target, source)], max(rounds, 15))
    return statistics.median(seconds) / (2 * source.nbytes)


def machine() -> str:
    """Return what the times were measured on: processor and number of cores."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    cores = processors()
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"
