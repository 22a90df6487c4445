"""The sections of a trial's evaluation: each takes the lesions that count and returns rows of figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyicg import evaluate
from pyicg.accuracy import AccuracyTable
from pyicg.errors import InputError
from pyicg.results import Measurement
from pyicg.trial_results import TrialCases, TrialFigure

__all__ = ["SECTIONS", "Section"]

PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv")
_FIGURES = (*PROPORTIONS, "lr_positive", "lr_negative", "dor", "youden", "auc")
_NAIVE = {"wilson", "clopper-pearson"}
_INDEPENDENT = "lesions independent"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the evaluation; `needs` are its columns: without one of them it is skipped.

    `superfluous` says why there is nothing to do although they are there.
    """

    name: str
    needs: tuple[str, ...]
    compute: Callable[[TrialCases], list[TrialFigure]]
    superfluous: Callable[[TrialCases], str | None] = lambda _: None


def _rows(section: str, main: Any, naive: Any, names: tuple[str, ...], methods: tuple[str, str]) -> list[TrialFigure]:
    """Return fields of two result objects side by side; `naive` is `main` where patients are unknown."""
    method, naive_method = methods
    return [
        TrialFigure(
            section,
            name,
            getattr(main, name),
            method,
            naive=None if naive is main else getattr(naive, name),
            naive_method="" if naive is main else naive_method,
        )
        for name in names
    ]


def _plain(
    section: str, name: str, value: float, method: str = "", *, n: int | None = None, total: int | None = None
) -> TrialFigure:
    """Return a figure that has no interval."""
    item = Measurement.undefined("too_few_cases") if np.isnan(value) else Measurement(float(value))
    return TrialFigure(section, name, item, method, n, total)


def _tables(cases: TrialCases) -> tuple[AccuracyTable, AccuracyTable]:
    """Return the 2x2 table with the intervals to quote, and with lesions as independent."""
    ci, groups = cases.options.ci, cases.patients
    r1, sign = cases.truth("r1"), cases.truth("fluorescent")
    naive = evaluate.diagnostic_accuracy(r1, sign, ci=ci if ci in _NAIVE else "wilson")  # type: ignore[arg-type]
    if groups is None:
        return naive, naive
    clustered = "bca" if ci is None or ci in _NAIVE else ci
    return evaluate.diagnostic_accuracy(r1, sign, groups=groups, ci=clustered), naive  # type: ignore[arg-type]


def accuracy(cases: TrialCases) -> list[TrialFigure]:
    """Return the diagnostic accuracy of the sign, and its range over the signs that are unknown."""
    histology = cases.known("r1")
    cases = cases.known("r1", "fluorescent")
    main, naive = _tables(cases)
    cases.curves.accuracy = main
    cases.curves.lesions["sign"] = cases.chosen
    tp, fn, fp, tn = main.tp, main.fn, main.fp, main.tn
    counts = {"sensitivity": (tp, tp + fn), "specificity": (tn, tn + fp), "ppv": (tp, tp + fp), "npv": (tn, tn + fn)}
    found = []
    for row in _rows("accuracy", main, naive, _FIGURES, (main.ci_method, naive.ci_method)):
        n, total = counts.get(row.name, (None, cases.n))
        found.append(TrialFigure("accuracy", row.name, row.item, row.method, n, total, row.naive, row.naive_method))
    low, high = naive.auc_nonparametric_ci
    item = Measurement(naive.auc.value, ci=(low, high), reason=naive.auc.reason)
    method = f"Hanley and McNeil, ties one third, as SPSS prints it; {_INDEPENDENT}"
    found.append(TrialFigure("accuracy", "auc_nonparametric", item, method, total=cases.n))
    unknown = histology.chosen & ~cases.chosen
    u1 = int((unknown & (cases.table.values["r1"] == 1)).sum())
    u0 = int(unknown.sum()) - u1
    if u1 + u0:
        for name, k, n, u in (("sensitivity", tp, tp + fn + u1, u1), ("specificity", tn, tn + fp + u0, u0)):
            for case, more in (("worst", 0), ("best", u)):
                share = (k + more) / n if n else float("nan")
                found.append(_plain("accuracy", f"{name}_{case}_case", share, "unknown signs", n=k + more, total=n))
    return found


