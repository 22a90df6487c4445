"""Simulated clusters have the sizes and the likeness that they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from pyicg._clusters import alike, simulated_clusters


def test_sizes_are_those_of_the_trial() -> None:
    clusters = simulated_clusters(np.random.default_rng(0), 201, 316)
    sizes = np.bincount(clusters)
    assert (sizes.size, sizes.sum(), sizes.min()) == (201, 316, 1)
    assert sizes.max() <= 8
    many = np.bincount(simulated_clusters(np.random.default_rng(1), 20_000))
    assert many.mean() == pytest.approx(1.5775, abs=0.02)


@pytest.mark.parametrize("p", [0.1, 0.6])
@pytest.mark.parametrize("icc", [0.0, 0.6, 1.0])
def test_outcomes_are_as_alike_as_asked(p: float, icc: float) -> None:
    clusters = np.repeat(np.arange(40_000), 2)
    outcome = (alike(np.random.default_rng(2), clusters, icc) < p).reshape(-1, 2)
    assert outcome.mean() == pytest.approx(p, abs=0.01)
    assert np.corrcoef(outcome.T)[0, 1] == pytest.approx(icc, abs=0.02)
