"""Are trained margin models calibrated, and do their intervals cover? Simulated developments at Riley's minimum.

Truth: k features, normal, correlated 0.3 with each other and 0.3 between lesions of a patient, and a logit of P(R1)
that is linear in them, with a prevalence of .168 and a C statistic of .75. Lesions per patient are skewed, 1 to 8;
outcomes of one patient are alike with the stated intracluster correlation. Every model is judged on the same fresh
lesions by their *true* risks, so that no chance of the test enters: slope and intercept by the logistic fit of the
risks, AUC as the expected one. Everything is simulated and seeded. Usage:
``python bench/validation/trained_model.py [--developments 200] [--draws 100]``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, stdtrit
from scipy.stats import norm

from pyicg._clusters import alike, simulated_clusters
from pyicg._outcomes import fit_logistic
from pyicg.margin import TrainedModel, riley_minimum

FloatArray = npt.NDArray[np.float64]
PREVALENCE, C_STATISTIC = 0.168, 0.75
SHARED = 0.3  # correlation of two features, and of a feature in two lesions of a patient
WEIGHTS = (1.0, 0.8, -0.6, 0.5, -0.3)  # of the features, before they are scaled to the C statistic
LESIONS_PER_PATIENT = 1.57
FRESH = 20_000


@dataclass(frozen=True)
class Setting:
    k: int
    icc: float
    penalty: float | None = 1.0

    @property
    def lesions(self) -> int:
        return riley_minimum(self.k, prevalence=PREVALENCE, c_statistic=C_STATISTIC).lesions


SETTINGS = (Setting(3, 0.0), Setting(3, 0.6), Setting(5, 0.6), Setting(3, 0.6, penalty=None))


@cache
def intercept_and_spread() -> tuple[float, float]:
    """Mean and standard deviation of a normal logit that has the prevalence and the C statistic."""
    z = np.linspace(-8, 8, 4001)
    share = norm.pdf(z) * (z[1] - z[0])

    def intercept(spread: float) -> float:
        return float(brentq(lambda b: share @ expit(b + spread * z) - PREVALENCE, -20, 5))

    def c_statistic(spread: float) -> float:
        return expected_auc(z, expit(intercept(spread) + spread * z), share)

    spread = float(brentq(lambda s: c_statistic(s) - C_STATISTIC, 0.1, 5))
    return intercept(spread), spread


def expected_auc(score: FloatArray, risk: FloatArray, share: FloatArray | float = 1.0) -> float:
    order = np.argsort(score)
    r1, r0 = (risk * share)[order], ((1 - risk) * share)[order]
    return float(r1 @ (np.cumsum(r0) - r0 / 2) / (r1.sum() * r0.sum()))


def draw(rng: np.random.Generator, k: int, clusters: npt.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Return features and true logits."""
    of_patient = rng.normal(size=(int(clusters.max()) + 1, k))[clusters]
    features = np.sqrt(SHARED) * of_patient + np.sqrt(1 - SHARED) * rng.normal(size=(clusters.size, k))
    correlation = (1 - SHARED) * np.eye(k) + SHARED
    x = features @ np.linalg.cholesky(correlation).T
    weights = np.array(WEIGHTS[:k])
    intercept, spread = intercept_and_spread()
    return x, intercept + spread * (x @ weights) / np.sqrt(weights @ correlation @ weights)


@dataclass(frozen=True)
class Judged:
    slope_before: float
    intercept_before: float
    slope: float
    intercept: float
    corrected_auc: float
    auc: float
    covered_before: float  # the penalised fit, clustered sandwich, z
    covered: float
    covered_high: float  # in the tenth of the lesions at highest risk
    refused: float


def calibration(logit: FloatArray, risk: FloatArray) -> tuple[float, float]:
    ones = np.ones((logit.size, 1))
    slope = fit_logistic(np.column_stack([ones, logit]), risk)[0][1]  # type: ignore[arg-type]  # risks for outcomes
    return float(slope), float(fit_logistic(ones, risk, offset=logit)[0][0])  # type: ignore[arg-type]


