"""A simulated trial for the tests of `pyicg.evaluate`: lesions of patients of centres, alike within a patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg._clusters import alike, simulated_clusters


@dataclass(frozen=True)
class Trial:
    patients: npt.NDArray[np.int64]
    r1: npt.NDArray[np.bool_]
    sign: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]


def trial(seed: int = 3, n_patients: int = 120, icc: float = 0.6) -> Trial:
    rng = np.random.default_rng(seed)
    patients = simulated_clusters(rng, n_patients)
    r1 = alike(rng, patients, icc) < 0.25
    sign = alike(rng, patients, icc) < np.where(r1, 0.7, 0.15)
    score = np.round(r1 + rng.normal(size=n_patients)[patients] + rng.normal(size=r1.size), 1)  # with ties
    return Trial(patients, r1, sign, score)
