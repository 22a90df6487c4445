"""A camera profile on disk: ``profile.toml`` and one TIFF per map, with SHA-256 checksums."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tomllib
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._camera.camera_profile import CameraProfile
from ..errors import ProfileError
from . import _profile_schema1, _profile_schema2

__all__ = ["read_profile", "write_profile"]

_TABLE = "profile.toml"
_SCHEMAS = {1: _profile_schema1, 2: _profile_schema2}


def write_profile(path: str | Path, profile: CameraProfile) -> None:
    """Write a profile folder of schema 2 under a temporary sibling name and rename it into place.

    Parameters
    ----------
    path : str or Path
        The folder. A profile that is there is replaced; any other folder or file is left alone.
    profile : CameraProfile
        The profile.

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
        maps: dict[str, dict[str, str]] = {}
        for name, dtype in _profile_schema2.MAPS.items():
            data = getattr(profile, name)
            if data is not None:
                file = draft / f"{name}.tif"
                tifffile.imwrite(file, data.view(dtype), photometric="minisblack", metadata=None)
                maps[name] = {"file": file.name, "unit": _profile_schema2.MAP_UNITS[name], "sha256": _sha256(file)}
        table = _profile_schema2.to_table(profile)
        try:
            text = tomli_w.dumps(table | {"maps": maps} if maps else table)
        except TypeError as error:
            raise ProfileError(
                f"cannot save the profile: {error}; provenance may hold text, numbers, booleans, lists and "
                "mappings of these, so leave out or convert anything else"
            ) from error
        (draft / _TABLE).write_text(text, encoding="utf-8")
        _swap(draft, target, token)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_profile(path: str | Path) -> CameraProfile:
    """Read a profile folder of any known schema version; check its maps and its digest.

    Parameters
    ----------
    path : str or Path
        The folder.

    Raises
    ------
    ProfileError
        When the folder, the table or a map is missing, malformed, changed, or of an unknown schema version.
    """
    folder = Path(path)
    file = folder / _TABLE
    table = _read_table(folder, file)
    version = table.pop("schema_version", None)
    if type(version) is not int or version not in _SCHEMAS:
        raise ProfileError(
            f"{file}: schema_version is {version!r}, this release reads {' and '.join(map(str, _SCHEMAS))}; use the "
            "release of pyicg that wrote the profile, or build it again"
        )
    schema = _SCHEMAS[version]
    sealed = table.pop("digest", None)
    entries = table.pop("maps", {})
    if not isinstance(entries, dict) or not entries.keys() <= schema.MAPS.keys():
        raise ProfileError(
            f"{file}: [maps] must be tables named among {sorted(schema.MAPS)}; restore the file or build the profile "
            "again"
        )
    maps = {name: _read_map(folder, name, entry, schema.MAPS[name]) for name, entry in entries.items()}
    if "bad" in maps:
        maps["bad"] = maps["bad"] != 0
    try:
        profile = CameraProfile(**(schema.from_table(table) | maps))
    except ProfileError as error:
        raise ProfileError(f"{file}: {error}; restore the folder or build the profile again") from error
    found = schema.digest(profile)
    if found != sealed:
        raise ProfileError(
            f"{file}: the values give digest {found[:12]}..., the file says {str(sealed)[:12]}...; it was edited by "
            "hand or damaged: restore it or build the profile again"
        )
    return profile


def _read_table(folder: Path, file: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ProfileError(
            f"{folder}: no such profile folder; expected a folder with {_TABLE}. Give the folder that "
            "CameraProfile.save wrote, not a file in it"
        )
    if not file.is_file():
        raise ProfileError(f"{file}: missing, so the folder is no profile; give one that CameraProfile.save wrote")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{file}: not valid TOML ({error}); restore the file or build the profile again") from error


def _read_map(folder: Path, name: str, entry: Any, dtype: str) -> npt.NDArray[Any]:
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
    if data.dtype != np.dtype(dtype):
        raise ProfileError(f"{file}: found {data.dtype}, expected {dtype}; build the profile again")
    return data


def _check_replaceable(target: Path) -> None:
    if not target.parent.is_dir():
        raise ProfileError(f"{target.parent}: no such folder to save a profile in; create it first")
    if not target.exists():
        return
    known = {_TABLE, *(f"{name}.tif" for name in _profile_schema2.MAPS)}
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
