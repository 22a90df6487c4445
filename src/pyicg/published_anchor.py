"""P(R1) from the fluorescent sign, anchored on a published trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pyicg._margin_provenance import provenance
from pyicg._model_file import read_model, write_model
from pyicg.errors import InputError
from pyicg.labels import (
    BLOCKING_REASONS,
    Label,
    check_risk_threshold,
    checked_reasons,
    is_number,
    label_from_probability,
)
from pyicg.published import MIMIC, PREVALENCE_PRESETS, resolve_prevalence
from pyicg.results import MarginStatus

__all__ = ["PublishedAnchorModel"]

_GRID = 800
_HOURS_BEFORE = (18.0, 30.0)  # assumption: what still counts as the trial's 24 h before surgery
_SCHEMA, _SCHEMA_VERSION = "pyicg.published-anchor-model", 1
_OPTIONS = ("prevalence", "discount", "risk_threshold", "dose_mg", "hours_before")


def _p_r1(prevalence: float, given_r1: Any, given_r0: Any) -> Any:
    """Bayes' rule: P(R1) from the prevalence and the probability of the sign given R1 and given R0."""
    return prevalence * given_r1 / (prevalence * given_r1 + (1 - prevalence) * given_r0)


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
    p_r1 = _p_r1(prevalence, given_r1, given_r0)
    low, high = np.quantile(p_r1, (0.025, 0.975))
    return float(p_r1.mean()), float(low), float(high)


