"""The table that a margin model is trained on: named features, outcomes, patients and centres, checked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg._outcomes import BoolArray, BoolLike, FloatArray, IntArray, as_bool_vector, as_clusters
from pyicg.errors import InputError

MAX_FEATURES = 5
Features = Mapping[str, npt.ArrayLike] | npt.ArrayLike


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingTable:
    """N lesions with k complete features: `matrix` (N, k), `r1`, `clusters` and `centres` (N,).

    `missing` counts the lesions without each feature, and `n_dropped` those that were left out for it.
    """

    names: tuple[str, ...]
    matrix: FloatArray
    r1: BoolArray
    clusters: IntArray
    centres: tuple[str, ...] | None
    missing: dict[str, int]
    n_dropped: int

    @property
    def digest(self) -> str:
        """SHA-256 of names, features, outcomes and patients."""
        digest = hashlib.sha256(json.dumps(self.names).encode())
        for array in (self.matrix, self.r1.astype(np.uint8), self.clusters):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _check_rows(features: Features, *others: object) -> None:
    """Refuse tables of pandas whose rows are named differently: they would be paired by position."""
    given = [*(features.values() if isinstance(features, Mapping) else [features]), *others]
    rows: list[Any] = [index for index in (getattr(one, "index", None) for one in given) if hasattr(index, "equals")]
    if any(not index.equals(rows[0]) for index in rows):
        raise InputError(
            "features, r1, groups or centres have rows of different names (their index), expected the same lesions in "
            "one order: take all of them from one table, or reset_index(drop=True) where the order is right"
        )


def read_table(
    features: Features,
    r1: BoolLike,
    *,
    groups: Iterable[Hashable],
    names: Sequence[str] | None,
    centres: Iterable[Hashable] | None,
    missing: str,
) -> TrainingTable:
    """Return the table, or raise InputError for what cannot be trained on."""
    if missing not in ("refuse", "complete-case"):
        raise InputError(
            f'missing is {missing!r}, expected "refuse", or "complete-case" to leave out lesions without a feature'
        )
    for option, given in (("groups", groups), ("centres", centres)):
        if not isinstance(given, Iterable) and (option == "groups" or given is not None):
            raise InputError(f"{option} is {given!r}, expected one value per lesion")
    _check_rows(features, r1, groups, centres)
    names, columns = _named_columns(features, names)
    numbers = {name: _as_numbers(name, column, columns[0].size) for name, column in zip(names, columns, strict=True)}
    matrix = np.column_stack([numbers[name] for name in names])
    n = len(matrix)
    outcome = as_bool_vector("r1", r1, n)
    clusters = as_clusters(groups, n)
    of_centre = None if centres is None else _as_centres(centres, clusters)
    lost = {name: int(np.isnan(column).sum()) for name, column in numbers.items()}
    complete = np.isfinite(matrix).all(axis=1)
    if not complete.all() and missing == "refuse":
        counts = ", ".join(f"{name!r} in {count}" for name, count in lost.items() if count)
        raise InputError(
            f"features are missing: {counts} of {n} lesions, expected none: fill in what is known, or leave these "
            'lesions out with missing="complete-case", which counts them; what is missing for a reason biases the model'
        )
    if np.unique(clusters[complete]).size < 2:
        raise InputError(f"{int(complete.sum())} of {n} lesions have all features, in fewer than 2 patients: use fewer")
    return TrainingTable(
        names=names,
        matrix=matrix[complete],
        r1=outcome[complete],
        clusters=np.asarray(np.unique(clusters[complete], return_inverse=True)[1], dtype=np.int64),
        centres=None if of_centre is None else tuple(of_centre[row] for row in np.flatnonzero(complete)),
        missing=lost,
        n_dropped=int(np.sum(~complete)),
    )


def check_trainable(table: TrainingTable) -> None:
    """Raise InputError unless the table has both classes, enough patients, and features that vary independently."""
    k, n_r1, n_patients = len(table.names), int(table.r1.sum()), int(table.clusters.max()) + 1
    for name, column in zip(table.names, table.matrix.T, strict=True):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise InputError(f"feature {name!r} has one value in all lesions, expected it to vary: drop it")
    if n_r1 in (0, table.r1.size):
        raise InputError(f"r1 is true in {n_r1} of {table.r1.size} lesions, expected both R0 and R1 lesions")
    if n_patients <= k + 1:
        raise InputError(f"groups names {n_patients} patients, expected more than {k + 1}: use fewer features")
    standard = (table.matrix - table.matrix.mean(axis=0)) / table.matrix.std(axis=0)
    if np.linalg.svd(standard, compute_uv=False).min() < 1e-6 * math.sqrt(table.r1.size):
        raise InputError(f"features {list(table.names)} follow from each other, expected none to: drop one of them")


def _named_columns(
    features: Features, names: Sequence[str] | None
) -> tuple[tuple[str, ...], list[npt.NDArray[np.generic]]]:
    if isinstance(features, Mapping):
        if names is not None:
            raise InputError("names was given beside named features, expected one of the two: drop names")
        named, columns = tuple(features), [np.asarray(column) for column in features.values()]
    else:
        matrix = np.asarray(features)
        if matrix.ndim != 2 or names is None or isinstance(names, str) or len(names) != matrix.shape[1]:
            raise InputError(
                f"features has shape {matrix.shape} with names {names!r}, expected (N, k) and k names, or a mapping of "
                "names to columns, dict(frame) for a data frame"
            )
        named, columns = tuple(names), list(matrix.T)
    if not all(isinstance(name, str) and name for name in named) or len(set(named)) != len(named):
        raise InputError(f"features are named {list(named)}, expected texts, all different names")
    if not 1 <= len(named) <= MAX_FEATURES:
        raise InputError(f"features are {list(named)}, expected 1 to {MAX_FEATURES} of them: pick some beforehand")
    return named, columns


def _as_numbers(name: str, column: npt.NDArray[np.generic], length: int) -> FloatArray:
    """Return a column as float64 with NaN where it is None or NaN."""
    if column.shape != (length,) or length == 0 or column.dtype.kind not in "biufO":
        raise InputError(
            f"feature {name!r} has shape {column.shape} and dtype {column.dtype}, expected numbers of shape "
            f"({length},): one per lesion"
        )
    if column.dtype == object:
        for row, value in enumerate(column.tolist()):
            if not isinstance(value, Real | None):
                raise InputError(
                    f"feature {name!r} is {value!r} in lesion {row}, expected numbers, or None where missing"
                )
        column = np.array([math.nan if value is None else float(value) for value in column.tolist()])
    numbers = column.astype(np.float64)
    if np.isinf(numbers).any():
        raise InputError(
            f"feature {name!r} is infinite in {int(np.isinf(numbers).sum())} of {length} lesions, expected finite "
            "numbers: look for a logarithm of 0"
        )
    return numbers


def _as_centres(centres: Iterable[Hashable], clusters: IntArray) -> list[str]:
    given = centres.tolist() if isinstance(centres, np.ndarray) else list(centres)
    if len(given) != clusters.size:
        raise InputError(f"centres has {len(given)} values, expected {clusters.size}: the centre of each lesion")
    home: dict[int, str] = {}
    for row, (centre, patient) in enumerate(zip(given, clusters.tolist(), strict=True)):
        if centre is None or centre == "" or (isinstance(centre, float) and math.isnan(centre)):
            raise InputError(f"centres[{row}] is {centre!r}, expected the centre of that lesion: fill it in")
        if home.setdefault(patient, str(centre)) != str(centre):
            raise InputError(
                f"the patient of lesion {row} is in centre {centre} and in centre {home[patient]}, expected one: where "
                "centres number their patients alike, put the centre into the patient's name"
            )
    if len(set(home.values())) < 2:
        raise InputError("centres names 1 centre, expected at least 2 to leave one out: drop centres")
    return [str(centre) for centre in given]
