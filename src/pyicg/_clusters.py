"""Simulated clusters: lesions that share a patient, and outcomes that are alike within one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# Shares of patients with 1, 2, ... 8 lesions: 1.58 on average. Assumed.
_SIZE_SHARES = (0.71, 0.16, 0.06, 0.03, 0.015, 0.01, 0.0075, 0.0075)


def simulated_clusters(rng: np.random.Generator, n_patients: int, n_lesions: int | None = None) -> IntArray:
    """Return the patient (0, 1, ...) of each lesion, for skewed numbers of 1 to 8 lesions to a patient.

    The mean is that of MIMIC (316 lesions of 201 patients, 1.57); the shape is an assumption. With `n_lesions` the
    sizes are drawn until they add up to it.
    """
    most = len(_SIZE_SHARES)
    sizes = rng.choice(np.arange(1, most + 1), size=n_patients, p=_SIZE_SHARES)
    while n_lesions is not None and sizes.sum() != n_lesions:
        patient = rng.integers(n_patients)
        step = 1 if sizes.sum() < n_lesions else -1
        if 1 <= sizes[patient] + step <= most:
            sizes[patient] += step
    return np.repeat(np.arange(n_patients), sizes)


def alike(rng: np.random.Generator, clusters: IntArray, icc: float) -> FloatArray:
    """Return a number in [0, 1) per lesion; ``alike(...) < p`` has mean p and intracluster correlation `icc`.

    A lesion takes its patient's number with probability sqrt(icc), and one of its own otherwise, so that two lesions of
    a patient share theirs with probability icc, whatever p is.
    """
    of_patient = rng.random(int(clusters.max()) + 1)[clusters]
    own = rng.random(clusters.size)
    return np.where(rng.random(clusters.size) < np.sqrt(icc), of_patient, own)
