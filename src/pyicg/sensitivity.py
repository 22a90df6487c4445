"""How much the choice of background moves the contrasts of one lesion: every policy in one table."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pyicg.background import POLICIES, check_region, estimate_background, frame_parts
from pyicg.contrast import contrast
from pyicg.results import Background, BoolArray, CalibratedFrame, Contrast, Measurement

__all__ = ["PolicyRow", "SensitivityTable", "sensitivity_table"]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy: its background, and the contrasts of the lesion with it."""

    policy: str
    background: Background
    contrast: Contrast


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """The contrasts of one lesion under every background policy.

    Attributes
    ----------
    rows : tuple of PolicyRow
        One per policy, ``mode`` first.
    unit : str
        Unit of the levels.
    signal_pixels : int
        Pixels of the signal region; 0 where they were not counted.
    """

    rows: tuple[PolicyRow, ...]
    unit: str
    signal_pixels: int = 0

    @property
    def spread(self) -> float:
        """Largest over smallest SBR of the policies that have one; NaN with fewer than two."""
        found = [row.contrast.sbr.value for row in self.rows]
        found = [value for value in found if value > 0]
        return max(found) / min(found) if len(found) > 1 else math.nan

    def __getitem__(self, policy: str) -> PolicyRow:
        for row in self.rows:
            if row.policy == policy:
                return row
        raise KeyError(policy)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary per policy: a table for `pandas.DataFrame` or a CSV file."""
        return [_record(row) for row in self.rows]


def sensitivity_table(
    cal: CalibratedFrame,
    *,
    signal: BoolArray,
    lesion: BoolArray | None = None,
    mask: BoolArray | None = None,
    exclude: BoolArray | None = None,
    placement_px: float = 0.0,
    threads: int = 1,
) -> SensitivityTable:
    """Compare one lesion with its background under every policy.

    Parameters
    ----------
    cal : CalibratedFrame
        The frame.
    signal : ndarray of bool, shape (H, W)
        True on the pixels whose mean is T.
    lesion : ndarray of bool, shape (H, W), optional
        True on the whole lesion, where `signal` is only a part of it; `signal` itself when left out. ``mode``,
        ``median`` and ``percentile`` leave it out; ``annulus``, ``distant`` and ``surface`` stay away from it.
    mask : ndarray of bool, shape (H, W), optional
        The background that the user drew: adds the policy ``mask``. It does not limit the others.
    exclude : ndarray of bool, shape (H, W), optional
        True: no policy but ``mask`` uses this pixel. Other lesions, bile, instruments belong here.
    placement_px : float
        As in `contrast`.
    threads : int
        Policies that are worked out at the same time; the digits do not depend on it.

    Returns
    -------
    SensitivityTable

    Raises
    ------
    InputError, UnitError
        As in `estimate_background` and `contrast`.

    Notes
    -----
    Published ratios have moved fivefold with the choice of background. Report the policy beside the number, and this
    table beside both.

    Examples
    --------
    >>> import pyicg
    >>> bed = pyicg.phantom.bed_scene(n_frames=1, sbr=3.0)  # simulated
    >>> cal = pyicg.calibrate(bed.stack[0], bed.profile)
    >>> table = pyicg.sensitivity_table(cal, signal=bed.truth.residual_mask[0])
    >>> [row.policy for row in table.rows]
    ['mode', 'median', 'percentile', 'annulus', 'distant', 'surface']
    >>> 1 < table.spread < 1.1  # an even liver: every policy finds about the same
    True
    """
    frame_parts(cal)
    for name, region in (("signal", signal), ("lesion", lesion), ("mask", mask), ("exclude", exclude)):
        if region is not None or name == "signal":
            check_region(region, cal, name)
    whole = signal if lesion is None else signal | lesion
    left_out = whole if exclude is None else whole | exclude

    def row(policy: str) -> PolicyRow:
        if policy == "mask":
            background = estimate_background(cal, policy=policy, mask=mask)
        elif policy in ("annulus", "distant", "surface"):
            background = estimate_background(cal, policy=policy, signal=whole, exclude=exclude)
        else:
            background = estimate_background(cal, policy=policy, exclude=left_out)
        found = contrast(cal, signal=signal, background=background, placement_px=placement_px)
        return PolicyRow(policy, background, found)

    policies = [policy for policy in POLICIES if policy != "mask" or mask is not None]
    with ThreadPoolExecutor(max(1, min(threads, len(policies)))) as pool:
        rows = tuple(pool.map(row, policies))
    return SensitivityTable(rows, cal.unit, int(np.count_nonzero(signal)))


def _record(row: PolicyRow) -> dict[str, Any]:
    record: dict[str, Any] = {
        "policy": row.policy,
        "background_level": row.background.level,
        "background_sem": row.background.sem,
        "background_sigma": row.background.sigma,
        "background_pixels": row.background.n_pixels,
    }
    for field in fields(row.contrast):
        value = getattr(row.contrast, field.name)
        if isinstance(value, Measurement) and field.name != "background_level":
            lo, hi = value.ci
            record |= {field.name: value.value, f"{field.name}_lo": lo, f"{field.name}_hi": hi,
                       f"{field.name}_reason": value.reason}  # fmt: skip
    return record
