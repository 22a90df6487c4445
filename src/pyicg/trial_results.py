"""What the evaluation of a trial consists of: rows of figures, the flow of lesions, curves, warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pyicg._outcomes import BoolArray, FloatArray
from pyicg.accuracy import AccuracyTable
from pyicg.evaluate import Calibration, DecisionCurve, Roc
from pyicg.io._trial_table import TrialTable
from pyicg.results import Measurement

__all__ = ["FlowStep", "TrialAnalysis", "TrialCases", "TrialFigure", "TrialOptions"]


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a trial is evaluated.

    Attributes
    ----------
    ci : str or None
        "wilson" or "clopper-pearson": interval of the proportions with lesions as independent. "bca" or "gee": the
        patient-clustered one. None is "wilson", and "bca" where patients are known.
    prevalences : tuple of float or str
        Prevalences of R1 at which PPV and NPV are wanted.
    first : int
        Procedures of a centre that count as its first ones.
    risk_threshold : float
        Risk of R1 at which the user would cut again.
    """

    ci: str | None = None
    prevalences: tuple[float | str, ...] = ()
    first: int = 10
    risk_threshold: float = 0.2


@dataclass(frozen=True, slots=True)
class TrialFigure:
    """One row of the table.

    `item` is the figure with the interval to quote; `naive` the one that takes lesions as independent, where patients
    are known. `n` of `total` are the lesions (or patients) behind a share. `why` tells, where there is a good reason,
    why the figure has no value or no interval; nothing is amiss then.
    """

    section: str
    name: str
    item: Measurement
    method: str = ""
    n: int | None = None
    total: int | None = None
    naive: Measurement | None = None
    naive_method: str = ""
    why: str = ""

    @property
    def refused(self) -> bool:
        """Whether the figure has no value or no interval for want of data."""
        return not self.why and (math.isnan(self.item.value) or self.item.reason is not None)


@dataclass(frozen=True, slots=True)
class FlowStep:
    """Lesions and patients (None: not known) that come through, or are lost, at one step; `lost` says which."""

    step: str
    lesions: int
    patients: int | None
    lost: bool = False


@dataclass(eq=False)
class TrialCurves:
    """What is drawn: ROC curves and decision curves by name, the 2x2 table of the sign, the calibration.

    `lesions` holds the lesions that each ROC curve rests on, the sign among them; all decision curves rest on the same
    `decision_n` lesions.
    """

    accuracy: AccuracyTable | None = None
    lesions: dict[str, BoolArray] = field(default_factory=dict)
    decision_n: int = 0
    roc: dict[str, Roc] = field(default_factory=dict)
    decision: dict[str, DecisionCurve] = field(default_factory=dict)
    calibration: Calibration | None = None

    @property
    def roc_differ(self) -> bool:
        """Whether the ROC curves do not all rest on the same lesions."""
        first, *others = self.lesions.values()
        return any(not np.array_equal(first, of) for of in others)


@dataclass(frozen=True, eq=False)
class TrialAnalysis:
    """Everything about one trial.

    `skipped` and `refused` name sections: the first had no column to work on, the second data that do not do.
    """

    table: TrialTable
    options: TrialOptions
    figures: tuple[TrialFigure, ...]
    flow: tuple[FlowStep, ...]
    skipped: Mapping[str, str]
    refused: Mapping[str, str]
    warnings: tuple[str, ...]
    curves: TrialCurves

    @property
    def complete(self) -> bool:
        """Whether every figure that was asked for is there with its interval."""
        return not self.refused and not any(figure.refused for figure in self.figures)

    def figure(self, section: str, name: str) -> TrialFigure:
        """Return one row."""
        return next(row for row in self.figures if (row.section, row.name) == (section, name))


@dataclass(frozen=True, eq=False)
class TrialCases:
    """Lesions that count, and the columns of a section restricted to those in which all of them are known."""

    table: TrialTable
    options: TrialOptions
    chosen: BoolArray
    curves: TrialCurves

    def known(self, *columns: str) -> TrialCases:
        """Return the lesions with a value in every one of these columns."""
        chosen = np.logical_and.reduce([self.chosen, *(self.table.known(name) for name in columns)])
        return TrialCases(self.table, self.options, chosen, self.curves)

    @property
    def n(self) -> int:
        """Number of lesions."""
        return int(self.chosen.sum())

    def truth(self, column: str) -> BoolArray:
        """Return a column of truth values."""
        return np.asarray(self.table.values[column][self.chosen] == 1)

    def number(self, column: str) -> FloatArray:
        """Return a column of numbers."""
        return self.table.values[column][self.chosen]

    def text(self, column: str) -> list[str]:
        """Return a column of texts."""
        return [value for value, there in zip(self.table.texts[column], self.chosen, strict=True) if there]

    @property
    def patients(self) -> list[str] | None:
        """Patient of each lesion; None where unknown or all of one patient, between whom nothing can vary."""
        if self.table.patients is None:
            return None
        found = [name for name, there in zip(self.table.patients, self.chosen, strict=True) if there]
        return found if len(set(found)) > 1 else None
