"""The table of a margin trial: one row per lesion, with its histology, its sign and what else was recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pyicg._outcomes import BoolArray, FloatArray
from pyicg.errors import InputError
from pyicg.io._text_table import TextTable, read_text_table

__all__ = ["COLUMNS", "TrialTable", "read_trial_table"]

UNKNOWN = frozenset({"", "unknown", "na", "n/a", "nan", "?"})
_ENGLISH = {"ja": "yes", "oui": "yes", "nein": "no", "non": "no"}
_TRUE, _FALSE = frozenset({"true", "1", "1.0", "yes"}), frozenset({"false", "0", "0.0", "no"})
_NOT_EXCLUDED = _FALSE | {"-", "–", "—", "none", "nein", "included"}
_BOOLEANS = ("r1", "fluorescent", "r0_before", "r0_after", "management_changed", "simulated")
_NUMBERS = ("margin_mm", "measured_mm", "score", "p_r1", "procedure")
_TEXTS = ("lesion_id", "centre", "excluded", "source")
_ALSO = {"margin_mm": "pathology_mm", "score": "sbr"}
COLUMNS = ("patient_id", *_BOOLEANS, *_NUMBERS, *_TEXTS)
"""Names under which columns are looked for; any of them can be mapped to another name."""
_DEFAULT_GROUP = "patient_id"
_FAR_MM = 100.0  # a margin beyond it is more likely a code for unknown
_OF_SCORE = frozenset({"lesion", "index", "completeness", "pattern"})  # columns of the lesions.csv of `pyicg score`


@dataclass(frozen=True, eq=False)
class TrialTable:
    """What a trial recorded, one element per lesion; NaN and an empty text are unknown.

    Attributes
    ----------
    path, digest : Path, str
        The file and its SHA-256.
    values : mapping of str to ndarray of float64 (N,)
        Columns of numbers and of truth values (1.0, 0.0), by name. ``r1`` and ``fluorescent`` are always there.
    texts : mapping of str to tuple of str
        ``lesion_id``, ``centre``, ``excluded``, ``source`` where the file has them.
    patients : tuple of str or None
        Patient of each lesion.
    group : str or None
        Column that named them.
    ignored : tuple of str
        Columns that have no meaning here.
    notes : tuple of str
        What was assumed on reading.
    columns : mapping of str to str
        The column in the file for each name that has one.
    threshold_mm, tie : float or None, str or None
        The rule that made R1 out of ``margin_mm``; None where a column ``r1`` decides.
    """

    path: Path
    digest: str
    values: Mapping[str, FloatArray]
    texts: Mapping[str, tuple[str, ...]]
    patients: tuple[str, ...] | None
    group: str | None
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    columns: Mapping[str, str]
    threshold_mm: float | None
    tie: str | None

    @property
    def n(self) -> int:
        """Number of lesions in the file."""
        return self.values["r1"].size

    @property
    def simulated(self) -> bool:
        """Whether any row says that it is simulated."""
        return bool((self.values.get("simulated", np.zeros(1)) == 1).any())

    @property
    def excluded(self) -> BoolArray:
        """Lesions with a reason for leaving them out."""
        return np.array([text != "" for text in self.texts.get("excluded", ("",) * self.n)])

    def has(self, column: str) -> bool:
        """Return whether the file has a column."""
        return column in self.values or column in self.texts

    def known(self, column: str) -> BoolArray:
        """Return which lesions have a value in a column."""
        if column in self.values:
            return ~np.isnan(self.values[column])
        return np.array([text != "" for text in self.texts[column]])


def read_trial_table(
    path: Path,
    *,
    group: str | None = None,
    names: Mapping[str, str] | None = None,
    threshold_mm: float = 1.0,
    tie: Literal["R0", "R1"] = "R0",
) -> TrialTable:
    """Read the table of a trial.

    Parameters
    ----------
    path : Path
        CSV with a first line of column names; see `COLUMNS`.
    group : str, optional
        Column that names the patient; ``patient_id`` when there is one.
    names : mapping, optional
        Name in `COLUMNS` to the name in the file. Without it capital letters make no difference.
    threshold_mm, tie : float, {"R0", "R1"}
        Where there is no column ``r1``: a margin below the threshold is R1, one exactly at it is `tie`.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column that is needed, or a cell does not hold what its column needs. The
        message names file, line and column.
    """
    table = read_text_table(path)
    found = _find_columns(table, names or {})
    column = _group_column(table, group, found)
    _require(table, found)
    values = {name: _booleans(table, found[name], name) for name in _BOOLEANS if name in found}
    values |= {name: _numbers(table, found[name], _CHECKS.get(name)) for name in _NUMBERS if name in found}
    texts = {name: tuple(_plain(text) for _, text in table.cells(found[name])) for name in _TEXTS if name in found}
    if "excluded" in texts:
        texts["excluded"] = tuple("" if text.casefold() in _NOT_EXCLUDED else text for text in texts["excluded"])
    notes = [
        f"{far} lesions have a {name} beyond {_FAR_MM:g} mm: where that is a code for unknown, leave the cell empty"
        for name in ("margin_mm", "measured_mm")
        if name in values and (far := int((np.abs(values[name]) > _FAR_MM).sum()))
    ]
    patients = None if column is None else _patients(table, column)
    if patients is not None and "centre" in texts:
        patients, again = _by_centre(table, patients, texts["centre"])
        if again:
            notes.append(
                f"{again} patient ids occur at more than one centre and are taken as different people at each; give "
                "one who was treated at two centres the same centre in every row"
            )
    if "lesion_id" in found:
        _no_lesion_twice(table, texts["lesion_id"], patients)
    if "margin_mm" in values:
        margin = values["margin_mm"]
        below = (margin < threshold_mm) | ((margin == threshold_mm) & (tie == "R1"))
        by_margin = np.where(np.isnan(margin), np.nan, below)
        if "r1" in values:
            differ = int((np.abs(by_margin - values["r1"]) == 1).sum())
            if differ:
                notes.append(
                    f"r1 disagrees with margin_mm at {threshold_mm:g} mm in {differ} lesions: r1 counts, look at them"
                )
        else:
            values["r1"] = by_margin
            notes.append(f"R1 is a margin under {threshold_mm:g} mm, and one of exactly {threshold_mm:g} mm is {tie}")
    used = {*found.values(), column}
    return TrialTable(
        path=path,
        digest=table.digest,
        values=values,
        texts=texts,
        patients=patients,
        group=column,
        ignored=tuple(name for name in table.header if name not in used),
        notes=tuple(notes),
        columns=found,
        threshold_mm=None if "r1" in found else threshold_mm,
        tie=None if "r1" in found else tie,
    )


def _find_columns(table: TextTable, names: Mapping[str, str]) -> dict[str, str]:
    """Return the column in the file for each name that has one."""
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise InputError(f"no column is called {unknown[0]!r} here; expected one of {', '.join(sorted(COLUMNS))}")
    by_lower: dict[str, list[str]] = {}
    for name in table.header:
        by_lower.setdefault(name.casefold(), []).append(name)
    found = {}
    for name in COLUMNS:
        if name in names:
            if names[name] not in table.header:
                raise InputError(
                    f"{table.path}: has no column {names[name]!r} for {name}; found {', '.join(table.header)}"
                )
            found[name] = names[name]
            continue
        candidates = [*by_lower.get(name, ()), *by_lower.get(_ALSO.get(name, ""), ())]
        if len(candidates) > 1:
            raise InputError(
                f"{table.path}: {' and '.join(candidates)} may both be {name}; say which: --column {name}="
                f"{candidates[0]}"
            )
        if candidates:
            found[name] = candidates[0]
    for column in found.values():
        roles = [name for name in COLUMNS if found.get(name) == column]
        if len(roles) > 1:
            raise InputError(
                f"{table.path}: column {column!r} is used for {' and '.join(roles)}, expected a column of its own for "
                "each; take one --column out, or copy the column"
            )
    return found


def _group_column(table: TextTable, group: str | None, found: Mapping[str, str]) -> str | None:
    if group is None:
        return found.get(_DEFAULT_GROUP)
    if group not in table.header:
        raise InputError(
            f"{table.path}: has no column {group!r} that names the patient; found {', '.join(table.header)}"
        )
    role = next((name for name, column in found.items() if column == group), "")
    if role in {*_BOOLEANS, *_NUMBERS} - {"procedure"}:
        raise InputError(f"{table.path}: column {group!r} holds {role}, expected one that names the patient in --group")
    return group


def _require(table: TextTable, found: Mapping[str, str]) -> None:
    if "fluorescent" in found and ("r1" in found or "margin_mm" in found):
        return
    if set(table.header) >= _OF_SCORE and "r1" not in found:
        raise InputError(
            f"{table.path}: looks like the lesions.csv of pyicg score, one row per lesion and slice and without "
            "histology; expected one row per lesion. Keep one row of each lesion, and join patient_id, r1 (or "
            "margin_mm) from pathology, and fluorescent; "
            "lesion_distance_mm can serve as measured_mm, lesion_p_r1 as p_r1"
        )
    missing = []
    if "r1" not in found and "margin_mm" not in found:
        missing.append("r1 (or margin_mm, the margin of pathology)")
    if "fluorescent" not in found:
        missing.append("fluorescent")
    raise InputError(
        f"{table.path}: lacks {' and '.join(missing)}; found {', '.join(table.header)}. Add the column, or say which "
        "one it is: --column r1=NAME"
    )


def _plain(text: str) -> str:
    return "" if text.casefold() in UNKNOWN else text


def _booleans(table: TextTable, column: str, name: str) -> FloatArray:
    """Return 1, 0 and NaN; columns about R0 or R1 may say so in these words."""
    positive = {"r1": {"r1"}, "r0_before": {"r0"}, "r0_after": {"r0"}}.get(name, set())
    negative = {"r0", "r1"} - positive if positive else set()
    expected = "yes or no, true or false, 1 or 0" + (", R0 or R1" if positive else "") + ", or nothing when unknown"

    def value(line: int, text: str) -> float:
        word = text.casefold()
        if word in UNKNOWN:
            return math.nan
        if word in _TRUE | positive:
            return 1.0
        if word in _FALSE | negative:
            return 0.0
        hint = f"; write {_ENGLISH[word]} for {text!r}" if word in _ENGLISH else ""
        raise table.wrong(line, column, text, expected + hint)

    return np.array([value(line, text) for line, text in table.cells(column)])


_CHECKS: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "p_r1": (lambda p: 0 <= p <= 1, "a probability from 0 to 1"),
    "margin_mm": (
        lambda margin: margin >= 0,
        "a margin of 0 mm or more: codes such as -9 or 999 are no margins, leave the cell empty when it is unknown",
    ),
    "procedure": (lambda k: k >= 1 and k == int(k), "a whole number from 1: the running number within the centre"),
}


def _numbers(table: TextTable, column: str, check: tuple[Callable[[float], bool], str] | None) -> FloatArray:
    found = []
    for line, text in table.cells(column):
        value = math.nan if text.casefold() in UNKNOWN else table.number(line, column, text)
        if check is not None and not math.isnan(value) and not check[0](value):
            raise table.wrong(line, column, text, check[1])
        found.append(value)
    return np.array(found)


def _patients(table: TextTable, column: str) -> tuple[str, ...]:
    for line, text in table.cells(column):
        if _plain(text) == "":
            raise table.wrong(line, column, text, "the patient of this lesion: fill it in")
    return tuple(text for _, text in table.cells(column))


def _by_centre(table: TextTable, patients: tuple[str, ...], centres: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Return patients told apart by centre where centres number theirs anew, and how many ids that concerns."""
    seen: dict[str, set[str]] = {}
    for patient, centre in zip(patients, centres, strict=True):
        if centre:
            seen.setdefault(patient, set()).add(centre)
    again = {patient for patient, at in seen.items() if len(at) > 1}
    for (line, _), patient, centre in zip(table.rows, patients, centres, strict=True):
        if patient in again and not centre:
            raise InputError(
                f"{table.path}, line {line}: found no centre for patient {patient}, whose id occurs at more than one, "
                "expected the centre: fill it in"
            )
    keys = (f"{p} at {c}" if p in again else p for p, c in zip(patients, centres, strict=True))
    return tuple(keys), len(again)


def _no_lesion_twice(table: TextTable, ids: tuple[str, ...], patients: tuple[str, ...] | None) -> None:
    """Refuse a lesion that has two rows; numbers may start anew with each patient."""
    seen: dict[tuple[str, str], int] = {}
    for row, (line, _) in enumerate(table.rows):
        key = ("" if patients is None else patients[row], ids[row])
        if ids[row] and key in seen:
            of_patient = "" if patients is None else f" of patient {patients[row]}"
            raise InputError(
                f"{table.path}, lines {seen[key]} and {line}: lesion {ids[row]}{of_patient} is there twice; expected "
                "one row per lesion"
            )
        seen[key] = line
