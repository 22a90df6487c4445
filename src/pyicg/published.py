"""Figures of two published studies, quoted as they stand, with their source.

What the papers do not state but was worked out from them says ``reconstructed=True``. Nothing here is smoothed,
interpolated or forced to be monotone: the tables are for display and for the published-anchor model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pyicg.distance_results import Distance
from pyicg.errors import InputError

__all__ = [
    "MIMIC",
    "PERRIN",
    "PREVALENCE_PRESETS",
    "MimicStudy",
    "PerrinStudy",
    "RatioEstimate",
    "ReconstructedTable",
    "resolve_prevalence",
]

_Z95 = 1.959963984540054
_GROUP_EDGES_MM = (0.0, 1.0, 10.0)  # of Perrin's groups: at or below 0 the margin is positive


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """An odds or hazard ratio with its published 95 % interval.

    Attributes
    ----------
    value : float
        The ratio as printed.
    ci : tuple of float
        95 % interval ``(lo, hi)`` as printed.
    """

    value: float
    ci: tuple[float, float]

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

    `tp` and `fn` count R1 lesions with and without fluorescence, `fp` and `tn` R0 lesions with and without.
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
class MimicStudy:
    """The MIMIC trial: ICG fluorescence of the resection plane against R1 in colorectal liver metastases.

    Rates and intervals are the published, rounded ones. `reconstructed_table` is derived: of all integer tables with
    at most 316 lesions 176 give the four published rates, 26 of them the AUC as well, and one the AUC's interval under
    the nonparametric standard error that SPSS prints. `r0_rate_before` and the R1 share of the table
    (16.8 %, not 12.6 %) rest on different definitions or denominators: do not mix them.

    Examples
    --------
    >>> from pyicg.published import MIMIC
    >>> MIMIC.sensitivity, MIMIC.auc_ci
    (0.6, (0.668, 0.833))
    >>> MIMIC.reconstructed_table
    ReconstructedTable(tp=32, fn=21, fp=27, tn=236, reconstructed=True)
    """

    citation: str
    doi: str
    centres: int
    patients_enrolled: int
    patients_analysed: int
    lesions: int
    dose_mg: float
    hours_before_surgery: float
    r1_below_mm: float
    r0_rate_before: float
    r0_rate_after: float
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
            `margin_mm` is NaN and `positive` is False.

        Examples
        --------
        >>> from pyicg.published import PERRIN
        >>> [PERRIN.group(m) for m in (-0.2, 0.5, 1.0, 10.0)]
        ['positive', '< 1 mm', '1-9.9 mm', '>= 10 mm']
        """
        if positive:
            return self.groups[0]
        if math.isnan(margin_mm):
            raise InputError("margin_mm is NaN, expected a width in mm: an undefined distance has no margin group")
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

        Examples
        --------
        >>> from pyicg import Distance
        >>> from pyicg.published import PERRIN
        >>> found = PERRIN.group_probabilities(Distance(1.2, 0.4, (0.4, 2.0), 1.3, (0.0, 0.0, 0.0)))
        >>> {group: round(p, 3) for group, p in found.items()}
        {'positive': 0.001, '< 1 mm': 0.307, '1-9.9 mm': 0.691, '>= 10 mm': 0.0}
        """
        if dist.sigma_mm == 0:
            return {group: float(group == self.group(dist.min_mm)) for group in self.groups}
        below = [dist.p_below(edge) for edge in _GROUP_EDGES_MM]
        shares = [below[0], below[1] - below[0], below[2] - below[1], 1 - below[2]]
        return dict(zip(self.groups, shares, strict=True))


MIMIC = MimicStudy(
    citation="Achterberg et al., JAMA Netw Open 2024;7(4):e246548",
    doi="10.1001/jamanetworkopen.2024.6548",
    centres=8,
    patients_enrolled=225,
    patients_analysed=201,
    lesions=316,
    dose_mg=10.0,
    hours_before_surgery=24.0,
    r1_below_mm=1.0,
    r0_rate_before=0.874,
    r0_rate_after=0.924,
    sensitivity=0.60,
    specificity=0.90,
    ppv=0.54,
    npv=0.92,
    auc=0.751,
    auc_ci=(0.668, 0.833),
    learning_curve=RatioEstimate(1.36, (0.44, 4.24)),
    learning_curve_procedures=10,
    management_changed=56,
    reconstructed_table=ReconstructedTable(tp=32, fn=21, fp=27, tn=236),
)
"""The MIMIC trial."""

_GROUPS = ("positive", "< 1 mm", "1-9.9 mm", ">= 10 mm")


def _by_group(*ratios: RatioEstimate) -> Mapping[str, RatioEstimate]:
    return MappingProxyType(dict(zip(_GROUPS[:3], ratios, strict=True)))


PERRIN = PerrinStudy(
    citation="Perrin et al., Ann Surg 2025",
    doi="10.1097/SLA.0000000000006659",
    patients=1776,
    years=(1991, 2012),
    groups=_GROUPS,
    reference_group=_GROUPS[3],
    hazard_ratios=MappingProxyType(
        {
            "initial isolated liver recurrence": _by_group(
                RatioEstimate(2.21, (1.49, 3.26)), RatioEstimate(1.42, (0.84, 2.40)), RatioEstimate(1.41, (1.08, 1.84))
            ),
            "initial recurrence at the margin": _by_group(
                RatioEstimate(2.11, (1.26, 3.54)), RatioEstimate(2.99, (1.74, 5.15)), RatioEstimate(0.92, (0.62, 1.37))
            ),
            "liver recurrence at any time": _by_group(
                RatioEstimate(2.32, (1.79, 3.01)), RatioEstimate(1.72, (1.23, 2.42)), RatioEstimate(1.33, (1.11, 1.58))
            ),
        }
    ),
    p_values=MappingProxyType(
        {
            "initial isolated liver recurrence": ".001",
            "initial recurrence at the margin": "< .001",
            "liver recurrence at any time": "< .001",
        }
    ),
    incidence_3y=MappingProxyType(dict(zip(_GROUPS, (0.70, 0.70, 0.57, 0.50), strict=True))),
)
"""The series of Perrin et al."""

PREVALENCE_PRESETS: Mapping[str, float] = MappingProxyType({"mimic-overall": 0.126, "mimic-accuracy": 0.168})
"""R1 prevalences with a name: 12.6 % R1 before re-resection (published), 16.8 % in the reconstructed table."""


def resolve_prevalence(prevalence: float | str) -> tuple[float, str]:
    """Return a prevalence of R1 as a number, and where it comes from.

    Parameters
    ----------
    prevalence : float or str
        A number in (0, 1) or a name in `PREVALENCE_PRESETS`.

    Returns
    -------
    value : float
        Prevalence of R1.
    origin : str
        ``"preset <name>"`` or ``"given by the user"``.

    Raises
    ------
    InputError
        The name is unknown or the number lies outside (0, 1).

    Examples
    --------
    >>> from pyicg.published import resolve_prevalence
    >>> resolve_prevalence("mimic-overall")
    (0.126, 'preset mimic-overall')
    """
    if isinstance(prevalence, str):
        if prevalence not in PREVALENCE_PRESETS:
            raise InputError(
                f"prevalence is {prevalence!r}, expected a number in (0, 1) or one of {', '.join(PREVALENCE_PRESETS)}"
            )
        return PREVALENCE_PRESETS[prevalence], f"preset {prevalence}"
    if not 0 < prevalence < 1:
        raise InputError(
            f"prevalence is {prevalence}, expected a number in (0, 1): the share of R1 where the sign is used"
        )
    return float(prevalence), "given by the user"