def prevalence(cases: TrialCases) -> list[TrialFigure]:
    """Return PPV and NPV at the prevalences asked for."""
    tables = _tables(cases.known("r1", "fluorescent"))
    if np.isnan(tables[0].youden.value):
        raise InputError("all lesions are R1 or all are R0; PPV and NPV need both kinds at another prevalence")
    found = []
    for at in cases.options.prevalences:
        main, naive = (evaluate.reweight(table, prevalence=at) for table in tables)
        for row in _rows("prevalence", main, main if tables[0] is tables[1] else naive, ("ppv", "npv"), ("", "")):
            name = f"{row.name}_at_{main.prevalence:g}"
            method = "Bayes with the likelihood ratios; prevalence taken as known"
            found.append(TrialFigure("prevalence", name, row.item, method, naive=row.naive, naive_method=_INDEPENDENT))
    return found


def _roc(section: str, column: str) -> Callable[[TrialCases], list[TrialFigure]]:
    def compute(cases: TrialCases) -> list[TrialFigure]:
        cases = cases.known("r1", column)
        r1, score, groups = cases.truth("r1"), cases.number(column), cases.patients
        naive = evaluate.roc(r1, score)
        main = naive if groups is None else evaluate.roc(r1, score, groups=groups)
        cases.curves.roc[column] = main
        cases.curves.lesions[column] = cases.chosen
        (row,) = _rows(section, main, naive, ("auc",), (main.ci_method, naive.ci_method))
        return [TrialFigure(section, "auc", row.item, row.method, None, cases.n, row.naive, row.naive_method)]

    return compute


def auc_difference(cases: TrialCases) -> list[TrialFigure]:
    """Return AUC of the score minus AUC of the predicted probability."""
    cases = cases.known("r1", "score", "p_r1")
    r1, first, second = cases.truth("r1"), cases.number("score"), cases.number("p_r1")
    naive = evaluate.compare_auc(r1, first, second)
    section = "score against predicted probability"
    ranks = [np.unique(of, return_inverse=True)[1] for of in (first, second)]
    if np.array_equal(ranks[0], ranks[1]) and 0 < r1.sum() < r1.size:
        why = "score and predicted probability rank the lesions alike: the difference is exactly 0"
        return [TrialFigure(section, "difference", Measurement(0.0), total=cases.n, why=why)]
    main = naive if cases.patients is None else evaluate.compare_auc(r1, first, second, groups=cases.patients)
    found = _rows(section, main, naive, ("difference",), (main.ci_method, naive.ci_method))
    return [*found, _plain(section, "p_value", main.p_value, main.ci_method, total=cases.n)]


def calibration(cases: TrialCases) -> list[TrialFigure]:
    """Return how well the predicted probabilities agree with histology."""
    cases = cases.known("r1", "p_r1")
    risk, r1 = cases.number("p_r1"), cases.truth("r1")
    naive = evaluate.calibration(risk, r1)
    main = naive if cases.patients is None else evaluate.calibration(risk, r1, groups=cases.patients)
    cases.curves.calibration = main
    names = ("intercept", "slope", "observed_to_expected")
    methods = (_INDEPENDENT if main is naive else "patients as clusters", _INDEPENDENT)
    rows = _rows("calibration", main, naive, names, methods)
    return [*rows, _plain("calibration", "brier", main.brier, total=cases.n)]