def develop(setting: Setting, seed: int, draws: int) -> Judged:
    rng = np.random.default_rng([seed, setting.k, round(10 * setting.icc)])
    n = setting.lesions
    clusters = simulated_clusters(rng, round(n / LESIONS_PER_PATIENT), n)
    x, logit = draw(rng, setting.k, clusters)
    r1 = alike(rng, clusters, setting.icc) < expit(logit)
    names = [f"x{number}" for number in range(setting.k)]
    model = TrainedModel.fit(x, r1, groups=clusters, names=names, penalty=setting.penalty, draws=draws)
    return judge(model, x, r1, clusters)


def judge(model: TrainedModel, x: FloatArray, r1: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int64]) -> Judged:
    fresh = np.arange(FRESH)
    at, truth = draw(np.random.default_rng(1), x.shape[1], fresh)
    standard = (at - model.centre) / model.scale
    design = np.column_stack([np.ones(FRESH), standard])
    distance = np.sqrt(np.sum(standard.T * np.linalg.solve(model.correlation, standard.T), axis=0))
    low, high = model.training_range.T
    told = ((at >= low) & (at <= high)).all(axis=1) & (distance <= model.reach)
    risky = truth > np.quantile(truth, 0.9)

    def covered(b: FloatArray, covariance: FloatArray, quantile: float) -> npt.NDArray[np.bool_]:
        half = quantile * np.sqrt(np.einsum("ni,ij,nj->n", design, covariance, design))
        return np.abs(design @ b - truth) <= half

    train = np.column_stack([np.ones(r1.size), (x - model.centre) / model.scale])
    before, sandwich = fit_logistic(train, r1, penalty=model.penalty, clusters=clusters)
    after = covered(model.coefficients, model.covariance, float(stdtrit(clusters.max(), 0.975)))
    slope_before, intercept_before = calibration(design @ before, expit(truth))
    slope, intercept = calibration(design @ model.coefficients, expit(truth))
    assert model.validation is not None
    return Judged(
        slope_before=slope_before,
        intercept_before=intercept_before,
        slope=slope,
        intercept=intercept,
        corrected_auc=model.validation.corrected_auc.value,
        auc=expected_auc(design @ model.coefficients, expit(truth)),
        covered_before=float(covered(before, sandwich, 1.959964)[told].mean()),
        covered=float(after[told].mean()),
        covered_high=float(after[told & risky].mean()),
        refused=float(1 - told.mean()),
    )


def simulate(setting: Setting, developments: int, draws: int) -> dict[str, FloatArray]:
    """Return every figure of every development."""
    found = [develop(setting, seed, draws) for seed in range(developments)]
    return {name: np.array([getattr(one, name) for one in found]) for name in Judged.__dataclass_fields__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--developments", type=int, default=200)
    parser.add_argument("--draws", type=int, default=100, help="bootstrap draws inside each development")
    options = parser.parse_args()
    print(
        "| features | lesions | ICC | penalty | slope before | slope | median | intercept before | intercept | "
        "corrected AUC | true AUC | covered: sandwich | covered | at high risk | refused |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        found = simulate(setting, options.developments, options.draws)
        penalty = "chosen" if setting.penalty is None else f"{setting.penalty:g}"
        spread = [
            f"{found[name].mean():.3f} ({found[name].std(ddof=1):.3f})"
            for name in ("slope_before", "slope", "intercept_before", "intercept", "corrected_auc", "auc")
        ]
        spread.insert(2, f"{np.median(found['slope']):.3f}")
        shares = [
            f"{100 * found[name].mean():.1f} %" for name in ("covered_before", "covered", "covered_high", "refused")
        ]
        row = [str(setting.k), str(setting.lesions), f"{setting.icc:g}", penalty, *spread, *shares]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
