"""The figures of a camera as rows: name, value, interval, unit, and what they mean in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyicg.report.words import sentence
from pyicg.results import Measurement

if TYPE_CHECKING:
    from pyicg.characterize import CameraReport
    from pyicg.profile import CameraProfile

__all__ = ["MAPS", "FigureRow", "four", "key_figures", "profile_figures", "report_figures", "standard"]

# name of the map, heading, unit
MAPS = (
    ("dark", "Dark level", "DN"),
    ("dark_sigma", "Dark level, uncertainty", "DN"),
    ("dark_rate", "Dark current", "DN/ms"),
    ("flat", "Response, mean 1", ""),
    ("flat_sigma", "Response, uncertainty", ""),
    ("read_noise_map", "Read noise", "DN"),
    ("gain_map", "Gain", "DN/e"),
)

_KEY = (
    "gain_dn_per_e",
    "dark_noise_e",
    "read_noise_e",
    "saturation_e",
    "dynamic_range_db",
    "linearity_error",
    "quantum_efficiency",
    "prnu",
    "dark_current",
    "dark_current_dn_per_ms",
)
_TOLD_BY_PROFILE = frozenset({"gain_dn_per_e", "dark_noise_e", "dark_current"})
_NORMAL_95 = 1.959964

_REPORT = (
    ("gain_dn_per_e", "System gain K", "DN/e", 1, "Counts per electron: turns counts into electrons."),
    ("quantum_efficiency", "Quantum efficiency", "%", 100, "Photons that become electrons."),
    ("responsivity", "Responsivity R", "DN/photon", 1, "Counts per photon on a pixel."),
    ("dark_noise_e", "Dark noise", "e", 1, "Flicker of a pixel without light, rounding to counts taken off."),
    ("dark_noise_dn", "Dark noise, in counts", "DN", 1, "The same before the gain is taken out."),
    ("absolute_threshold_e", "Detection threshold", "e", 1, "Signal that is as large as its own noise."),
    ("absolute_threshold_photons", "Detection threshold, photons", "photons", 1, "The same as light on the pixel."),
    ("saturation_e", "Saturation capacity", "e", 1, "Largest signal before the pixels clip."),
    ("saturation_dn", "Saturation level", "DN", 1, "The same in counts above dark."),
    ("snr_max", "Largest signal-to-noise ratio", "", 1, "Shot noise at saturation; no frame is cleaner."),
    ("snr_max_db", "Largest signal-to-noise ratio, dB", "dB", 1, ""),
    ("dynamic_range", "Dynamic range", "", 1, "Largest signal over the smallest that is seen."),
    ("dynamic_range_db", "Dynamic range, dB", "dB", 1, "Largest signal over the smallest that is seen."),
    ("dynamic_range_bits", "Dynamic range, bits", "bits", 1, ""),
    ("linearity_error", "Linearity error", "%", 100, "Mean distance from a straight line between light and counts."),
    ("dsnu_e", "DSNU", "e", 1, "Fixed pattern in the dark: how much pixels differ without light."),
    ("dsnu_row_e", "DSNU of rows", "e", 1, "Part of it that is horizontal stripes."),
    ("dsnu_column_e", "DSNU of columns", "e", 1, "Part of it that is vertical stripes."),
    ("dsnu_pixel_e", "DSNU of pixels", "e", 1, "Part of it that is grain."),
    ("prnu", "PRNU", "%", 100, "Fixed pattern in the light: how much pixels differ in response."),
    ("prnu_row", "PRNU of rows", "%", 100, "Part of it that is horizontal stripes."),
    ("prnu_column", "PRNU of columns", "%", 100, "Part of it that is vertical stripes."),
    ("prnu_pixel", "PRNU of pixels", "%", 100, "Part of it that is grain."),
    ("dark_current", "Dark current", "e/s", 1, "Electrons that gather in a pixel without light, per second."),
)


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure: `key` as in Python, `name` for people, `item` in `unit`, `meaning` in plain words."""

    key: str
    name: str
    item: Measurement
    unit: str
    meaning: str

    @property
    def value(self) -> str:
        """Value with its unit; without one "undefined", and the remark says why, or "not measured"."""
        if math.isnan(self.item.value):
            return "not measured" if self.item.reason is None else "undefined"
        return f"{four(self.item.value)} {self.unit}".rstrip()

    @property
    def interval(self) -> str:
        """95 % interval, or nothing where it is unknown."""
        lo, hi = self.item.ci
        return "" if math.isnan(lo) or math.isnan(hi) else f"{four(lo)} to {four(hi)}"

    @property
    def remark(self) -> str:
        """The reason in words, or nothing."""
        return "" if self.item.reason is None else sentence(self.item.reason)


