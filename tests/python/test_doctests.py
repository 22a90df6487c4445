from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import pyicg

# One runs the program, the others need OpenCV: a peer that `pyicg bench` looks for, and no dependency.
LEFT_OUT = ("pyicg.__main__", "pyicg._bench.with_opencv", "pyicg._bench.with_opencv_tuned")
MODULES = sorted(m.name for m in pkgutil.walk_packages(pyicg.__path__, "pyicg.") if m.name not in LEFT_OUT)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    failures, _ = doctest.testmod(importlib.import_module(name))
    assert failures == 0


def test_every_public_function_has_an_example() -> None:
    callables = [getattr(pyicg, name) for name in pyicg.__all__ if callable(getattr(pyicg, name))]
    functions = [f for f in callables if not isinstance(f, type)]
    missing = [f.__name__ for f in functions if ">>>" not in (f.__doc__ or "")]
    assert missing == []
