from __future__ import annotations

from typing import Any

import pytest

import pyicg
from pyicg._bench.scene import BenchScene, bench_scene

EVERY_MAP = ("metrics", "data", "mask", "labels", "signal", "lesion")


@pytest.fixture(scope="module")
def four_k() -> BenchScene:
    """Four rims and 160 flecks on 2160 x 3840 pixels, simulated."""
    return bench_scene((2160, 3840))


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("view", ["bed", "section"])
def test_scorer(benchmark: Any, scene: Any, frame: Any, view: str) -> None:
    scorer = pyicg.Scorer(scene.profile, shape=frame.shape, view=view, pixel_size_mm=0.2)
    score = benchmark(scorer.score, frame, exposure_ms=scene.stack.exposure_ms)
    assert len(score.lesions) == 1


@pytest.mark.parametrize("outputs", [("metrics",), EVERY_MAP], ids=["metrics", "every map"])
@pytest.mark.parametrize("view", ["bed", "section"])
def test_scorer_4k(benchmark: Any, four_k: BenchScene, view: str, outputs: tuple[str, ...]) -> None:
    """Figures alone, and with every map of the frame."""
    scorer = pyicg.Scorer(four_k.profile, shape=four_k.raw.shape, view=view, pixel_size_mm=0.1, outputs=outputs)
    score = benchmark(scorer.score, four_k.raw, exposure_ms=four_k.exposure_ms)
    assert len(score.lesions) > 0


@pytest.mark.parametrize("view", ["bed", "section"])
def test_scorer_with_every_map(benchmark: Any, scene: Any, frame: Any, view: str) -> None:
    scorer = pyicg.Scorer(scene.profile, shape=frame.shape, view=view, pixel_size_mm=0.2, outputs=EVERY_MAP)
    benchmark(scorer.score, frame, exposure_ms=scene.stack.exposure_ms)
    assert set(scorer.maps) == set(EVERY_MAP[1:])


def test_score_frame(benchmark: Any, scene: Any, frame: Any) -> None:
    """A new scorer for every frame: what `Scorer` saves by keeping its buffers."""
    benchmark(
        pyicg.score_frame,
        frame,
        profile=scene.profile,
        pixel_size_mm=0.2,
        exposure_ms=scene.stack.exposure_ms,
        prevalence="mimic-overall",
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_score_stack_of_8(benchmark: Any, scene: Any, frame: Any, threads: int) -> None:
    import numpy as np

    stack = pyicg.Stack.from_array(
        np.broadcast_to(frame, (8, *frame.shape)),
        axes="TYX",
        spacing_mm=(None, 0.2, 0.2),
        exposure_ms=scene.stack.exposure_ms,
        bit_depth=12,
    )
    benchmark.pedantic(pyicg.score_stack, (stack,), {"profile": scene.profile, "threads": threads}, rounds=3)
