"""The output folder of a scored stack, each file whole or not there."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyicg.errors import InputError
from pyicg.io._tables import lesion_records

if TYPE_CHECKING:
    from pyicg.score import StackScore

__all__ = ["check_writable", "write_results"]

# The columns a table without rows still shows.
_LESION_COLUMNS = ("lesion", "index")


def check_writable(folder: Path) -> None:
    """Raise `InputError` when a folder can neither be made nor written to; leaves nothing behind."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if made:
            folder.rmdir()
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_results(result: StackScore, folder: Path) -> Path:
    """Write the five files of the contract; see `StackScore.write`."""
    from pyicg import report

    overlay, page = report.build(result)
    lesions = [row for lesion in result.lesions for row in lesion_records(lesion)]
    files = {
        "frames.csv": _csv(result.to_records(), ()),
        "lesions.csv": _csv(lesions, _LESION_COLUMNS),
        "summary.json": json.dumps(result.to_dict(), indent=1, allow_nan=False).encode(),
        "overlay.png": overlay,
        "report.html": page.encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".pyicg-partial-", dir=folder))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        for name in files:
            (partial / name).replace(folder / name)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial)
    return folder


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Write an undefined number as an empty cell, a truth value in lower case."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to {folder}: {error.strerror or error}; choose a folder you may write to on a disk with room"
    )
