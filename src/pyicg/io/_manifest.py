"""A table of camera series: one row per stack of frames, with what it shows and its exposure."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyicg.errors import InputError

__all__ = ["SeriesRow", "of_kind", "partner", "read_manifest", "read_pairs"]

SAME_EXPOSURE = 1e-3  # exposures closer than this share are one
_REQUIRED = ("kind", "file", "exposure_ms")
_OPTIONAL = ("photons",)


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One stack: `kind` of frames, `file` (a file, folder or pattern), `exposure_ms`, `photons` per pixel or None."""

    kind: str
    file: Path
    exposure_ms: float
    photons: float | None
    line: int


def read_manifest(path: Path, kinds: Collection[str]) -> tuple[SeriesRow, ...]:
    """Read a CSV table with the columns kind, file, exposure_ms and, if wanted, photons.

    Parameters
    ----------
    path : Path
        The table. Files in it are relative to its folder.
    kinds : collection of str
        What a row may be.

    Raises
    ------
    InputError
        When the table cannot be read, or a column, kind, number or file name is missing or wrong; the message names the
        line.
    """
    rows = []
    for line, cells in _table(path, _REQUIRED, _OPTIONAL):
        kind, name = cells["kind"].strip(), cells["file"].strip()
        if kind not in kinds:
            raise InputError(f"{path}, line {line}: kind is {kind!r}; expected one of {', '.join(kinds)}")
        if not name:
            raise InputError(f"{path}, line {line}: file is empty; expected a file, folder or pattern of frames")
        exposure = _positive(path, line, "exposure_ms", cells["exposure_ms"])
        given = cells.get("photons", "").strip()
        # Light off is no photons, so the dark rows of a table may say 0.
        photons = _positive(path, line, "photons", given) if given and kind in {"bright", "flat"} else None
        rows.append(SeriesRow(kind, path.parent / name, exposure, photons, line))
    if not rows:
        raise InputError(f"{path}: holds no rows; expected one row per stack of frames")
    return tuple(rows)


def of_kind(rows: Iterable[SeriesRow], kind: str) -> tuple[SeriesRow, ...]:
    """Return the rows of one kind."""
    return tuple(row for row in rows if row.kind == kind)


def partner(row: SeriesRow, others: Sequence[SeriesRow]) -> SeriesRow | None:
    """Return the one among `others` that has the exposure of `row`, or None."""
    return next(
        (other for other in others if math.isclose(other.exposure_ms, row.exposure_ms, rel_tol=SAME_EXPOSURE)), None
    )


def read_pairs(path: Path, columns: tuple[str, str]) -> tuple[tuple[float, float], ...]:
    """Read a CSV table of two columns of numbers.

    Raises
    ------
    InputError
        When the table cannot be read, or a column or number is missing or wrong.
    """
    return tuple(
        (_number(path, line, columns[0], cells[columns[0]]), _number(path, line, columns[1], cells[columns[1]]))
        for line, cells in _table(path, columns)
    )


def _table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Return (line, cells by column) of a CSV table; blank lines do not count."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table in UTF-8 ({error}); save it as comma separated text") from error
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}; expected a CSV table with {', '.join(required)}"
        ) from error
    header = [name.strip() for name in lines[0][1]] if lines else []
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{path}: columns are parted by semicolons; expected commas, and points in decimal numbers")
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in (*required, *optional)]
    if missing or unknown or len(set(header)) != len(header):
        expected = ", ".join(required) + "".join(f"[, {name}]" for name in optional)
        raise InputError(
            f"{path}: columns are {', '.join(header) or 'missing'}; expected {expected}, each once, in the first line"
        )
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {line}: found {len(row)} cells; expected {len(header)} as in the first line"
            )
    return [(line, dict(zip(header, row, strict=True))) for line, row in lines[1:]]


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{path}, line {line}: {column} is {text.strip()!r}; expected a number such as 12.5")
    return number


def _positive(path: Path, line: int, column: str, text: str) -> float:
    number = _number(path, line, column, text)
    if number <= 0:
        raise InputError(f"{path}, line {line}: {column} is {number:g}; expected a number over 0")
    return number
