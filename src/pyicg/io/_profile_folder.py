"""A camera profile on disk: ``profile.toml`` and one TIFF per map, with SHA-256 checksums."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tomllib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ProfileError

__all__ = ["SCHEMA_VERSION", "read_folder", "write_folder"]

SCHEMA_VERSION = 1
_TABLE = "profile.toml"
_MAPS = {"dark": "float32", "flat": "float32", "bad": "uint8"}


def write_folder(path: str | Path, values: Mapping[str, Any], maps: Mapping[str, npt.NDArray[Any] | None]) -> None:
    """Write a profile folder under a temporary sibling name and rename it into place.

    Parameters
    ----------
    path : str or Path
        The folder. A profile that is there is replaced; any other folder or file is left alone.
    values : mapping
        What goes into ``profile.toml`` beside the schema version and the map table; no None.
    maps : mapping
        ``dark`` and ``flat`` float32 (H, W), ``bad`` uint8 (H, W); None leaves the map out.

    Raises
    ------
    ProfileError
        When `path` holds something else than a profile, its parent folder is missing, or a value has no TOML form.
    """
    import tifffile
    import tomli_w

    target = Path(path).resolve()
    _check_replaceable(target)
    token = uuid.uuid4().hex
    draft = target.with_name(f".{target.name}.{token}.tmp")
    draft.mkdir()
    try:
        table: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **values, "maps": {}}
        for name, data in maps.items():
            if data is not None:
                file = draft / f"{name}.tif"
                tifffile.imwrite(file, data, photometric="minisblack", metadata=None)
                table["maps"][name] = {"file": file.name, "sha256": _sha256(file)}
        try:
            text = tomli_w.dumps(table)
        except TypeError as error:
            raise ProfileError(
                f"cannot save the profile: {error}; provenance may hold text, numbers, booleans, lists and "
                "mappings of these, so leave out or convert anything else"
            ) from error
        (draft / _TABLE).write_text(text, encoding="utf-8")
        _swap(draft, target, token)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_folder(path: str | Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a profile folder and check every map against its checksum.

    Parameters
    ----------
    path : str or Path
        The folder.

    Returns
    -------
    values : dict
        ``profile.toml`` without the schema version and the map table.
    maps : dict of ndarray
        The maps that the profile has: ``dark`` and ``flat`` float32, ``bad`` uint8.

    Raises
    ------
    ProfileError
        When the folder, the table or a map is missing, malformed, changed, or of an unknown schema version.
    """
    folder = Path(path)
    file = folder / _TABLE
    if not folder.is_dir():
        raise ProfileError(
            f"{folder}: no such profile folder; expected a folder with {_TABLE}. Give the folder that "
            "CameraProfile.save wrote, not a file in it"
        )
    if not file.is_file():
        raise ProfileError(f"{file}: missing, so the folder is no profile; give one that CameraProfile.save wrote")
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{file}: not valid TOML ({error}); restore the file or build the profile again") from error
    version = values.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise ProfileError(
            f"{file}: schema_version is {version!r}, this release reads {SCHEMA_VERSION}; use the release of pyicg "
            "that wrote the profile, or build it again"
        )
    entries = values.pop("maps", {})
    if not isinstance(entries, dict) or not entries.keys() <= _MAPS.keys():
        raise ProfileError(
            f"{file}: [maps] must be tables named among {sorted(_MAPS)}; restore the file or build the profile again"
        )
    return values, {name: _read_map(folder, name, entry) for name, entry in entries.items()}


def _read_map(folder: Path, name: str, entry: Any) -> npt.NDArray[Any]:
    import tifffile

    file = folder / f"{name}.tif"
    if not isinstance(entry, dict) or entry.get("file") != file.name or not isinstance(entry.get("sha256"), str):
        raise ProfileError(
            f"{folder / _TABLE}: [maps.{name}] must hold file = {file.name!r} and its sha256; restore the file or "
            "build the profile again"
        )
    if not file.is_file():
        raise ProfileError(f"{file}: the {name} map is missing; copy the whole folder or build the profile again")
    found = _sha256(file)
    if found != entry["sha256"]:
        raise ProfileError(
            f"{file}: checksum mismatch, found {found[:12]}..., expected {entry['sha256'][:12]}...; the {name} map was "
            "changed or damaged since it was saved: restore it or build the profile again"
        )
    try:
        data = tifffile.imread(file)
    except (tifffile.TiffFileError, ValueError) as error:
        raise ProfileError(f"{file}: not a readable TIFF ({error}); build the profile again") from error
    if data.dtype != np.dtype(_MAPS[name]):
        raise ProfileError(f"{file}: found {data.dtype}, expected {_MAPS[name]}; build the profile again")
    return data


def _check_replaceable(target: Path) -> None:
    if not target.parent.is_dir():
        raise ProfileError(f"{target.parent}: no such folder to save a profile in; create it first")
    if not target.exists():
        return
    known = {_TABLE, *(f"{name}.tif" for name in _MAPS)}
    found = {item.name for item in target.iterdir()} if target.is_dir() else set()
    if _TABLE not in found or not found <= known:
        raise ProfileError(
            f"{target}: exists and is not (only) a camera profile, so it is left alone; save under a new name or "
            "remove it yourself"
        )


def _swap(draft: Path, target: Path, token: str) -> None:
    """Put `draft` in the place of `target`; on failure the old profile is put back."""
    if not target.exists():
        draft.rename(target)
        return
    old = target.with_name(f".{target.name}.{token}.old")
    target.rename(old)
    try:
        draft.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