def _useful_risk(prevalence: float) -> tuple[float, float]:
    """Return 1 - NPV and PPV of the reconstructed table at a prevalence.

    Between these risks following the sign beats both treating all and treating none (Vickers and Elkin 2006). The
    preset mimic-accuracy is the table's own share, rounded; its range is the table's own.
    """
    table = MIMIC.reconstructed_table
    share = table.r1_share if prevalence == PREVALENCE_PRESETS["mimic-accuracy"] else prevalence
    sensitivity, specificity = table.tp / (table.tp + table.fn), table.tn / (table.tn + table.fp)
    return _p_r1(share, 1 - sensitivity, specificity), _p_r1(share, sensitivity, 1 - specificity)


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
    dose_mg, hours_before : float, optional
        Dose of ICG, and hours from the injection to surgery. The trial gave 10 mg 24 h before. Another dose, or less
        than 18 or more than 30 h (an assumption), makes every label indeterminate, ``protocol_differs``. Left out, the
        trial's protocol is assumed, and the provenance says so.

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
    >>> PublishedAnchorModel(prevalence=0.1, dose_mg=25).predict(fluorescent=False).reasons
    ('protocol_differs',)
    """

    prevalence: float | str | None
    discount: float = 0.5
    risk_threshold: float = 0.2
    dose_mg: float | None = None
    hours_before: float | None = None

    def __post_init__(self) -> None:
        if self.prevalence is not None:
            resolve_prevalence(self.prevalence)
        if not is_number(self.discount) or not 0 < self.discount <= 1:
            raise InputError(f"discount is {self.discount!r}, expected a weight in (0, 1]; 1 takes the counts in full")
        check_risk_threshold(self.risk_threshold)
        for name in ("dose_mg", "hours_before"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and 0 < value < math.inf):
                raise InputError(f"{name} is {value!r}, expected a number > 0, or None when it is the trial's")

    def predict(
        self,
        *,
        fluorescent: bool | None,
        reasons: Iterable[str] = (),
        sbr_cut: float | None = None,
        sign_at: Mapping[float, bool | None] | None = None,
    ) -> MarginStatus:
        """Return the margin status for one sign.

        Parameters
        ----------
        fluorescent : bool or None
            The sign: True when a region of the resection plane lies over the SBR cut; None when it cannot be known.
        reasons : iterable of str
            Codes that limit the sign. Those of `pyicg.labels.BLOCKING_REASONS` (uncalibrated, saturated, out of range,
            no resolved or a saturated background, too few pixels, another protocol) make the label indeterminate; the
            probability is still shown when there is a sign.
        sbr_cut : float, optional
            The cut behind the sign, for the provenance.
        sign_at : mapping of float to bool or None, optional
            The sign at other cuts, as in `FrameScore.sign_at`. Each one's label, P(R1) and interval stand in
            ``provenance["at_cuts"]``, under the cut as text; they change nothing else.

        Returns
        -------
        MarginStatus
            `p_r1` is the posterior mean, `ci` the central 95 % of the posterior. Both are NaN without a sign
            (reason ``no_sign`` unless `reasons` tells more) or a prevalence (``no_prevalence``). An interval across
            the risk threshold gives ``straddles_threshold``.

        Raises
        ------
        InputError
            A sign is not a bool or None, a cut is no number > 0, or `reasons` is a bare string or holds an unknown
            code: a misspelled one would let a label stand that it should stop.

        Examples
        --------
        >>> from pyicg.margin import PublishedAnchorModel
        >>> model = PublishedAnchorModel(prevalence="mimic-accuracy")
        >>> status = model.predict(fluorescent=False, reasons=("uncalibrated",))
        >>> status.label, round(status.p_r1, 3), status.reasons
        ('indeterminate', 0.083, ('uncalibrated',))
        """
        sign, limits = _checked_sign(fluorescent), checked_reasons(reasons)
        label, p_r1, ci, codes = self._answer(sign, limits)
        beside = {}
        for cut, seen in (sign_at or {}).items():
            sign_there = _checked_sign(seen)
            there = self._answer(sign_there, limits)
            beside[f"{_checked_cut(cut):g}"] = {"sign": sign_there, "label": there[0], "p_r1": there[1], "ci": there[2]}
        cut_used = {"sbr_cut": "not stated" if sbr_cut is None else _checked_cut(sbr_cut)}
        return MarginStatus(p_r1, ci, label, sign, codes, self._provenance(cut_used, beside))

    def _answer(
        self, sign: bool | None, limits: tuple[str, ...]
    ) -> tuple[Label, float, tuple[float, float], tuple[str, ...]]:
        """Return label, P(R1), its interval and all reasons."""
        codes = list(limits)
        if sign is None and not codes:
            codes.append("no_sign")
        if self.prevalence is None:
            codes.append("no_prevalence")
        if self._protocol_differs:
            codes.append("protocol_differs")
        p_r1, low, high = math.nan, math.nan, math.nan
        label: Label = "indeterminate"
        if sign is not None and self.prevalence is not None:
            p_r1, low, high = _posterior(resolve_prevalence(self.prevalence)[0], self.discount, sign)
            by_rule = label_from_probability((low, high), risk_threshold=self.risk_threshold)
            if by_rule == "indeterminate":
                codes.append("straddles_threshold")
            if BLOCKING_REASONS.isdisjoint(codes):
                label = by_rule
        return label, p_r1, (low, high), tuple(dict.fromkeys(codes))

    @property
    def _protocol_differs(self) -> bool:
        first, last = _HOURS_BEFORE
        return (self.dose_mg is not None and self.dose_mg != MIMIC.dose_mg) or (
            self.hours_before is not None and not first <= self.hours_before <= last
        )

    def _provenance(self, cut_used: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
        value, origin = (None, "not given") if self.prevalence is None else resolve_prevalence(self.prevalence)
        assumed = "the risk of R1 at which you would cut again"
        useful: tuple[float, float] | None = None
        if value is not None:
            useful = low, high = _useful_risk(value)
            where = "inside" if low < self.risk_threshold < high else "outside"
            assumed += (
                f"; {where} the range {low:.3f}-{high:.3f} (1 - NPV to PPV of the reconstructed table at this "
                "prevalence) in which the sign is worth having"
            )
        given = {name: getattr(self, name) for name in ("dose_mg", "hours_before")}
        return provenance(
            "published-anchor",
            **_basis(),
            discount={
                "value": self.discount,
                "assumption": "weight of the counts for reconstruction, clustering and transport; removes no bias",
            },
            prevalence={"value": value, "origin": origin},
            risk_threshold={"value": self.risk_threshold, "assumption": assumed, "useful_range": useful},
            sign={**cut_used, "assumption": "the sign of the trial is taken to equal a region over the SBR cut"},
            at_cuts=dict(beside),
            protocol={
                "trial": f"{MIMIC.dose_mg:g} mg ICG, {MIMIC.hours_before_surgery:g} h before surgery",
                **{name: "assumed to be the trial's" if told is None else told for name, told in given.items()},
                "assumption": f"{_HOURS_BEFORE[0]:g} to {_HOURS_BEFORE[1]:g} h count as the trial's 24 h",
            },
        )

    def save(self, path: str | Path) -> Path:
        """Write the model as JSON, with the table it rests on and a digest; return the path.

        Raises
        ------
        InputError
            The file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyicg.margin import PublishedAnchorModel
        >>> model = PublishedAnchorModel(prevalence="mimic-overall", dose_mg=10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     PublishedAnchorModel.load(model.save(Path(folder) / "anchor.json")) == model
        True
        """
        given = {name: getattr(self, name) for name in _OPTIONS}
        parameters = {name: float(value) if is_number(value) else value for name, value in given.items()}
        return write_model(path, _SCHEMA, _SCHEMA_VERSION, {"parameters": parameters, **_basis()})

    @classmethod
    def load(cls, path: str | Path) -> PublishedAnchorModel:
        """Read a model that `save` wrote.

        Raises
        ------
        InputError
            The file cannot be read, is no such model, does not fit its digest, or rests on other counts than this
            release does.
        """
        content = read_model(path, _SCHEMA, _SCHEMA_VERSION)
        parameters = content.pop("parameters", None)
        if not isinstance(parameters, dict) or set(parameters) != set(_OPTIONS):
            raise InputError(f"{path} has the parameters {parameters}, expected {list(_OPTIONS)}; save the model again")
        if content != _basis():
            raise InputError(f"{path} rests on {content}, this release on {_basis()}; make the model anew")
        return cls(**parameters)


def _basis() -> dict[str, Any]:
    table = MIMIC.reconstructed_table
    counts = {"tp": table.tp, "fn": table.fn, "fp": table.fp, "tn": table.tn, "reconstructed": table.reconstructed}
    return {"source": MIMIC.citation, "doi": MIMIC.doi, "table": counts}


def _checked_sign(fluorescent: object) -> bool | None:
    if not isinstance(fluorescent, bool | np.bool_ | None):
        raise InputError(f"fluorescent is {fluorescent!r}, expected True, False or None: compare SBR and cut first")
    return None if fluorescent is None else bool(fluorescent)


def _checked_cut(cut: float) -> float:
    if not is_number(cut) or not 0 < cut < math.inf:
        raise InputError(f"an SBR cut is {cut!r}, expected a number > 0")
    return cut
