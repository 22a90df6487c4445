"""Coverage of 95 % intervals where lesions share patients, as the Markdown tables of docs/evaluate_evidence.md.

Run ``python bench/validation/clustered_intervals.py``; it takes about ten minutes of one core, half of them for GEE.
Everything is seeded and simulated: 201 patients with 316 lesions (1 to 8 each), R1 status and sign alike within a
patient. The naive intervals take lesions as independent.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyicg import Measurement, evaluate
from pyicg._clusters import alike, simulated_clusters

FIGURES = ("sensitivity", "specificity", "ppv", "npv", "youden", "auc", "lr_positive", "lr_negative", "dor")
PROPORTIONS = FIGURES[:4]
SCORE_SHIFT = 1.0  # R1 over R0, in standard deviations of the score

Hits = dict[tuple[str, str], list[bool]]


@dataclass(frozen=True)
class Trial:
    """What is simulated: accuracy and prevalence of the sign, likeness within a patient, size."""

    name: str
    sensitivity: float = 0.6
    specificity: float = 0.9
    prevalence: float = 0.168
    icc: float = 0.6
    patients: int = 201
    lesions: int | None = 316

    def truth(self) -> dict[str, float]:
        """Return the figures that the lesions have in the long run."""
        sens, spec, pi = self.sensitivity, self.specificity, self.prevalence
        lr_positive, lr_negative = sens / (1 - spec), (1 - sens) / spec
        return {
            "sensitivity": sens,
            "specificity": spec,
            "ppv": pi * sens / (pi * sens + (1 - pi) * (1 - spec)),
            "npv": (1 - pi) * spec / ((1 - pi) * spec + pi * (1 - sens)),
            "youden": sens + spec - 1,
            "auc": (sens + spec) / 2,
            "lr_positive": lr_positive,
            "lr_negative": lr_negative,
            "dor": lr_positive / lr_negative,
        }

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the patient of each lesion, and whether it is R1."""
        patients = simulated_clusters(rng, self.patients, self.lesions)
        return patients, alike(rng, patients, self.icc) < self.prevalence

    def sign(
        self, rng: np.random.Generator, patients: npt.NDArray[np.int64], r1: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Return the sign of each lesion; a patient's signs are as alike as their R1."""
        positive = np.where(r1, self.sensitivity, 1 - self.specificity)
        return np.asarray(alike(rng, patients, self.icc) < positive)


TRIALS = (
    Trial("ICC .6, as MIMIC"),
    Trial("ICC 0", icc=0.0),
    Trial("ICC .6, better sign", sensitivity=0.85, specificity=0.95),
    Trial("ICC .6, half the patients", patients=100, lesions=None),
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="simulated trials of the first table")
    parser.add_argument("--gee-runs", type=int, default=600, help="how many of them go through GEE too")
    parser.add_argument("--other-runs", type=int, default=1000, help="simulated trials of the others")
    chosen = parser.parse_args()
    print(f"{TRIALS[0].name}: covered, with the standard error of the simulation\n")
    table(coverage(TRIALS[0], chosen.runs, chosen.gee_runs, seed=0), FIGURES, ("naive", "BCa", "GEE"))
    for seed, trial in enumerate(TRIALS[1:], 1):
        print(f"\n{trial.name}\n")
        table(coverage(trial, chosen.other_runs, 0, seed=seed), FIGURES, ("naive", "BCa"))
    print("\nA score, two scores, net benefit, a paired difference, limits of agreement; ICC .6, as MIMIC\n")
    found = other_figures(TRIALS[0], chosen.other_runs, seed=9)
    table(found, tuple(dict.fromkeys(name for name, _ in found)), ("naive", "over patients"))


def table(hits: Hits, names: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Print coverage, one row to a figure."""
    print(f"| figure | {' | '.join(methods)} |\n|---|{'---:|' * len(methods)}")
    for name in names:
        print(f"| {name} | {' | '.join(shown(hits.get((name, method), [])) for method in methods)} |")


def shown(hits: list[bool]) -> str:
    """Return a share of hits with its binomial standard error, in percent."""
    if not hits:
        return "–"
    share = float(np.mean(hits))
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / len(hits)):.1f}"


def coverage(trial: Trial, runs: int, gee_runs: int, seed: int) -> Hits:
    """Return for every figure and method whether each simulated trial's interval holds the truth.

    A trial in which the figure or its interval is undefined does not count.
    """
    rng = np.random.default_rng(seed)
    truth = trial.truth()
    hits: Hits = {}
    for run in range(runs):
        patients, r1 = trial.draw(rng)
        sign = trial.sign(rng, patients, r1)
        tables = {
            "naive": evaluate.diagnostic_accuracy(r1, sign),
            "BCa": evaluate.diagnostic_accuracy(r1, sign, groups=patients),
        }
        if run < gee_runs:
            tables["GEE"] = evaluate.diagnostic_accuracy(r1, sign, groups=patients, ci="gee")
        for method, found in tables.items():
            for name in PROPORTIONS if method == "GEE" else FIGURES:
                note(hits, name, method, getattr(found, name), truth[name])
    return hits


def note(hits: Hits, name: str, method: str, measured: Measurement, truth: float) -> None:
    """Add whether an interval holds the truth."""
    low, high = measured.ci
    if not math.isnan(low):
        hits.setdefault((name, method), []).append(low <= truth <= high)


def other_figures(trial: Trial, runs: int, seed: int) -> Hits:
    """Return the same for the figures that are no proportion of the sign."""
    rng = np.random.default_rng(seed)
    hits: Hits = {}
    for _ in range(runs):
        patients, r1 = trial.draw(rng)
        for name, truth, measure in drawn_figures(trial, rng, patients, r1):
            note(hits, name, "naive", measure(None), truth)
            note(hits, name, "over patients", measure(patients), truth)
    return hits


def drawn_figures(
    trial: Trial, rng: np.random.Generator, patients: npt.NDArray[np.int64], r1: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, float, Callable[[npt.NDArray[np.int64] | None], Measurement]]]:
    """Yield name, truth and a function that measures it with or without patients, on one draw."""

    def normal() -> npt.NDArray[np.float64]:
        of_patient = rng.normal(size=trial.patients)[patients]
        return math.sqrt(trial.icc) * of_patient + math.sqrt(1 - trial.icc) * rng.normal(size=patients.size)

    shared = normal()  # two scores of one lesion have a correlation of .5
    first, second = (SCORE_SHIFT * r1 + math.sqrt(0.5) * (shared + normal()) for _ in range(2))
    area = 0.5 * math.erfc(-SCORE_SHIFT / 2)
    yield "AUC of a score", area, lambda groups: evaluate.roc(r1, first, groups=groups).auc
    yield (
        "difference of two AUC",
        0.0,
        lambda groups: evaluate.compare_auc(r1, first, second, groups=groups).difference,
    )
    sign = trial.sign(rng, patients, r1)
    benefit = trial.prevalence * trial.sensitivity - (1 - trial.prevalence) * (1 - trial.specificity) / 4

    def net_benefit(groups: npt.NDArray[np.int64] | None) -> Measurement:
        curve = evaluate.decision_curve(sign.astype(float), r1, thresholds=[0.2], groups=groups)
        return Measurement(curve.follow_sign[0], ci=tuple(curve.follow_ci[0]))

    yield "net benefit of the sign at .2", benefit, net_benefit
    u, v = alike(rng, patients, trial.icc), alike(rng, patients, trial.icc)
    before, after = u < 0.85, (u < 0.85) & (v > 0.01) | (u >= 0.85) & (v < 0.4)
    gain = 0.15 * 0.4 - 0.85 * 0.01
    yield "paired difference", gain, lambda groups: evaluate.mcnemar(before, after, groups=groups).difference
    margin = 5 + 2 * np.abs(normal())
    measured = margin + 0.3 + 0.8 * normal()
    agreements = {
        over: evaluate.bland_altman(measured, margin, groups=patients if over else None) for over in (True, False)
    }
    for name, truth in (("bias", 0.3), ("lower_limit", 0.3 - 1.959964 * 0.8), ("upper_limit", 0.3 + 1.959964 * 0.8)):
        yield f"agreement: {name}", truth, lambda groups, name=name: getattr(agreements[groups is not None], name)


if __name__ == "__main__":
    main()