def decision(cases: TrialCases) -> list[TrialFigure]:
    """Return where following the sign, or the predicted probability, beats treating all and treating none.

    Net benefits are those of the same lesions, or they could not be compared: with predictions, the lesions that have
    both. The useful range of the sign comes from all lesions with a sign.
    """
    at = cases.options.risk_threshold
    grid = np.unique(np.append(np.arange(1, 100) / 100, at))
    index = int(np.searchsorted(grid, at))
    signed = compared = cases.known("r1", "fluorescent")
    policies = ["sign"]
    if cases.table.has("p_r1") and (both := signed.known("p_r1")).n:
        compared = both
        policies.append("p_r1")
    found = _useful_range(signed)
    cases.curves.decision_n = compared.n
    for name in policies:
        # A sign is a probability of 1 or 0: on whichever side of it the threshold lies, the sign is followed.
        risk = compared.truth("fluorescent").astype(np.float64) if name == "sign" else compared.number(name)
        curve = evaluate.decision_curve(risk, compared.truth("r1"), thresholds=grid, groups=compared.patients)
        cases.curves.decision[name] = curve
        low, high = (float(bound) for bound in curve.follow_ci[index])
        value, figure = float(curve.follow_sign[index]), f"net_benefit_{name}_at_{at:g}"
        if not np.isnan(low):
            item, why = Measurement(value, ci=(low, high)), ""
            method = "bootstrap over patients" if compared.patients else "bootstrap over lesions"
        elif not (risk >= at).any():
            item, method, why = Measurement(value), "", "no lesion is called R1 here: it is re-resecting none"
        else:
            item, method, why = Measurement(value, reason="too_few_cases"), "", ""
        found.append(TrialFigure("decision", figure, item, method, total=compared.n, why=why))
    treat_all = cases.curves.decision["sign"].treat_all[index]
    return [*found, _plain("decision", f"net_benefit_treat_all_at_{at:g}", treat_all, total=compared.n)]


def _useful_range(signed: TrialCases) -> list[TrialFigure]:
    """Return the risks between which following the sign is best; none is an answer, not a want of cases."""
    table = _tables(signed)[1]
    bounds = evaluate.decision_curve(table).useful_range
    never = np.isnan(bounds[0]) and min(table.tp + table.fn, table.fp + table.tn) > 0
    ends = zip(("useful_range_low", "useful_range_high"), bounds, strict=True)
    if never:
        why = "following the sign is never best"
        return [TrialFigure("decision", name, Measurement(bound), total=signed.n, why=why) for name, bound in ends]
    method = "from 1 - NPV to PPV, at the share of R1 in the table"
    return [_plain("decision", name, bound, method, total=signed.n) for name, bound in ends]


def re_resection(cases: TrialCases) -> list[TrialFigure]:
    """Return the change of R0 by re-resection."""
    cases = cases.known("r0_before", "r0_after")
    before, after = cases.truth("r0_before"), cases.truth("r0_after")
    naive = evaluate.mcnemar(before, after)
    main = naive if cases.patients is None else evaluate.mcnemar(before, after, groups=cases.patients)
    shares = [
        _plain("re-resection", name, values.mean(), n=int(values.sum()), total=cases.n)
        for name, values in (("r0_before", before), ("r0_after", after))
    ]
    changed = [
        _plain("re-resection", name, count / cases.n, n=count, total=cases.n)
        for name, count in (("converted_to_r0", main.gained), ("reverted_to_r1", main.lost))
    ]
    difference = _rows("re-resection", main, naive, ("difference",), (main.method, naive.method))
    tests = [
        _plain("re-resection", name, getattr(main, name), f"McNemar, {method}; {_INDEPENDENT}")
        for name, method in (("p_exact", "exact"), ("p_mid", "mid-P"), ("p_corrected", "continuity correction"))
    ]
    if main is not naive:
        tests.append(_plain("re-resection", "p_clustered", main.p_clustered, "McNemar over patients"))
    return [*shares, *changed, *difference, *tests]


