"""The evaluation of a trial as CSV, JSON, Markdown and a few lines for the terminal."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from pyicg import _core
from pyicg._terminal import aligned
from pyicg.io._tables import csv_table
from pyicg.report.words import RESEARCH_ONLY, sentence
from pyicg.results import Measurement, to_plain
from pyicg.trial_results import TrialAnalysis, TrialFigure

__all__ = ["accuracy_csv", "flow_csv", "label", "markdown", "summary_json", "terminal", "title"]

_SCHEMA = 1
_LIBRARIES = ("numpy", "scipy", "statsmodels", "scikit-learn", "matplotlib")
_LABELS = {
    "ppv": "PPV",
    "npv": "NPV",
    "lr_positive": "LR+",
    "lr_negative": "LR−",
    "dor": "diagnostic odds ratio",
    "youden": "Youden index",
    "auc": "AUC",
    "auc_nonparametric": "AUC of the sign, nonparametric interval",
    "brier": "Brier score",
    "intercept": "calibration in the large (intercept)",
    "slope": "slope",
    "p_exact": "P, exact",
    "p_mid": "P, mid-P",
    "p_corrected": "P, continuity correction",
    "p_clustered": "P, patients as clusters",
    "p_value": "P",
    "useful_range_low": "following the sign is best from a risk of",
    "useful_range_high": "up to a risk of",
    "r0_before": "R0 before",
    "r0_after": "R0 after",
    "converted_to_r0": "converted to R0",
    "reverted_to_r1": "reverted to R1",
    "difference": "difference",
    "bias": "bias: measured minus pathology, mm",
    "lower_limit": "lower limit of agreement, mm",
    "upper_limit": "upper limit of agreement, mm",
    "sd": "standard deviation of the differences, mm",
}
_MAIN = ("sensitivity", "specificity", "ppv", "npv", "auc")


def title(analysis: TrialAnalysis) -> str:
    """Return what the data are, for the top of every page and figure."""
    sources = sorted({text for text in analysis.table.texts.get("source", ()) if text})
    words = ["SIMULATED data"] if analysis.table.simulated else []
    words += [f"{source.upper()} data" for source in sources]
    return ", ".join(words)


def label(name: str) -> str:
    """Return the name of a figure for people.

    Examples
    --------
    >>> label("ppv_at_0.126"), label("sensitivity_worst_case"), label("net_benefit_p_r1_at_0.2")
    ('PPV at 0.126', 'sensitivity worst case', 'net benefit P(R1) at 0.2')
    """
    stem, at, where = name.partition("_at_")
    words = _LABELS.get(stem, stem.replace("p_r1", "P(R1)").replace("_p_value", ": P").replace("_", " "))
    return f"{words} at {where}" if at else words


def accuracy_csv(analysis: TrialAnalysis) -> bytes:
    """Return one row per figure; empty cells are unknown."""
    return csv_table([_record(row) for row in analysis.figures])


def flow_csv(analysis: TrialAnalysis) -> bytes:
    """Return one row per step of the flow."""
    return csv_table([asdict(step) for step in analysis.flow])


def _record(row: TrialFigure) -> dict[str, Any]:
    naive = row.naive or Measurement(math.nan)
    return {
        "section": row.section,
        "figure": row.name,
        "value": row.item.value,
        "lo": row.item.ci[0],
        "hi": row.item.ci[1],
        "n": row.n,
        "N": row.total,
        "method": row.method,
        "reason": row.why or row.item.reason or "",
        "naive_lo": naive.ci[0],
        "naive_hi": naive.ci[1],
        "naive_method": row.naive_method,
    }


def summary_json(analysis: TrialAnalysis) -> bytes:
    """Return everything in one file, with versions, options and the digest of the input."""
    table = analysis.table
    curves = analysis.curves
    counts = None if curves.accuracy is None else {k: getattr(curves.accuracy, k) for k in ("tp", "fn", "fp", "tn")}
    content = {
        "schema": _SCHEMA,
        "pyicg": _core.version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "note": RESEARCH_ONLY,
        "data": title(analysis) or "as given",
        "simulated": table.simulated,
        "input": {"file": table.path.name, "sha256": table.digest, "lesions": table.n, "patient_column": table.group},
        "ignored_columns": table.ignored,
        "options": {
            **asdict(analysis.options),
            "threshold_mm": table.threshold_mm,
            "tie": table.tie,
            "columns": table.columns,
        },
        "flow": [asdict(step) for step in analysis.flow],
        "counts": counts,
        "figures": [asdict(row) for row in analysis.figures],
        "skipped": analysis.skipped,
        "refused": analysis.refused,
        "warnings": analysis.warnings,
        "curves": {"roc": curves.roc, "decision": curves.decision, "calibration": curves.calibration},
    }
    return (json.dumps(to_plain(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def markdown(analysis: TrialAnalysis, pictures: Sequence[str]) -> bytes:
    """Return the page: warnings, flow, a table per section, figures, and what was left out."""
    table = analysis.table
    what = title(analysis)
    lines = [f"# {what + ': ' if what else ''}evaluation of {_text(table.path.name)}", "", RESEARCH_ONLY, ""]
    lines += ["## Read this first", "", *(f"- {_text(words)}" for words in analysis.warnings), ""]
    lines += ["## Flow of lesions (after STARD 2015)", ""]
    flow = [[("− " if s.lost else "") + _text(s.step), str(s.lesions), _count(s.patients)] for s in analysis.flow]
    lines += _table(["step", "lesions", "patients"], flow)
    for section in dict.fromkeys(row.section for row in analysis.figures):
        rows = [row for row in analysis.figures if row.section == section]
        lines += [f"## {section.capitalize()}", "", *_figures(rows)]
        if section == "accuracy" and analysis.curves.accuracy is not None:
            notes = [note for note in analysis.curves.accuracy.notes if note not in analysis.warnings]
            lines += [*(f"- {_text(note)}" for note in notes), ""]
    if pictures:
        lines += [
            "## Figures",
            "",
            *(f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in pictures),
            "",
        ]
    left = [f"- {name}: {words}" for name, words in analysis.skipped.items()]
    left += [f"- {name}: REFUSED: {_text(words)}" for name, words in analysis.refused.items()]
    lines += ["## Left out", "", *(left or ["Nothing."]), ""]
    if table.ignored:
        lines += [f"Columns without a meaning here: {_text(', '.join(table.ignored))}.", ""]
    lines += [f"pyicg {_core.version()}; SHA-256 of the input {table.digest}"]
    return ("\n".join(lines) + "\n").encode()


def _figures(rows: Sequence[TrialFigure]) -> list[str]:
    """Return a table; a method that several figures share stands above it once."""
    shared, times = Counter(row.method for row in rows).most_common(1)[0]
    shared = shared if times > 1 else ""
    naive_methods = sorted({row.naive_method for row in rows if row.naive is not None})
    clustered = bool(naive_methods)
    header = ["figure", "value", "95 % interval", *(["naive interval"] if clustered else []), "lesions", "remark"]
    cells = []
    for row in rows:
        naive = [] if not clustered else ["" if row.naive is None else _interval(row.naive)]
        of = _count(row.n) + (f" of {row.total}" if row.n is not None else _count(row.total))
        why = row.why or (sentence(row.item.reason) if row.item.reason else "")
        remarks = ["" if row.method == shared else row.method, why]
        remark = _text("; ".join(part for part in remarks if part))
        cells.append([_text(label(row.name)), _value(row), _interval(row.item), *naive, of, remark])
    above = [f"Method: {_text(shared)}."] if shared else []
    above += [f"Naive: {_text('; '.join(naive_methods))}."] if clustered else []
    return [*([" ".join(above), ""] if above else []), *_table(header, cells)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def _text(words: str) -> str:
    """Return words from a file so that Markdown shows them as they are, in one cell."""
    for sign in "\\`*_{}[]<>#|":
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", " ")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3f}" if 0.001 <= abs(value) < 10 or value == 0 else f"{value:.3g}"


def _value(row: TrialFigure) -> str:
    return ("none" if row.why else "undefined") if math.isnan(row.item.value) else _number(row.item.value)


def _interval(item: Measurement) -> str:
    low, high = item.ci
    return "" if math.isnan(low) or math.isnan(high) else f"{_number(low)} to {_number(high)}"


def terminal(analysis: TrialAnalysis) -> str:
    """Return the figures most people look for, the warnings and what was left out."""
    what = title(analysis)
    analysed = next(step for step in analysis.flow if step.step == "analysed")
    of = "" if analysed.patients is None else f" of {analysed.patients} patients"
    lines = [f"{what}\n" if what else "", f"{analysed.lesions} lesions{of} analysed, {analysis.table.n} in the file\n"]
    rows = [row for row in analysis.figures if row.section == "accuracy" and row.name in _MAIN]
    cells = [("figure", "value", "95 % interval", "naive interval" if any(row.naive for row in rows) else "")]
    cells += [
        (label(row.name), _value(row), _interval(row.item), "" if row.naive is None else _interval(row.naive))
        for row in rows
    ]
    lines += [aligned(cells), ""]
    lines += [f"WARNING {words}" for words in analysis.warnings]
    if analysis.skipped:
        lines.append(f"skipped: {'; '.join(f'{name} ({words})' for name, words in analysis.skipped.items())}")
    lines += [f"REFUSED {name}: {words}" for name, words in analysis.refused.items()]
    refused = [f"{row.section}: {label(row.name)}" for row in analysis.figures if row.refused]
    if refused:
        lines.append(f"UNDEFINED, or without an interval: {'; '.join(refused)}")
    if analysis.table.ignored:
        lines.append(f"ignored columns: {', '.join(analysis.table.ignored)}")
    return "\n".join(line for line in lines if line is not None).lstrip("\n")
