"""Schema 2 of ``profile.toml``: one table per subject, each scalar with its uncertainty and unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import ProfileError

if TYPE_CHECKING:
    from .._camera.camera_profile import CameraProfile

__all__ = ["MAPS", "MAP_UNITS", "digest", "from_table", "to_table"]

MAPS = {
    "dark": "float32",
    "dark_rate": "float32",
    "dark_sigma": "float32",
    "flat": "float32",
    "flat_sigma": "float32",
    "bad": "uint8",
    "read_noise_map": "float32",
    "gain_map": "float32",
}
MAP_UNITS = {
    "dark": "DN",
    "dark_rate": "DN/ms",
    "dark_sigma": "DN",
    "flat": "1",
    "flat_sigma": "1",
    "bad": "1",
    "read_noise_map": "DN",
    "gain_map": "DN/e",
}
_PLACES = {  # field: table and key
    "camera": ("camera", "name"),
    "sensor": ("camera", "sensor"),
    "optics": ("camera", "optics"),
    "lens_distance_mm": ("camera", "lens_distance_mm"),
    "filter_band_nm": ("camera", "filter_band_nm"),
    "shape": ("camera", "shape"),
    "bit_depth": ("camera", "bit_depth"),
    "gain_db": ("camera", "gain_db"),
    "exposure_ms": ("exposure", "dark_ms"),
    "exposure_range_ms": ("exposure", "range_ms"),
    "dark_exposures_ms": ("exposure", "dark_mean_and_sd_ms"),
    "gain_dn_per_e": ("gain", "value"),
    "gain_sigma_dn_per_e": ("gain", "sigma"),
    "read_noise_dn": ("read_noise", "value"),
    "read_noise_sigma_dn": ("read_noise", "sigma"),
    "dark_current_dn_per_ms": ("dark_current", "value"),
    "dark_current_sigma_dn_per_ms": ("dark_current", "sigma"),
    "saturation_dn": ("saturation", "value"),
    "response_nm_per_dn_ms": ("response", "value"),
    "response_sigma_nm_per_dn_ms": ("response", "sigma"),
    "response_range_nm": ("response", "range_nm"),
    "linearity": ("linearity", "polynomial"),
    "linearity_step_dn": ("linearity", "table_step_dn"),
    "linearity_table": ("linearity", "table_dn"),
}
_UNITS = {
    "gain": "DN/e",
    "read_noise": "DN",
    "dark_current": "DN/ms",
    "saturation": "DN",
    "response": "nM/(DN/ms)",
}


def to_table(profile: CameraProfile) -> dict[str, Any]:
    """Return what goes into ``profile.toml`` but the maps; unknown values are left out."""
    table: dict[str, Any] = {"schema_version": 2, "digest": profile.digest, "calibrated": profile.calibrated}
    for field, (section, key) in _PLACES.items():
        value = getattr(profile, field)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            continue
        table.setdefault(section, {})[key] = value
    for section, unit in _UNITS.items():
        if section in table:
            table[section]["unit"] = unit
    table["provenance"] = dict(profile.provenance)
    return table


def from_table(table: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a profile; raise ProfileError when a table, key or unit is missing or unknown."""
    known = {"calibrated", "provenance", *(section for section, _ in _PLACES.values())}
    unknown = sorted(table.keys() - known)
    fields: dict[str, Any] = {"bit_depth": None}
    for name in ("calibrated", "provenance"):
        if name in table:
            fields[name] = table[name]
    for section in dict.fromkeys(section for section, _ in _PLACES.values()):
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            raise ProfileError(f"{section}: found {entries!r}, expected a table [{section}]")
        entries = dict(entries)
        unit = entries.pop("unit", None)
        expected = _UNITS.get(section) if section in table else None
        if unit != expected:
            raise ProfileError(f"[{section}]: found unit {unit!r}, expected {expected!r}")
        for field, (home, key) in _PLACES.items():
            if home == section and key in entries:
                fields[field] = entries.pop(key)
        unknown += [f"{section}.{key}" for key in sorted(entries)]
    missing = [".".join(_PLACES[field]) for field in ("camera", "shape") if field not in fields]
    if missing or unknown:
        raise ProfileError(f"missing {missing}, unknown {unknown}")
    return fields


def digest(profile: CameraProfile) -> str:
    """Return the SHA-256 of the profile under this schema."""
    return profile.digest
