"""The evaluation of a margin trial: who counts, every section that the columns allow, and what to be warned of."""

from __future__ import annotations

from collections import Counter

import numpy as np
from tqdm import tqdm

from pyicg._outcomes import BoolArray
from pyicg.errors import InputError
from pyicg.io._trial_table import TrialTable
from pyicg.trial_results import FlowStep, TrialAnalysis, TrialCases, TrialCurves, TrialFigure, TrialOptions
from pyicg.trial_sections import SECTIONS

__all__ = ["analyse_trial"]

_FEW = 5
_VERIFICATION = (
    "verification bias: a positive sign leads to re-resection and so to more histology than a negative one; the usual "
    "effect is a sensitivity too high and a specificity too low"
)


def analyse_trial(table: TrialTable, options: TrialOptions, *, progress: bool = False) -> TrialAnalysis:
    """Evaluate a trial.

    Parameters
    ----------
    table : TrialTable
        One row per lesion.
    options : TrialOptions
        Intervals, prevalences and thresholds.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    TrialAnalysis
        Sections whose columns are missing are skipped; those whose data do not do are refused with the error's words.

    Raises
    ------
    InputError
        No lesion is left with a known histology and sign, or patients are wanted and not known.
    """
    curves = TrialCurves()
    cases = TrialCases(table, options, ~table.excluded, curves)
    if cases.n == 0:
        reasons = ", ".join(f"{reason} {count}" for reason, count in Counter(table.texts["excluded"]).most_common())
        raise InputError(
            f"{table.path}: all {table.n} lesions are excluded ({reasons}); expected an empty cell or no in the column "
            f"{table.columns['excluded']} where a lesion counts"
        )
    if cases.known("r1", "fluorescent").n == 0:
        raise InputError(
            f"{table.path}: no lesion has both a histology and a sign and is not excluded; nothing can be evaluated"
        )
    if options.ci in {"bca", "gee"} and cases.known("r1", "fluorescent").patients is None:
        raise InputError(
            f"{table.path}: --ci {options.ci} needs to know the patients, at least two of them; name their column with "
            "--group"
        )
    figures: list[TrialFigure] = []
    skipped, refused = {}, {}
    for section in tqdm(SECTIONS, desc="evaluating", leave=False, disable=None if progress else True):
        lacking = [name for name in section.needs if not table.has(name)]
        if lacking:
            skipped[section.name] = f"no column {' and '.join(lacking)}"
        elif cases.known(*section.needs).n == 0:
            refused[section.name] = f"no lesion that counts has a value in {' and '.join(section.needs)}"
        elif (why := section.superfluous(cases)) is not None:
            skipped[section.name] = why
        else:
            try:
                figures += section.compute(cases)
            except InputError as error:
                refused[section.name] = str(error)
    return TrialAnalysis(
        table=table,
        options=options,
        figures=tuple(figures),
        flow=_flow(table),
        skipped=skipped,
        refused=refused,
        warnings=tuple(_warnings(cases)),
        curves=curves,
    )


def _flow(table: TrialTable) -> tuple[FlowStep, ...]:
    """Return the counts of a STARD 2015 flow diagram."""

    def step(words: str, chosen: BoolArray, *, lost: bool = False) -> FlowStep:
        if table.patients is None:
            return FlowStep(words, int(chosen.sum()), None, lost)
        seen = {name for name, there in zip(table.patients, chosen, strict=True) if there}
        return FlowStep(words, int(chosen.sum()), len(seen), lost)

    kept = ~table.excluded
    steps = [step("in the file", np.ones(table.n, dtype=np.bool_))]
    reasons = table.texts.get("excluded", ("",) * table.n)
    for reason in sorted(Counter(reasons)):
        if reason:
            chosen = np.array([text == reason for text in reasons])
            steps.append(step(f"excluded: {reason}", chosen, lost=True))
    sign = kept & table.known("fluorescent")
    analysed = sign & table.known("r1")
    steps.append(step("sign unknown (indeterminate)", kept & ~sign, lost=True))
    r1, positive = table.values["r1"] == 1, table.values["fluorescent"] == 1
    steps.append(step("histology unknown, fluorescent", sign & ~analysed & positive, lost=True))
    steps.append(step("histology unknown, not fluorescent", sign & ~analysed & ~positive, lost=True))
    steps.append(step("analysed", analysed))
    for words, chosen in (
        ("fluorescent, R1 (true positive)", positive & r1),
        ("fluorescent, R0 (false positive)", positive & ~r1),
        ("not fluorescent, R1 (false negative)", ~positive & r1),
        ("not fluorescent, R0 (true negative)", ~positive & ~r1),
    ):
        steps.append(step(words, analysed & chosen))
    return tuple(steps)


