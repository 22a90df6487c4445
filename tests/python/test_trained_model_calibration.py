"""A small fixed slice of bench/validation/trained_model.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from .scripts import load

script = load("trained_model")


def test_the_truth_has_the_stated_prevalence_and_c_statistic() -> None:
    rng = np.random.default_rng(0)
    _, logit = script.draw(rng, 3, np.arange(200_000))
    assert expit(logit).mean() == pytest.approx(0.168, abs=0.001)
    assert script.expected_auc(logit, expit(logit)) == pytest.approx(0.75, abs=0.002)


def test_slope_and_coverage_of_few_developments() -> None:
    """16 developments of 200: a mean slope within 3 standard errors of 1, and a better one than without shrinkage."""
    found = script.simulate(script.Setting(5, 0.6), 16, draws=40)
    error = found["slope"].std(ddof=1) / 4
    assert abs(found["slope"].mean() - 1) < 3 * error
    assert abs(found["slope"].mean() - 1) < abs(found["slope_before"].mean() - 1)
    assert 0.9 < found["covered"].mean() < 0.99
    assert found["covered"].mean() > found["covered_before"].mean()
    assert found["corrected_auc"].mean() == pytest.approx(found["auc"].mean(), abs=0.03)
