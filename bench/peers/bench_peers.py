"""Every stage and the whole frame by pyicg and by each peer that is installed, as `pyicg bench` measures them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from pyicg._bench.measure import pinned, prepare
from pyicg._bench.work import STAGES, Stage, Work

CONTENDERS = {
    "pyicg": ("with_pyicg", "WithPyicg"),
    "full score": ("with_pyicg", "FullScore"),
    "scipy": ("with_scipy", "WithScipy"),
    "opencv": ("with_opencv", "WithOpenCV"),
    "tuned": ("with_opencv_tuned", "WithTunedOpenCV"),
    "table": ("with_opencv_tuned", "WithTable"),
}


@pytest.fixture(scope="module")
def work() -> Iterator[Work]:
    with pinned(1):
        yield prepare((1080, 1920))


@pytest.fixture(scope="module", params=CONTENDERS)
def contender(request: pytest.FixtureRequest, work: Work) -> Any:
    module, name = CONTENDERS[request.param]
    if module.startswith("with_opencv"):
        pytest.importorskip("cv2")
    return getattr(importlib.import_module(f"pyicg._bench.{module}"), name)(work.scene)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_stage(benchmark: Any, work: Work, contender: Any, stage: Stage) -> None:
    call = contender.stages(work).get(stage.name)
    if call is None:
        pytest.skip(f"{contender.name} does not offer {stage.name}")
    if not stage.right(contender, call(), work):
        pytest.skip(f"{contender.name}: outputs differ by more than {stage.tolerance}")
    benchmark(call)
