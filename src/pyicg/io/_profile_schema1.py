"""Schema 1 of ``profile.toml``, read for ever: one flat table, digest over the fields that it had."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..errors import ProfileError

if TYPE_CHECKING:
    from .._camera.camera_profile import CameraProfile

__all__ = ["MAPS", "digest", "from_table"]

MAPS = {"dark": "float32", "flat": "float32", "bad": "uint8"}
_FIELDS = (
    "camera",
    "shape",
    "bit_depth",
    "linearity",
    "saturation_dn",
    "exposure_ms",
    "exposure_range_ms",
    "gain_db",
    "gain_dn_per_e",
    "read_noise_dn",
    "calibrated",
)


def from_table(table: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a profile; raise ProfileError when some are missing or unknown."""
    missing = sorted({"camera", "shape"} - table.keys())
    unknown = sorted(table.keys() - {*_FIELDS, "provenance"})
    if missing or unknown:
        raise ProfileError(f"missing {missing}, unknown {unknown}")
    return {"bit_depth": None, **table}


def digest(profile: CameraProfile) -> str:
    """Return the SHA-256 that schema 1 wrote for this profile."""
    total = hashlib.sha256(b"pyicg camera profile 1\n")
    total.update(json.dumps({name: getattr(profile, name) for name in _FIELDS}, sort_keys=True).encode())
    for name in MAPS:
        data = getattr(profile, name)
        total.update(f"\n{name} {'absent' if data is None else data.dtype.name}\n".encode())
        if data is not None:
            total.update(data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()
