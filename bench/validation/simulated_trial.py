"""Simulated trials: the figures of one as ``pyicg evaluate`` draws them; how often intervals hold the truth of many.

Run ``python bench/validation/simulated_trial.py``: it writes docs/_static/trial_roc.png, trial_calibration.png and
trial_decision_curve.png, and prints the coverage, the calibration slopes and the bias that docs/trial.md tells.
``--trials 0`` draws only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from pyicg.evaluate import AccuracyTable, calibration, diagnostic_accuracy
from pyicg.io._trial_table import read_trial_table
from pyicg.phantom import trial
from pyicg.report.trial_figures import pictures
from pyicg.trial import analyse_trial
from pyicg.trial_results import TrialOptions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "_static"
FIRST_SEED = 1000
POOLED = 3000


def draw() -> None:
    """Simulate one trial, evaluate and draw it."""
    with tempfile.TemporaryDirectory() as folder:
        table = read_trial_table(trial().write(Path(folder) / "simulated_trial.csv"))
    for name, content in pictures(analyse_trial(table, TrialOptions())).items():
        path = FOLDER / f"trial_{name}"
        path.write_bytes(content)
        print(f"wrote {path.relative_to(ROOT)}, {len(content) // 1024} kB")


def both_tables(seed: int) -> tuple[AccuracyTable, AccuracyTable]:
    """Return the accuracy of one simulated trial with naive and with clustered intervals."""
    columns = trial(seed=seed).columns
    known = np.array([sign is not None for sign in columns["fluorescent"]])
    r1, sign, patient = (np.array(columns[name])[known] for name in ("r1", "fluorescent", "patient_id"))
    return diagnostic_accuracy(r1, sign.astype(bool)), diagnostic_accuracy(r1, sign.astype(bool), groups=patient)


def coverage(trials: int) -> None:
    """Print how often either interval holds the mean of all simulated trials."""
    found = [both_tables(FIRST_SEED + k) for k in range(trials)]
    for name in ("sensitivity", "specificity"):
        truth = float(np.mean([getattr(naive, name).value for naive, _ in found]))
        held = np.mean([[getattr(t, name).ci[0] <= truth <= getattr(t, name).ci[1] for t in pair] for pair in found], 0)
        print(f"{name} {truth:.3f} held by the naive interval in {held[0]:.1%}, by the clustered one in {held[1]:.1%}")


def pooled() -> None:
    """Print the calibration slope of p_r1 and the bias of measured_mm among the lesions of many simulated trials."""
    trials = [trial(seed=FIRST_SEED + k).columns for k in range(POOLED)]

    def joined(name: str) -> np.ndarray:
        return np.array([np.nan if value is None else value for t in trials for value in t[name]], dtype=np.float64)

    r1, p, number = joined("r1") == 1, joined("p_r1"), joined("procedure")
    for words, chosen in (("all lesions", ~np.isnan(p)), ("after ten procedures", ~np.isnan(p) & (number > 10))):
        print(f"calibration slope, {words}: {calibration(p[chosen], r1[chosen]).slope.value:.3f}")
    print(f"measured minus pathology's margin: {np.nanmean(joined('measured_mm') - joined('margin_mm')):.3f} mm")


def main() -> None:
    """Draw the figures; print the coverage, and what a table of lesions shows of slope and bias."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="simulated trials for the coverage")
    options = parser.parse_args()
    draw()
    if options.trials:
        coverage(options.trials)
        pooled()


if __name__ == "__main__":
    main()
