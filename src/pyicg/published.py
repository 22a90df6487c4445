"""Figures of two published studies, quoted as they stand, with their source.

What the papers do not state but was worked out from them says ``reconstructed=True`` or stands in a ``derived``
mapping. Nothing here is smoothed, interpolated or forced to be monotone: the tables are for display and for the
published-anchor model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyicg._published_studies import (
    MimicStudy,
    PerrinStudy,
    Quotation,
    RatioEstimate,
    ReconstructedChange,
    ReconstructedTable,
)
from pyicg.errors import InputError
from pyicg.labels import is_number

__all__ = [
    "MIMIC",
    "PERRIN",
    "PREVALENCE_PRESETS",
    "MimicStudy",
    "PerrinStudy",
    "Quotation",
    "RatioEstimate",
    "ReconstructedChange",
    "ReconstructedTable",
    "resolve_prevalence",
]

MIMIC = MimicStudy(
    citation="Achterberg et al., JAMA Netw Open 2024;7(4):e246548",
    doi="10.1001/jamanetworkopen.2024.6548",
    design="prospective, single arm",
    recruited=("2018-09", "2021-06"),
    centres=8,
    patients_enrolled=225,
    patients_analysed=201,
    lesions=316,
    men=116,
    median_age=65.0,
    age_iqr=(57.0, 72.0),
    dose_mg=10.0,
    hours_before_surgery=24.0,
    r1_below_mm=1.0,
    r0_rate_before=0.874,
    r0_rate_after=0.924,
    r0_rate_gain=0.05,
    r0_rate_gain_p="< .001",
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
    reresection=ReconstructedChange(converted=16, reverted=0, n=317),
    quoted=MappingProxyType(
        {
            field: Quotation(text, "abstract")
            for field, text in {
                "design": "prospective, single arm",
                "recruited": "Sept 2018 – June 2021",
                "centres": "8",
                "patients_enrolled": "225",
                "patients_analysed": "201",
                "lesions": "316",
                "men": "116 (57.7 %)",
                "median_age": "65 (IQR 57–72)",
                "dose_mg": "10 mg",
                "hours_before_surgery": "24 h",
                "r1_below_mm": "< 1 mm",
                "r0_rate_before": "87.4 %",
                "r0_rate_after": "92.4 %",
                "r0_rate_gain": "+5.0 points, P < .001",
                "sensitivity": "60 %",
                "specificity": "90 %",
                "ppv": "54 %",
                "npv": "92 %",
                "auc": "0.751 (95 % CI 0.668–0.833)",
                "learning_curve": "OR 1.36 (95 % CI 0.44–4.24)",
                "management_changed": "56 (27.9 %)",
            }.items()
        }
    ),
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
    salvage_p="< .001",
    where="abstract",
)
"""The series of Perrin et al."""

PREVALENCE_PRESETS: Mapping[str, float] = MappingProxyType({"mimic-overall": 0.126, "mimic-accuracy": 0.168})
"""R1 prevalences with a name: 12.6 % R1 before re-resection (published), 16.8 % in the reconstructed table."""

_ORIGIN = {
    "mimic-overall": "preset mimic-overall",
    "mimic-accuracy": "preset mimic-accuracy, reconstructed: the R1 share of the reconstructed table",
}


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
        ``"preset <name>"``, with ``"reconstructed"`` where no paper states the share, or ``"given by the user"``.

    Raises
    ------
    InputError
        The name is unknown, or what is given is no number in (0, 1).

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
        return PREVALENCE_PRESETS[prevalence], _ORIGIN[prevalence]
    if not is_number(prevalence) or not 0 < prevalence < 1:
        raise InputError(
            f"prevalence is {prevalence!r}, expected a number in (0, 1): the share of R1 where the sign is used"
        )
    return float(prevalence), "given by the user"
