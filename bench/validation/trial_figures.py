"""The figures of one simulated trial, as ``pyicg evaluate`` draws them.

Run ``python bench/validation/trial_figures.py``: it writes docs/_static/trial_roc.png, trial_calibration.png and
trial_decision_curve.png, which docs/trial.md shows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pyicg.io._trial_table import read_trial_table
from pyicg.phantom import trial
from pyicg.report.trial_figures import pictures
from pyicg.trial import analyse_trial
from pyicg.trial_results import TrialOptions

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "_static"


def main() -> None:
    """Simulate, evaluate and draw."""
    with tempfile.TemporaryDirectory() as folder:
        table = read_trial_table(trial().write(Path(folder) / "simulated_trial.csv"))
    for name, content in pictures(analyse_trial(table, TrialOptions())).items():
        path = FOLDER / f"trial_{name}"
        path.write_bytes(content)
        print(f"wrote {path.relative_to(ROOT)}, {len(content) // 1024} kB")


if __name__ == "__main__":
    main()
