"""The margin: P(R1), its interval and a label, from the fluorescent sign, a measured distance or a trained model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pyicg.errors import InputError
from pyicg.labels import BLOCKING_REASONS, check_risk_threshold, label_from_distance, label_from_probability
from pyicg.published import MIMIC, resolve_prevalence
from pyicg.results import Distance, MarginStatus
from pyicg.sample_size import RileyMinimum, riley_minimum
from pyicg.trained_model import TrainedModel

__all__ = ["PublishedAnchorModel", "RileyMinimum", "TrainedModel", "from_distance", "riley_minimum"]

_GRID = 800
_TIE_SOURCE = {"R0": MIMIC.citation, "R1": "Achterberg et al., Ann Transl Med 2020;8(21):1448"}
# Where the sign beats treat-all and treat-none on the reconstructed table: 1 - NPV and PPV.
_USEFUL_RISK = (0.082, 0.542)


@lru_cache(maxsize=256)
def _posterior(prevalence: float, discount: float, fluorescent: bool) -> tuple[float, float, float]:
    """Return mean and central 95 % interval of P(R1 | sign) under the two beta posteriors.

    A grid over the midpoints of equally likely slices of both betas needs no random numbers, so the same question
    always has the same answer.
    """
    from scipy.special import betaincinv  # beta quantiles without the slow import of scipy.stats

    table = MIMIC.reconstructed_table
    quantiles = (np.arange(_GRID) + 0.5) / _GRID
    sensitivity = betaincinv(0.5 + discount * table.tp, 0.5 + discount * table.fn, quantiles)[:, np.newaxis]
    specificity = betaincinv(0.5 + discount * table.tn, 0.5 + discount * table.fp, quantiles)
    given_r1, given_r0 = (sensitivity, 1 - specificity) if fluorescent else (1 - sensitivity, specificity)
    p_r1 = prevalence * given_r1 / (prevalence * given_r1 + (1 - prevalence) * given_r0)
    low, high = np.quantile(p_r1, (0.025, 0.975))
    return float(p_r1.mean()), float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAnchorModel:
    r"""P(R1) from the fluorescent sign, anchored on the MIMIC trial.

    Bayes' rule with sens ~ Beta(.5 + 32a, .5 + 21a) and spec ~ Beta(.5 + 236a, .5 + 27a), `a` being `discount`:
    P(R1 | F+) = sens pi / (sens pi + (1 - spec)(1 - pi)) and P(R1 | F-) = (1 - sens) pi / ((1 - sens) pi +
    spec (1 - pi)), pi being `prevalence`. The counts are the table reconstructed from Achterberg et al. 2024
    (`pyicg.published.MIMIC`), not published ones. That the trial's sign equals a region over an SBR cut is an
    assumption. Absence of fluorescence is never "clear": 6 to 8 % R1 are left at the trial's prevalences.

    Parameters
    ----------
    prevalence : float, str or None
        Share of R1 where the sign is used: a number in (0, 1), a name in `pyicg.published.PREVALENCE_PRESETS`, or
        None when it is not known; then there is a sign but no probability. There is no default.
    discount : float
        Weight `a` of the counts, in (0, 1]. An assumption: it widens the interval for reconstruction, clustering and
        transport to other settings, and removes no bias.
    risk_threshold : float
        Risk of R1 at which the user would cut again, in (0, 1). The default is an assumption.

    Raises
    ------
    InputError
        An option lies outside its range.

    Examples
    --------
    >>> from pyicg.margin import PublishedAnchorModel
    >>> status = PublishedAnchorModel(prevalence="mimic-overall").predict(fluorescent=True)
    >>> status.label, round(status.p_r1, 2), [round(bound, 2) for bound in status.ci]
    ('R1', 0.46, [0.32, 0.61])
    >>> PublishedAnchorModel(prevalence=None).predict(fluorescent=True).reasons
    ('no_prevalence',)
    """

    prevalence: float | str | None
    discount: float = 0.5
    risk_threshold: float = 0.2

    def __post_init__(self) -> None:
        if self.prevalence is not None:
            resolve_prevalence(self.prevalence)
        if not 0 < self.discount <= 1:
            raise InputError(f"discount is {self.discount}, expected a weight in (0, 1]; 1 takes the counts in full")
        check_risk_threshold(self.risk_threshold)

    def predict(self, *, fluorescent: bool | None, reasons: Iterable[str] = ()) -> MarginStatus:
        """Return the margin status for one sign.

        Parameters
        ----------
        fluorescent : bool or None
            The sign: True when a region of the resection plane lies over the SBR cut; None when it cannot be known.
        reasons : iterable of str
            Codes that limit the sign. ``saturated_lower_bound``, ``uncalibrated``, ``background_not_resolved`` and
            ``out_of_range`` make the label indeterminate; the probability is still shown when there is a sign.

        Returns
        -------
        MarginStatus
            `p_r1` is the posterior mean, `ci` the central 95 % of the posterior. Both are NaN without a sign
            (reason ``no_sign`` unless `reasons` tells more) or a prevalence (``no_prevalence``). An interval across
            the risk threshold gives ``straddles_threshold``.

        Raises
        ------
        InputError
            `fluorescent` is not a bool or None, or `reasons` is a bare string.

        Examples
        --------
        >>> from pyicg.margin import PublishedAnchorModel
        >>> model = PublishedAnchorModel(prevalence="mimic-accuracy")
        >>> status = model.predict(fluorescent=False, reasons=("uncalibrated",))
        >>> status.label, round(status.p_r1, 3), status.reasons
        ('indeterminate', 0.083, ('uncalibrated',))
        """
        if not isinstance(fluorescent, bool | np.bool_ | None):
            raise InputError(f"fluorescent is {fluorescent!r}, expected True, False or None: compare SBR and cut first")
        if isinstance(reasons, str):
            raise InputError(f"reasons is the string {reasons!r}, expected a sequence of codes: ({reasons!r},)")
        codes = list(reasons)
        sign = None if fluorescent is None else bool(fluorescent)
        if sign is None and not codes:
            codes.append("no_sign")
        if self.prevalence is None:
            codes.append("no_prevalence")
        p_r1, low, high = math.nan, math.nan, math.nan
        label = "indeterminate"
        if sign is not None and self.prevalence is not None:
            p_r1, low, high = _posterior(resolve_prevalence(self.prevalence)[0], self.discount, sign)
            by_rule = label_from_probability((low, high), risk_threshold=self.risk_threshold)
            if by_rule == "indeterminate":
                codes.append("straddles_threshold")
            if BLOCKING_REASONS.isdisjoint(codes):
                label = by_rule
        return MarginStatus(p_r1, (low, high), label, sign, tuple(dict.fromkeys(codes)), self._provenance())

    def _provenance(self) -> dict[str, Any]:
        table = MIMIC.reconstructed_table
        value, origin = (None, "not given") if self.prevalence is None else resolve_prevalence(self.prevalence)
        where = "inside" if _USEFUL_RISK[0] < self.risk_threshold < _USEFUL_RISK[1] else "outside"
        return {
            "model": "published-anchor",
            "source": MIMIC.citation,
            "doi": MIMIC.doi,
            "table": {"tp": table.tp, "fn": table.fn, "fp": table.fp, "tn": table.tn, "reconstructed": True},
            "discount": {
                "value": self.discount,
                "assumption": "weight of the counts for reconstruction, clustering and transport; removes no bias",
            },
            "prevalence": {"value": value, "origin": origin},
            "risk_threshold": {
                "value": self.risk_threshold,
                "assumption": f"the risk of R1 at which you would cut again; {where} the range "
                f"{_USEFUL_RISK[0]}-{_USEFUL_RISK[1]} in which the sign is worth having",
            },
            "sign": {"assumption": "the sign of the trial is taken to equal a region over the SBR cut"},
            "wording": "absence of fluorescence is never 'clear': it lowers the risk of R1 and does not exclude it",
        }


def from_distance(dist: Distance, *, threshold_mm: float = 1.0, tie: str = "R0") -> MarginStatus:
    """Return the margin status of a measured distance.

    P(R1) = P(margin < threshold) = Phi((threshold - min) / sigma) under the distance's own uncertainty; where a plane
    was fitted to few points, Student's t stands for Phi. The interval of P is the same expression at both ends of the
    distance's 95 % interval: it shows how far P moves while the distance stays within it. The label is read from the
    distance's interval, not from P.

    Parameters
    ----------
    dist : Distance
        Smallest distance from the tumour's surface to the resection plane, with its uncertainty, in mm.
    threshold_mm : float
        Width below which a margin is R1, mm. 1 mm is the rule of the MIMIC trial.
    tie : {"R0", "R1"}
        What a margin of exactly `threshold_mm` counts as: R0 (MIMIC) or R1 (Achterberg 2020).

    Returns
    -------
    MarginStatus
        R1 when the interval lies below the threshold, R0 when it lies at or above it, else indeterminate with
        ``straddles_threshold``. The warnings of `dist` are carried over; two of them forbid R0: ``no_enclosed_core``, a
        rim that the plane may cut open and that was not measured, and ``clipped_by_border``, a tumour of which a part
        lies outside the picture. An undefined distance gives NaN with its warnings; one that does not say why, or has
        no uncertainty, ``no_distance``.

    Raises
    ------
    InputError
        `threshold_mm` is negative or not finite, or `tie` is neither R0 nor R1.

    Examples
    --------
    >>> from pyicg.margin import from_distance
    >>> from pyicg.results import Distance
    >>> status = from_distance(Distance(1.5, 0.5, (0.52, 2.48), 1.6, (0.0, 0.0, 0.0)))
    >>> status.label, round(status.p_r1, 4), status.reasons
    ('indeterminate', 0.1587, ('straddles_threshold',))
    """
    low_mm, high_mm = dist.ci_mm
    label = label_from_distance(dist.ci_mm, threshold_mm=threshold_mm, tie=tie)
    provenance = {
        "model": "measured-distance",
        "min_mm": dist.min_mm,
        "sigma_mm": dist.sigma_mm,
        "ci_mm": dist.ci_mm,
        "threshold_mm": threshold_mm,
        "tie": {"value": tie, "source": _TIE_SOURCE[tie]},
        "freedom": dist.freedom,
        "assumption": "the error of the distance is Gaussian; Student's t where a plane has few points",
    }
    if any(math.isnan(number) for number in (dist.min_mm, dist.sigma_mm, low_mm, high_mm)):
        explained = math.isnan(dist.min_mm) and dist.warnings
        reasons = dist.warnings if explained else (*dist.warnings, "no_distance")
        return MarginStatus(math.nan, (math.nan, math.nan), "indeterminate", None, reasons, provenance)
    # A far plane is a small risk: the upper end of the distance gives the lower end of P.
    at_tie = float(tie == "R1")
    p_r1, low, high = (
        at_tie if dist.sigma_mm == 0 and mm == threshold_mm else dist.p_below(threshold_mm, at_mm=mm)
        for mm in (dist.min_mm, high_mm, low_mm)
    )
    if label != "R1" and "no_enclosed_core" in dist.warnings:
        # A rim that the plane may cut open was not measured: what was measured says nothing of P(R1).
        return MarginStatus(math.nan, (math.nan, math.nan), "indeterminate", None, dist.warnings, provenance)
    reasons = dist.warnings if label != "indeterminate" else (*dist.warnings, "straddles_threshold")
    if label == "R0" and "clipped_by_border" in dist.warnings:
        label = "indeterminate"
    return MarginStatus(p_r1, (low, high), label, None, reasons, provenance)