def _warnings(cases: TrialCases) -> list[str]:
    table, found, accuracy = cases.table, [_VERIFICATION], cases.curves.accuracy
    found += _histology_missing(cases)
    if 3 * cases.n < 2 * table.n:
        found.append(
            f"{table.n - cases.n} of {table.n} lesions are excluded, more than a third: the others may not stand for "
            "them; the flow lists the reasons"
        )
    analysed = cases.known("r1", "fluorescent")
    if table.patients is None:
        found.append(
            "the patients are not known: lesions of one patient are alike, so every interval here is too narrow; name "
            "the patient's column with --group"
        )
    elif analysed.patients is None:
        found.append("all lesions are of one patient: no interval says anything about others")
    elif len(set(analysed.patients)) < analysed.n:
        found.append(
            f"{analysed.n} lesions of {len(set(analysed.patients))} patients: quote the clustered intervals; the naive "
            "ones take lesions as independent and are too narrow"
        )
    unknown = cases.known("r1").n - analysed.n
    if unknown:
        found.append(
            f"{unknown} lesions with an unknown sign are left out; worst and best case in the table say what they "
            "could change"
        )
    if accuracy is not None:
        cells = {"true positive": accuracy.tp, "false negative": accuracy.fn}
        cells |= {"false positive": accuracy.fp, "true negative": accuracy.tn}
        few = ", ".join(f"{name} {count}" for name, count in cells.items() if count < _FEW)
        if few:
            found.append(f"cells with fewer than {_FEW} lesions ({few}): their figures say little")
    return [*found, *_other_lesions(cases), *table.notes]


def _histology_missing(cases: TrialCases) -> list[str]:
    """Tell the shares by sign: histology that is missing more often under one sign biases the accuracy."""
    signed = cases.known("fluorescent")
    positive, missing = signed.truth("fluorescent"), np.isnan(signed.number("r1"))
    if not missing.any():
        return []
    shares = [
        f"{missing[of].mean():.0%} of {words} lesions ({missing[of].sum()} of {of.sum()})".replace("%", " %")
        for words, of in (("fluorescent", positive), ("dark", ~positive))
        if of.any()
    ]
    return [
        f"histology is missing in {' and '.join(shares)}: these lesions are left out; where the sign decides who gets "
        "a histology, sensitivity and specificity are biased"
    ]


def _other_lesions(cases: TrialCases) -> list[str]:
    """Tell which curves rest on other lesions than their neighbours."""
    curves, found = cases.curves, []
    if curves.lesions and curves.roc_differ:
        counts = ", ".join(f"{name} {of.sum()}" for name, of in curves.lesions.items())
        found.append(f"the ROC curves rest on different lesions ({counts}): their areas cannot be compared by eye")
    signed = cases.known("r1", "fluorescent").n
    predicted = cases.known("r1", "p_r1").n if "p_r1" in curves.decision else signed
    if max(signed, predicted) > curves.decision_n > 0:
        found.append(
            f"net benefits and decision curves rest on the {curves.decision_n} lesions that have both a sign and p_r1, "
            f"of {signed} with a sign and {predicted} with p_r1"
        )
    return found
