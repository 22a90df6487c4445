"""An output folder whose files are each whole or not there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pyicg.errors import InputError

__all__ = ["check_writable", "write_files"]


def check_writable(folder: Path) -> None:
    """Raise `InputError` when a folder can neither be made nor written to; makes nothing."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files under temporary names, then rename each; a failure while writing changes nothing."""
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


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to {folder}: {error.strerror or error}; choose a folder you may write to on a disk with room"
    )
