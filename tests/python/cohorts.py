"""Simulated cohorts for the tests of the trained margin model."""

from __future__ import annotations

import numpy as np

# Four cells of a simulated 2x2 table: x = 1 with R1 30 of 50, x = 0 with R1 10 of 80.
X = np.repeat([1.0, 1.0, 0.0, 0.0], [30, 20, 10, 70])
R1 = np.repeat([True, False, True, False], [30, 20, 10, 70])
PATIENTS = np.arange(130) % 65


def simulated(n: int, seed: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return two features, R1 and patients with two lesions each."""
    rng = np.random.default_rng(seed)
    features = {"log_sbr": rng.normal(0.5, 0.3, n), "distance_mm": rng.gamma(2.0, 2.0, n)}
    logit = -1.5 + 3 * (features["log_sbr"] - 0.5) - 0.4 * (features["distance_mm"] - 4)
    return features, rng.random(n) < 1 / (1 + np.exp(-logit)), np.arange(n) // 2
