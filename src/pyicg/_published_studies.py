"""What a published figure, a table worked out from figures, and a study are: the shapes behind `pyicg.published`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from pyicg.distance_results import Distance
from pyicg.errors import InputError
from pyicg.labels import is_number

__all__ = ["MimicStudy", "PerrinStudy", "Quotation", "RatioEstimate", "ReconstructedChange", "ReconstructedTable"]

_Z95 = 1.959963984540054
_GROUP_EDGES_MM = (0.0, 1.0, 10.0)  # of Perrin's groups: at or below 0 the margin is positive


@dataclass(frozen=True, slots=True)
class Quotation:
    """A figure as a text prints it (typography ours: spaces, dashes), and where: ``"abstract"``."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """An odds or hazard ratio with its published 95 % interval.

    Attributes
    ----------
    value : float
        The ratio as printed.
    ci : tuple of float
        95 % interval ``(lo, hi)`` as printed.
    derived : mapping of str to str
        The properties that no paper prints, and how they follow from `value` and `ci`.

    Examples
    --------
    >>> from pyicg.published import RatioEstimate
    >>> ratio = RatioEstimate(1.36, (0.44, 4.24))
    >>> round(ratio.log_se, 3), round(ratio.p_value, 2), sorted(ratio.derived)
    (0.578, 0.59, ['log_se', 'p_value'])
    """

    value: float
    ci: tuple[float, float]
    derived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "log_se": "ln(hi / lo) / (2 * 1.96), from the printed interval",
            "p_value": "two-sided Wald P of ln(value) / log_se against a ratio of 1",
        }
    )

    @property
    def log_se(self) -> float:
        """Standard error of the log ratio, derived: ``ln(hi / lo) / (2 * 1.96)``."""
        return math.log(self.ci[1] / self.ci[0]) / (2 * _Z95)

    @property
    def p_value(self) -> float:
        """Two-sided Wald P against a ratio of 1, derived from `value` and `log_se`."""
        return math.erfc(abs(math.log(self.value)) / self.log_se / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class ReconstructedTable:
    """A 2x2 table of sign against R1 that was worked out from rounded figures and never published.

    `tp` and `fn` count R1 lesions with and without fluorescence, `fp` and `tn` R0 lesions with and without. Everything
    of it is derived, `r1_share` too.
    """

    tp: int
    fn: int
    fp: int
    tn: int
    reconstructed: bool = True

    @property
    def n(self) -> int:
        """Number of lesions in the table."""
        return self.tp + self.fn + self.fp + self.tn

    @property
    def r1_share(self) -> float:
        """Share of R1 lesions in the table."""
        return (self.tp + self.fn) / self.n


@dataclass(frozen=True, slots=True)
class ReconstructedChange:
    """Lesions whose state changed, worked out from rounded shares and never published.

    `converted` went from R1 to R0, `reverted` from R0 to R1, of about `n`.
    """

    converted: int
    reverted: int
    n: int
    reconstructed: bool = True


@dataclass(frozen=True, slots=True)
class MimicStudy:
    """The MIMIC trial: ICG fluorescence of the resection plane against R1 in colorectal liver metastases.

    `quoted` holds the figures as the abstract prints them, under the names of the fields. Rates and intervals are the
    published, rounded ones. `reconstructed_table` is derived: of all integer tables with at most 316 lesions 176 give
    the four published rates, 26 of them the AUC as well, and one the AUC's interval under the nonparametric standard
    error that SPSS prints. `r0_rate_before` and the R1 share of the table (16.8 %, not 12.6 %) rest on different
    definitions or denominators: do not mix them. `reresection` is derived too: 16 of about 317 lesions converted and
    none reverted give the two R0 rates.

    Examples
    --------
    >>> from pyicg.published import MIMIC
    >>> MIMIC.sensitivity, MIMIC.auc_ci
    (0.6, (0.668, 0.833))
    >>> MIMIC.reconstructed_table
    ReconstructedTable(tp=32, fn=21, fp=27, tn=236, reconstructed=True)
    >>> MIMIC.quoted["r0_rate_gain"]
    Quotation(text='+5.0 points, P < .001', where='abstract')
    """

    citation: str
    doi: str
    design: str
    recruited: tuple[str, str]
    centres: int
    patients_enrolled: int
    patients_analysed: int
    lesions: int
    men: int
    median_age: float
    age_iqr: tuple[float, float]
    dose_mg: float
    hours_before_surgery: float
    r1_below_mm: float
    r0_rate_before: float
    r0_rate_after: float
    r0_rate_gain: float
    r0_rate_gain_p: str
    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    auc: float
    auc_ci: tuple[float, float]
    learning_curve: RatioEstimate
    learning_curve_procedures: int
    management_changed: int
    reconstructed_table: ReconstructedTable
    reresection: ReconstructedChange
    quoted: Mapping[str, Quotation]


@dataclass(frozen=True, slots=True)
class PerrinStudy:
    """Recurrence by margin width after resection of colorectal liver metastases; for display only.

    Attributes
    ----------
    groups : tuple of str
        The four groups of the paper, from the worst margin to the reference.
    hazard_ratios : mapping
        Outcome -> group -> `RatioEstimate` against `reference_group`.
    p_values : mapping
        Outcome -> P over the groups, as printed.
    incidence_3y : mapping
        Group -> 3-year cumulative incidence of recurrence at any site, 0-1.
    salvage_p : str
        P of the finding that salvage after recurrence rises with the margin's width, as printed.
    where : str
        Where all of these figures stand.

    Examples
    --------
    >>> from pyicg.published import PERRIN
    >>> PERRIN.hazard_ratios["initial recurrence at the margin"][PERRIN.group(0.4)].value
    2.99
    """

    citation: str
    doi: str
    patients: int
    years: tuple[int, int]
    groups: tuple[str, ...]
    reference_group: str
    hazard_ratios: Mapping[str, Mapping[str, RatioEstimate]]
    p_values: Mapping[str, str]
    incidence_3y: Mapping[str, float]
    salvage_p: str
    where: str

    def group(self, margin_mm: float, *, positive: bool = False) -> str:
        """Return the paper's group for a margin.

        Parameters
        ----------
        margin_mm : float
            Signed margin in mm; zero or negative (tumour at or beyond the plane) is positive.
        positive : bool
            True when the margin is positive by histology, whatever the width.

        Returns
        -------
        str
            One of `groups`. 9.95 mm still belongs to ``"1-9.9 mm"``.

        Raises
        ------
        InputError
            `margin_mm` is no number or NaN, and `positive` is False.

        Examples
        --------
        >>> from pyicg.published import PERRIN
        >>> [PERRIN.group(m) for m in (-0.2, 0.5, 1.0, 10.0)]
        ['positive', '< 1 mm', '1-9.9 mm', '>= 10 mm']
        """
        if positive:
            return self.groups[0]
        if not is_number(margin_mm) or math.isnan(margin_mm):
            found = "NaN" if is_number(margin_mm) else repr(margin_mm)
            raise InputError(f"margin_mm is {found}, expected a width in mm: an undefined distance has no margin group")
        if margin_mm <= _GROUP_EDGES_MM[0]:
            return self.groups[0]
        return self.groups[1 + sum(margin_mm >= edge for edge in _GROUP_EDGES_MM[1:])]

    def group_probabilities(self, dist: Distance) -> dict[str, float]:
        """Return the probability of each of the paper's groups for a measured distance.

        Parameters
        ----------
        dist : Distance
            With its uncertainty; what that does not know (`warnings`) is not in the probabilities either.

        Returns
        -------
        dict of str to float
            Group to probability, which add up to 1; all NaN where the distance is undefined.

        Raises
        ------
        InputError
            `dist` is no `Distance`.

        Examples
        --------
        >>> from pyicg import Distance
        >>> from pyicg.published import PERRIN
        >>> found = PERRIN.group_probabilities(Distance(1.2, 0.4, (0.4, 2.0), 1.3, (0.0, 0.0, 0.0)))
        >>> {group: round(p, 3) for group, p in found.items()}
        {'positive': 0.001, '< 1 mm': 0.307, '1-9.9 mm': 0.691, '>= 10 mm': 0.0}
        """
        if not isinstance(dist, Distance):
            raise InputError(f"dist is {dist!r}, expected a Distance: a bare width has a group, `PERRIN.group(width)`")
        if dist.sigma_mm == 0 and not math.isnan(dist.min_mm):
            return {group: float(group == self.group(dist.min_mm)) for group in self.groups}
        below = [dist.p_below(edge) for edge in _GROUP_EDGES_MM]
        shares = [below[0], below[1] - below[0], below[2] - below[1], 1 - below[2]]
        return dict(zip(self.groups, shares, strict=True))