def report_figures(report: CameraReport) -> tuple[FigureRow, ...]:
    """Return every figure of a camera report."""
    return tuple(
        FigureRow(key, name, getattr(report, key).scaled(factor), unit, meaning)
        for key, name, unit, factor, meaning in _REPORT
    )


def profile_figures(profile: CameraProfile) -> tuple[FigureRow, ...]:
    """Return the figures that a camera profile holds, with normal 95 % intervals where a sigma is known."""
    gain = _known(profile.gain_dn_per_e, profile.gain_sigma_dn_per_e)
    noise = _known(profile.read_noise_dn, profile.read_noise_sigma_dn)
    return (
        FigureRow("gain_dn_per_e", "System gain K", gain, "DN/e", "Counts per electron: turns counts into electrons."),
        FigureRow(
            "read_noise_e", "Read noise", _ratio(noise, gain), "e", "Flicker of a pixel without light, in electrons."
        ),
        FigureRow(
            "read_noise_dn", "Read noise, counts", noise, "DN", "The same in counts, with the rounding to whole counts."
        ),
        FigureRow(
            "dark_current_dn_per_ms",
            "Dark current",
            _known(profile.dark_current_dn_per_ms, profile.dark_current_sigma_dn_per_ms),
            "DN/ms",
            "Growth of the dark level with the exposure.",
        ),
        FigureRow(
            "response_nm_per_dn_ms",
            "Response to ICG",
            _known(profile.response_nm_per_dn_ms, profile.response_sigma_nm_per_dn_ms),
            "nM per DN/ms",
            "Concentration of ICG per unit of signal.",
        ),
    )


def standard(release: str) -> str:
    """Return the line that says how the figures were computed.

    Examples
    --------
    >>> standard("4.0"), standard("3.1")
    ('computed per EMVA 1288 Release 4.0 Linear', 'computed per EMVA 1288 Release 3.1')
    """
    return f"computed per EMVA 1288 Release {release}{' Linear' if release == '4.0' else ''}"


def four(figure: float) -> str:
    """Return `figure` with four significant figures; NaN reads "undefined".

    Examples
    --------
    >>> four(0.276713), four(16124.3), four(1.5e-6), four(float("nan")), four(0.0)
    ('0.2767', '16124', '1.500e-06', 'undefined', '0')
    """
    if math.isnan(figure):
        return "undefined"
    if math.isinf(figure):
        return "∞" if figure > 0 else "-∞"
    if figure == 0:
        return "0"
    power = math.floor(math.log10(abs(figure)))
    return f"{figure:.{max(0, 3 - power)}f}" if -4 <= power < 6 else f"{figure:.3e}"


def key_figures(camera: Sequence[FigureRow], profile: Sequence[FigureRow]) -> tuple[FigureRow, ...]:
    """Return up to six figures with a value for the top of the page; what a profile holds stands in its words."""
    both = [*profile, *(row for row in camera if not profile or row.key not in _TOLD_BY_PROFILE)]
    found = [row for name in _KEY for row in both if row.key == name]
    return tuple(row for row in found if row.key == _KEY[0] or not math.isnan(row.item.value))[:6]


def _known(value: float, sigma: float) -> Measurement:
    half = _NORMAL_95 * sigma
    return Measurement(value, sigma, (value - half, value + half))


def _ratio(top: Measurement, bottom: Measurement) -> Measurement:
    value = top.value / bottom.value
    return _known(value, abs(value) * math.hypot(top.sigma / top.value, bottom.sigma / bottom.value))
