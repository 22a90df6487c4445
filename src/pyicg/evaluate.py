"""How good the sign, the probabilities, the millimetres and the surgery were: statistics of a margin trial.

Every figure counts lesions. A positive sign leads to re-resection and so to more histology, so that accuracy figures
carry verification bias; `AccuracyTable.notes` repeats it.
"""

from __future__ import annotations

from pyicg.accuracy import AccuracyTable, diagnostic_accuracy
from pyicg.agreement import BlandAltman, bland_altman
from pyicg.centres import CentreComparison, LearningCurve, compare_centres, learning_curve
from pyicg.decision import DecisionCurve, decision_curve
from pyicg.paired import ChangeInManagement, McNemar, change_in_management, mcnemar
from pyicg.reweighting import PredictiveValues, reweight
from pyicg.risk_calibration import Calibration, calibration
from pyicg.roc import AucComparison, Roc, compare_auc, roc

__all__ = [
    "AccuracyTable",
    "AucComparison",
    "BlandAltman",
    "Calibration",
    "CentreComparison",
    "ChangeInManagement",
    "DecisionCurve",
    "LearningCurve",
    "McNemar",
    "PredictiveValues",
    "Roc",
    "bland_altman",
    "calibration",
    "change_in_management",
    "compare_auc",
    "compare_centres",
    "decision_curve",
    "diagnostic_accuracy",
    "learning_curve",
    "mcnemar",
    "reweight",
    "roc",
]
