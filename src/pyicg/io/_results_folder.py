"""An output folder whose files are each whole or not there."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
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


def write_files(folder: Path, files: Mapping[str, bytes], *, remove: Iterable[str] = ()) -> None:
    """Write all files under temporary names, then rename; a failure or Ctrl-C while writing changes nothing.

    A new folder appears as a whole. In one that is there the files are renamed one after the other, with Ctrl-C held
    back until all are; those to remove, of an earlier run, go in the same moment.
    """
    partial = (folder if folder.is_dir() else folder.parent) / f".pyicg-partial-{uuid.uuid4().hex}"
    try:
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).write_bytes(content)
        with _interrupts_held():
            if folder.is_dir():
                for name in files:
                    (partial / name).replace(folder / name)
                for name in remove:
                    (folder / name).unlink(missing_ok=True)
            else:
                partial.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back for a moment, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to {folder}: {error.strerror or error}; choose a folder you may write to on a disk with room"
    )
