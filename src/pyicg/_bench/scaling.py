"""How the full score scales: over sizes of the frame, and over threads that each score frames of their own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyicg
from pyicg._bench.measure import in_turn, pinned
from pyicg._bench.scene import BenchScene, bench_scene

__all__ = ["Rate", "scaling"]

_FRAMES = 2  # of each thread in each round


@dataclass(frozen=True)
class Rate:
    """Frames of one size scored by a number of threads."""

    shape: tuple[int, int]
    threads: int
    ms_per_frame: float
    rounds: int


def scaling(shapes: Sequence[tuple[int, int]], threads: Sequence[int], *, rounds: int) -> Iterator[Rate]:
    """Measure the rate for every size and number of threads, each scorer on frames of its own as in a stack."""
    for shape in shapes:
        scene = bench_scene(shape)
        for count in threads:
            yield _rate(scene, count, rounds)


def _rate(scene: BenchScene, threads: int, rounds: int) -> Rate:
    with pinned(threads), ThreadPoolExecutor(threads) as pool:
        scorers = [pyicg.Scorer(scene.profile, shape=scene.profile.shape) for _ in range(threads)]
        work = partial(_score, scene)
        list(pool.map(work, scorers))
        (seconds,) = in_turn([lambda: list(pool.map(work, scorers))], rounds)
    middle = statistics.median(seconds)
    return Rate(scene.profile.shape, threads, 1e3 * middle / (threads * _FRAMES), rounds)


def _score(scene: BenchScene, scorer: pyicg.Scorer) -> None:
    for _ in range(_FRAMES):
        scorer.score(scene.raw, exposure_ms=scene.exposure_ms)
