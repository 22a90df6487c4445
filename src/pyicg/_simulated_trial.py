"""A simulated margin trial with known truth: lesions in patients in centres, no tissue anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg._clusters import simulated_clusters
from pyicg.errors import InputError
from pyicg.io._results_folder import write_files
from pyicg.io._tables import csv_table

__all__ = ["SimulatedTrial", "trial"]

# What nobody stated; made up to look like a trial. The model in `p_r1` is from elsewhere, too sure of itself, and reads
# the logarithm of the SBR with an error.
_ASSUMED: Mapping[str, float] = MappingProxyType(
    {
        "first_procedures": 10,
        "false_positive_odds_ratio_first": 1.36,  # the point estimate of MIMIC
        "sbr_cut": 1.5,
        "log_sbr_sd": 0.35,
        "log_margin_sd": 1.1,
        "pathology_sd_mm": 0.2,
        "measured_bias_mm": 0.3,
        "measured_sd_mm": 0.6,
        "measured_reach_mm": 10.0,
        "model_prevalence": 0.126,
        "model_calibration_slope": 0.77,
        "model_error_sd": 0.5,
        "converted_share": 0.5,
        "changed_share_with_sign": 0.8,
        "changed_share_without_sign": 0.04,
        "unknown_sign_share": 0.03,
        "excluded_share": 0.02,
    }
)
_REASONS = ("no metastasis at histology", "tracer given too late")


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """A simulated trial: columns as `pyicg evaluate` reads them, and the truth behind them.

    Attributes
    ----------
    columns : mapping of str to tuple
        One element per lesion; None is unknown.
    true_margin_mm : ndarray of float64 (N,)
        Margin without the error of pathology.
    parameters : mapping
        What the simulation was told, every assumption in it included.
    """

    columns: Mapping[str, tuple[Any, ...]]
    true_margin_mm: npt.NDArray[np.float64]
    parameters: Mapping[str, float]

    def write(self, path: str | Path) -> Path:
        """Write the columns as a CSV table, each row with ``simulated`` true; return the path."""
        target = Path(path)
        names = list(self.columns)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]
        write_files(target.parent, {target.name: csv_table(rows)})
        return target


def trial(
    *,
    patients: int = 201,
    lesions: int = 316,
    centres: int = 8,
    r1_share: float = 0.168,
    sensitivity: float = 0.60,
    specificity: float = 0.90,
    icc: float = 0.3,
    centre_icc: float = 0.03,
    seed: int = 7,
) -> SimulatedTrial:
    """Simulate a margin trial of the size of MIMIC. Every lesion is made up.

    The margin is log-normal. The logarithm of the SBR is normal among R1 and among R0 lesions, so that a cut of 1.5 has
    the sensitivity asked for and, after the first ten procedures of a centre, the specificity; within R0 and R1 it does
    not depend on the margin. Pathology reads the margin with an error of 0.2 mm, down to 0.1 mm; the measured one has a
    bias of 0.3 mm and an error of 0.6 mm against the true one, so that against pathology's, which is rounded down, the
    bias is 0.350 mm. ``p_r1`` is a model from elsewhere: made for a prevalence of 0.126, too extreme, and with an error
    of its own. A calibration slope of 0.77 was put in; over 3000 trials it is 0.739 among all lesions and 0.775 after
    the first ten procedures, for the model knows nothing of those. All of these are assumptions; see
    `SimulatedTrial.parameters`.

    Parameters
    ----------
    patients, lesions, centres : int
        Size of the trial; one to eight lesions to a patient.
    r1_share : float
        Share of lesions with a true margin under 1 mm.
    sensitivity, specificity : float
        Of an SBR of 1.5 for R1 at pathology.
    icc, centre_icc : float
        Share of the variance of log margin and log SBR that lies between patients, and of log SBR between centres.
    seed : int
        One seed gives the same trial each time; that of the default lies close to the parameters.

    Raises
    ------
    InputError
        Numbers that do not go together, counts or a seed that are no whole numbers, or shares outside (0, 1).

    Examples
    --------
    >>> from pyicg.phantom import trial
    >>> simulated = trial()
    >>> len(simulated.columns["r1"]), len(set(simulated.columns["patient_id"])), set(simulated.columns["simulated"])
    (316, 201, {True})
    """
    _check_kinds(
        {"patients": patients, "lesions": lesions, "centres": centres, "seed": seed},
        {"r1_share": r1_share, "sensitivity": sensitivity, "specificity": specificity}
        | {"icc": icc, "centre_icc": centre_icc},
    )
    _check(patients, lesions, centres, (r1_share, sensitivity, specificity), (icc, centre_icc))
    rng = np.random.default_rng(seed)
    patient = simulated_clusters(rng, patients, lesions)
    # Every centre has a patient; the rest are spread unevenly.
    more = rng.choice(centres, size=patients - centres, p=rng.dirichlet(np.full(centres, 5.0)))
    centre_of = rng.permutation(np.concatenate([np.arange(centres), more]))
    number_of = np.array([1 + int((centre_of[:k] == centre).sum()) for k, centre in enumerate(centre_of)])
    centre, procedure = centre_of[patient], number_of[patient]

    def within_patients(between: float, of_centres: float = 0.0) -> npt.NDArray[np.float64]:
        of_patient, of_centre = rng.standard_normal(patients)[patient], rng.standard_normal(centres)[centre]
        own = np.sqrt(1 - between - of_centres) * rng.standard_normal(lesions)
        return np.asarray(np.sqrt(between) * of_patient + np.sqrt(of_centres) * of_centre + own)

    normal = NormalDist()
    true_margin = np.exp(_ASSUMED["log_margin_sd"] * (within_patients(icc) - normal.inv_cdf(r1_share)))
    read = np.maximum(true_margin + _ASSUMED["pathology_sd_mm"] * rng.standard_normal(lesions), 0.0)
    margin = np.floor(10 * read) / 10  # rounded down: what is under 1 mm stays so
    r1 = margin < 1.0

    late = 1 - specificity
    ratio = _ASSUMED["false_positive_odds_ratio_first"]
    early = ratio * late / (1 - late + ratio * late)
    at_r1, at_r0 = normal.inv_cdf(sensitivity), normal.inv_cdf(late)
    centred = np.where(r1, at_r1, np.where(procedure <= _ASSUMED["first_procedures"], normal.inv_cdf(early), at_r0))
    latent = centred + within_patients(icc, centre_icc)
    sbr = np.round(_ASSUMED["sbr_cut"] * np.exp(_ASSUMED["log_sbr_sd"] * latent), 2)
    sign = sbr >= _ASSUMED["sbr_cut"]
    error, known_share = _ASSUMED["model_error_sd"], _ASSUMED["model_prevalence"]
    reading = latent + error * rng.standard_normal(lesions)
    evidence = ((at_r1 - at_r0) * reading - (at_r1**2 - at_r0**2) / 2) / (1 + error**2)
    logit = np.log(known_share / (1 - known_share)) + evidence / _ASSUMED["model_calibration_slope"]
    p_r1 = np.clip(np.round(1 / (1 + np.exp(-logit)), 3), 0.001, 0.999)
    off = _ASSUMED["measured_bias_mm"] + _ASSUMED["measured_sd_mm"] * rng.standard_normal(lesions)
    measured = np.round(true_margin + off, 2)
    seen = true_margin < _ASSUMED["measured_reach_mm"]

    converted = r1 & sign & (rng.random(lesions) < _ASSUMED["converted_share"])
    any_sign = np.bincount(patient, weights=sign, minlength=patients) > 0
    share = np.where(any_sign, _ASSUMED["changed_share_with_sign"], _ASSUMED["changed_share_without_sign"])
    changed = rng.random(patients) < share
    unknown = rng.random(lesions) < _ASSUMED["unknown_sign_share"]
    left_out = rng.random(lesions) < _ASSUMED["excluded_share"]
    excluded = np.where(left_out, rng.integers(1, 1 + len(_REASONS), lesions), 0)

    def or_none(values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> tuple[Any, ...]:
        return tuple(value if there else None for value, there in zip(values.tolist(), known.tolist(), strict=True))

    columns = {
        "simulated": (True,) * lesions,
        "lesion_id": tuple(f"L{k + 1:03d}" for k in range(lesions)),
        "patient_id": tuple(f"P{k + 1:03d}" for k in patient.tolist()),
        "centre": tuple(f"centre {k + 1}" for k in centre.tolist()),
        "procedure": tuple(procedure.tolist()),
        "r1": tuple(r1.tolist()),
        "margin_mm": tuple(margin.tolist()),
        "fluorescent": or_none(sign, ~unknown),
        "sbr": or_none(sbr, ~unknown),
        "p_r1": or_none(p_r1, ~unknown),
        "measured_mm": or_none(measured, seen),
        "measured_sigma_mm": or_none(np.full(lesions, _ASSUMED["measured_sd_mm"]), seen),
        "r0_before": tuple((~r1).tolist()),
        "r0_after": tuple((~r1 | converted).tolist()),
        "management_changed": tuple(changed[patient].tolist()),
        "excluded": tuple(("", *_REASONS)[k] for k in excluded.tolist()),
    }
    told = {"seed": seed, "r1_share": r1_share, "sensitivity": sensitivity, "specificity": specificity}
    parameters = {**told, "icc": icc, "centre_icc": centre_icc, **_ASSUMED}
    return SimulatedTrial(MappingProxyType(columns), true_margin, MappingProxyType(parameters))


def _check_kinds(counts: Mapping[str, Any], shares: Mapping[str, Any]) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 0:
            raise InputError(f"{name} is {value!r}, expected a whole number from {0 if name == 'seed' else 1}")
    for name, value in shares.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InputError(f"{name} is {value!r}, expected a number such as 0.3")


def _check(patients: int, lesions: int, centres: int, shares: tuple[float, ...], icc: tuple[float, float]) -> None:
    if not (1 <= centres <= patients <= lesions <= 8 * patients):
        raise InputError(
            f"{lesions} lesions of {patients} patients in {centres} centres; expected 1 to 8 lesions to a patient and "
            "no more centres than patients"
        )
    if not all(0 < share < 1 for share in shares):
        raise InputError(f"r1_share, sensitivity and specificity are {shares}, expected shares between 0 and 1")
    if not (icc[0] >= 0 and icc[1] >= 0 and sum(icc) < 1):
        raise InputError(f"icc and centre_icc are {icc}, expected shares of variance that leave some over")
