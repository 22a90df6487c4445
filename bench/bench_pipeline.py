from __future__ import annotations

from typing import Any

import pytest

import pyicg


def test_memory_copy(benchmark: Any, copy: Any) -> None:
    benchmark(copy)


@pytest.mark.parametrize("view", ["bed", "section"])
def test_scorer(benchmark: Any, scene: Any, frame: Any, view: str) -> None:
    scorer = pyicg.Scorer(scene.profile, shape=frame.shape, view=view, pixel_size_mm=0.2)
    score = benchmark(scorer.score, frame, exposure_ms=scene.stack.exposure_ms)
    assert len(score.lesions) == 1


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