def learning_curve(cases: TrialCases) -> list[TrialFigure]:
    """Return false positives in the first procedures of each centre against later ones."""
    cases = cases.known("r1", "fluorescent", "procedure")
    number = cases.number("procedure").astype(np.int64)
    told: dict[str, Any] = {"procedure": number, "first": cases.options.first}
    r1, sign = cases.truth("r1"), cases.truth("fluorescent")
    naive = evaluate.learning_curve(r1, sign, **told)
    main = naive if cases.patients is None else evaluate.learning_curve(r1, sign, **told, groups=cases.patients)
    section = "learning curve"
    shares = [
        _plain(section, f"false_positive_{when}", k / n if n else float("nan"), n=k, total=n)
        for when, k, n in (
            (f"first_{cases.options.first}", main.false_positive_early, main.r0_early),
            ("later", main.false_positive_late, main.r0_late),
        )
    ]
    ratio = _rows(section, main, naive, ("odds_ratio",), (main.method, naive.method))
    return [*shares, *ratio, _plain(section, "p_value", main.p_value, main.method)]


def centres(cases: TrialCases) -> list[TrialFigure]:
    """Return sensitivity and specificity centre by centre, and whether they differ."""
    cases = cases.known("r1", "fluorescent", "centre")
    found = evaluate.compare_centres(
        cases.truth("r1"), cases.truth("fluorescent"), centre=cases.text("centre"), groups=cases.patients
    )
    rows = []
    for centre, table in zip(found.centres, found.tables, strict=True):
        method = table.ci_method.partition(":")[0]  # without the number of patients, another one at each centre
        for name, k, n in (
            ("sensitivity", table.tp, table.tp + table.fn),
            ("specificity", table.tn, table.tn + table.fp),
        ):
            rows.append(TrialFigure("centres", f"{name}, {centre}", getattr(table, name), method, k, n))
    for name in ("sensitivity", "specificity"):
        why = [note.partition(": ")[2] for note in found.notes if note.startswith(f"{name}:")]
        value = getattr(found, f"{name}_p")
        rows.append(_plain("centres", f"{name}_p_value", value, "; ".join(why) or found.method))
    return rows


def agreement(cases: TrialCases) -> list[TrialFigure]:
    """Return how the measured margin agrees with that of pathology, in mm."""
    cases = cases.known("measured_mm", "margin_mm")
    pair = cases.number("measured_mm"), cases.number("margin_mm")
    naive = evaluate.bland_altman(*pair)
    main = naive if cases.patients is None else evaluate.bland_altman(*pair, groups=cases.patients)
    names = ("bias", "lower_limit", "upper_limit", "slope")
    rows = _rows("agreement", main, naive, names, (main.method, naive.method))
    return [*rows, _plain("agreement", "sd", main.sd, main.method, total=cases.n)]


def management(cases: TrialCases) -> list[TrialFigure]:
    """Return the share of patients whose surgery changed."""
    cases = cases.known("management_changed")
    found = evaluate.change_in_management(cases.truth("management_changed"), groups=cases.patients)
    method = f"{found.ci_method}, over {found.unit}"
    return [TrialFigure("change in management", "changed", found.share, method, found.changed, found.n)]


def _no_prevalence(cases: TrialCases) -> str | None:
    return None if cases.options.prevalences else "no --prevalence was given"


def _one_centre(cases: TrialCases) -> str | None:
    known = cases.known("r1", "fluorescent", "centre")
    return "all lesions are of one centre" if len(set(known.text("centre"))) == 1 else None


SECTIONS = (
    Section("accuracy", ("r1", "fluorescent"), accuracy),
    Section("prevalence", ("r1", "fluorescent"), prevalence, _no_prevalence),
    Section("score", ("r1", "score"), _roc("score", "score")),
    Section("predicted probability", ("r1", "p_r1"), _roc("predicted probability", "p_r1")),
    Section("score against predicted probability", ("r1", "score", "p_r1"), auc_difference),
    Section("calibration", ("r1", "p_r1"), calibration),
    Section("decision", ("r1", "fluorescent"), decision),
    Section("re-resection", ("r0_before", "r0_after"), re_resection),
    Section("learning curve", ("r1", "fluorescent", "procedure"), learning_curve),
    Section("centres", ("r1", "fluorescent", "centre"), centres, _one_centre),
    Section("agreement", ("measured_mm", "margin_mm"), agreement),
    Section("change in management", ("management_changed",), management),
)
