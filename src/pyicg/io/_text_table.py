"""A CSV table as spreadsheets save it: any usual separator, decimal commas, and words for what is wrong."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

from pyicg.errors import InputError

__all__ = ["TextTable", "read_text_table"]

_SAVE_AS = 'in the spreadsheet choose "Save as", "CSV UTF-8"'
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel or OpenDocument workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_SEPARATORS = ",;\t"
_SEP = "sep="  # first line in which Excel says what parts the columns


@dataclass(frozen=True, slots=True)
class TextTable:
    """Cells of a table as text.

    `header` holds the names of the columns; `rows` the line in the file and the cells of each row; `decimal_comma` says
    whether numbers may have one, as they may where columns are not parted by commas; `digest` is the SHA-256 of the
    file.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal_comma: bool
    digest: str

    def cells(self, column: str) -> list[tuple[int, str]]:
        """Return line and text of each cell of a column."""
        at = self.header.index(column)
        return [(line, row[at]) for line, row in self.rows]

    def wrong(self, line: int, column: str, text: str, expected: str) -> InputError:
        """Return the error for a cell: file, line, column, found, expected."""
        return InputError(f"{self.path}, line {line}, column {column}: found {text!r}, expected {expected}")

    def number(self, line: int, column: str, text: str) -> float:
        """Return the number in a cell; raise `InputError` when it holds none."""
        try:
            found = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            hint = ""
            if text.startswith(("<", ">", "≤", "≥")):
                hint = " (a bound is no number: leave it empty, and give R0 or R1 in a column r1)"
            elif text.endswith("%"):
                hint = " (0.12 for 12 %)"
            elif "," in text and not self.decimal_comma:
                hint = " (with a decimal point: commas part the columns)"
            raise self.wrong(line, column, text, f"a number such as 1.5, or nothing when it is unknown{hint}")
        return found


def read_text_table(path: Path) -> TextTable:
    """Read a table whose first line names the columns; columns parted by commas, semicolons or tabs.

    A byte order mark, a first line such as ``sep=;``, either kind of line end, quoted cells, blank lines and, at the
    end, empty columns without a name are in order. Names and cells lose the spaces around them.

    Raises
    ------
    InputError
        The file is missing, empty, no text, or not in UTF-8; a column has no name or one that is there twice; a row has
        too many or too few cells; or there is no row. The message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a CSV table") from error
    text = _text(path, content)
    lines = _without_empty_columns(_lines(path, text))
    header = lines[0][1]
    if "" in header:
        raise InputError(f"{path}: column {header.index('') + 1} has no name in the first line; name it or take it out")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{path}: the first line names {', '.join(twice)} more than once; rename or take one out")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {line}: found {len(row)} cells, expected {len(header)} as in the first line; put cells "
                "that hold a separator in quotes"
            )
    if len(lines) == 1:
        raise InputError(f"{path}: holds the names of columns and no row; expected one row per lesion")
    return TextTable(
        path,
        header,
        tuple(lines[1:]),
        decimal_comma=_separator(text) != ",",
        digest=hashlib.sha256(content).hexdigest(),
    )


def _text(path: Path, content: bytes) -> str:
    for start, kind in _NOT_TEXT.items():
        if content.startswith(start):
            raise InputError(f"{path}: is {kind}, expected a CSV table in UTF-8; {_SAVE_AS}")
    if b"\0" in content:
        raise InputError(f"{path}: is no text, expected a CSV table in UTF-8; {_SAVE_AS}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: found byte 0x{content[error.start]:02x}, which is not UTF-8; {_SAVE_AS}"
        ) from error
    if not text.strip():
        raise InputError(f"{path}: is empty, expected a CSV table with one row per lesion")
    return text


def _separator(text: str) -> str:
    """Return what parts the columns: what `sep=` says, or the most frequent candidate in the first line not blank."""
    first = next(line for line in text.splitlines() if line.strip())
    told = first.replace('"', "")[len(_SEP) :][:1] if _is_sep(first) else ""
    return told if told and told in _SEPARATORS else max(_SEPARATORS, key=first.count)


def _lines(path: Path, text: str) -> list[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    found = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((reader.line_num, tuple(cell.strip() for cell in row)))
            if len(found) == 1 and _is_sep(found[0][1][0]):
                found.clear()
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: not a CSV table ({error}); look for a quotation mark without its partner"
        ) from error
    if not found:
        raise InputError(f"{path}: is empty but for its first line, expected a CSV table with one row per lesion")
    return found


def _is_sep(line: str) -> bool:
    return line.lstrip('"').casefold().startswith(_SEP)


def _without_empty_columns(lines: list[tuple[int, tuple[str, ...]]]) -> list[tuple[int, tuple[str, ...]]]:
    """Return the lines without the columns at the end that have neither a name nor a filled cell."""
    header = lines[0][1]
    width = max(k + 1 for k, name in enumerate(header) if name)
    if any(cell for _, row in lines for cell in row[width:]):
        return lines
    return [(line, row[:width] if len(row) <= len(header) else row) for line, row in lines]
