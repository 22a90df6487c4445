"""Frozen result objects: value, uncertainty, unit, reason and provenance travel together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg.distance_results import Distance
from pyicg.errors import InputError
from pyicg.labels import Label

__all__ = [
    "Background",
    "CalibratedFrame",
    "Contrast",
    "Distance",
    "Finding",
    "FrameScore",
    "HotSpot",
    "Lesion",
    "MarginStatus",
    "Measurement",
    "Quality",
    "RejectedRegion",
    "RimSegmentation",
    "SpecimenLesion",
    "UncertaintyBudget",
    "to_plain",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number with its uncertainty, or the reason why there is none.

    Attributes
    ----------
    value : float
        The estimate; NaN when undefined, and then `reason` says why.
    sigma : float
        Standard uncertainty in the unit of `value`; NaN when unknown.
    ci : tuple of float
        95 % interval ``(lo, hi)``; a bound may be infinite.
    reason : str or None
        Code from the reason list, or None when nothing is amiss. A finite value may carry one:
        ``saturated_lower_bound`` says that the value is a lower bound.

    Measurements are equal when all of these are; an unknown number (NaN) equals another unknown one.

    Examples
    --------
    >>> from pyicg import Measurement
    >>> m = Measurement(3.0, 0.1, (2.8, 3.2))
    >>> float(m)
    3.0
    >>> str(m)
    '3 [2.8, 3.2]'
    >>> str(Measurement.undefined("no_pixel_size"))
    'undefined (no_pixel_size)'
    """

    value: float
    sigma: float = math.nan
    ci: tuple[float, float] = (math.nan, math.nan)
    reason: str | None = None

    @classmethod
    def undefined(cls, reason: str) -> Measurement:
        """Return NaN with its reason."""
        return cls(math.nan, reason=reason)

    def scaled(self, factor: float) -> Measurement:
        """Return the measurement in another unit: everything times a positive `factor`."""
        lo, hi = self.ci
        return Measurement(self.value * factor, self.sigma * factor, (lo * factor, hi * factor), self.reason)

    def _parts(self) -> tuple[float | str | None, ...]:
        numbers = (self.value, self.sigma, *self.ci)
        return (*(None if math.isnan(number) else number for number in numbers), self.reason)

    # NaN beside NaN is the same result. Of the comparison that dataclasses make it depends on the version of Python.
    def __eq__(self, other: object) -> bool:
        return self._parts() == other._parts() if isinstance(other, Measurement) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._parts())

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"undefined ({self.reason})"
        text = f"{self.value:.4g}"
        if not all(math.isnan(bound) for bound in self.ci):
            text += f" [{self.ci[0]:.4g}, {self.ci[1]:.4g}]"
        return text if self.reason is None else f"{text} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something amiss with a camera or its frames.

    Attributes
    ----------
    code : str
        Reason code, such as ``not_linear``.
    text : str
        One sentence: what was found, what was expected, and what to do.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass(frozen=True, eq=False)
class CalibratedFrame:
    """A frame in calibrated units with its validity mask.

    Attributes
    ----------
    data : ndarray of float32, shape (H, W)
        Signal in `unit`.
    mask : ndarray of uint8, shape (H, W)
        Validity bits: 1 saturated, 2 underflow, 4 bad, 8 excluded, 16 out of calibrated range, 32 repaired,
        64 not finite.
    variance : ndarray of float32, shape (H, W), or None
        Pixel variance in `unit` squared: noise of the frame, dark map and flat map. None where the profile does not
        know gain and read noise, or where it was not asked for.
    unit : str
        ``"DN/ms"``, ``"e/ms"`` (electrons) or ``"nM"`` (of ICG); ``"DN"`` or ``"e"`` when no exposure is known.
    offset : float
        Mean dark offset that was taken off, in `unit`; 0 without a dark map.
    step : float
        Size of one count in `unit`, at the dark level; 0 where the counts are not whole numbers.
    calibrated : bool
        False when nothing but counts stands behind the numbers.
    profile_digest : str
        Digest of the profile used.
    exposure_ms : float or None
        Exposure the data were divided by.
    """

    data: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    variance: npt.NDArray[np.float32] | None
    unit: str
    offset: float = 0.0
    step: float = 0.0
    calibrated: bool = False
    profile_digest: str = ""
    exposure_ms: float | None = None


@dataclass(frozen=True, slots=True)
class UncertaintyBudget:
    """What the standard error of a level is made of: standard uncertainties in its unit, joined in quadrature.

    Attributes
    ----------
    pixel_noise : float or None
        The camera's noise from the profile, and rounding to whole counts. None where neither is known: then it is part
        of `sampling`.
    sampling : float
        A finite number of pixels, each its own sample of the tissue.
    heterogeneity : float
        What unevenness over more than a pixel adds.
    placement : float
        Where the region lies, for the `placement_px` that was stated; 0 where the region counts as exact.
    """

    pixel_noise: float | None
    sampling: float
    heterogeneity: float
    placement: float = 0.0

    @property
    def total(self) -> float:
        """All parts together."""
        parts = (self.pixel_noise, self.sampling, self.heterogeneity, self.placement)
        return math.hypot(*(part for part in parts if part is not None))


@dataclass(frozen=True, slots=True)
class Background:
    """Background level of one frame and how it was found.

    Attributes
    ----------
    level, sigma, sem : float
        Level, spatial standard deviation of one pixel, and standard error of the level, in the unit of the frame.
    n_pixels : int
        Pixels behind the level.
    policy : str
        How it was found.
    reason : str or None
        Code that says why the level cannot be used or what limits it.
    empty_field : bool
        A dark field without tissue was left out.
    budget : UncertaintyBudget or None
        What `sem` is made of; None for a background stated by hand.
    dof : float
        Degrees of freedom behind the spatial part of `sem`.
    effective_pixels : float
        Independent pixels that would be as good as the `n_pixels` correlated ones.
    sigma_error : float
        Standard error of `sigma`.
    patches : tuple of (float, float, float)
        How much the level differs from place to place: size of a patch in pixels, standard deviation between patches
        beyond that of as many independent pixels, and how many patches there are.
    unit, shape, profile_digest : str, tuple of int or None, str
        Of the frame it was found in; `contrast` refuses another. Empty for a background stated by hand.
    """

    level: float
    sigma: float
    sem: float
    n_pixels: int
    policy: str
    reason: str | None = None
    empty_field: bool = False
    budget: UncertaintyBudget | None = None
    dof: float = math.inf
    effective_pixels: float = math.nan
    sigma_error: float = math.nan
    patches: tuple[tuple[float, float, float], ...] = ()
    unit: str = ""
    shape: tuple[int, int] | None = None
    profile_digest: str = ""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Every contrast definition of the field between one signal and one background, each with its interval.

    With T the signal level, B the background level and s the spatial standard deviation: ``sbr`` T/B on
    calibrated data, ``sbr_raw`` the same with the camera offset left in, ``weber`` (T - B)/B, ``michelson``
    (T - B)/(T + B), ``cnr`` (T - B)/s_B, ``cvr`` (T - B)/sqrt(s_T^2 + s_B^2). `signal_budget` and
    `background_budget` say what the standard errors of T and B are made of.
    """

    sbr: Measurement
    sbr_raw: Measurement
    weber: Measurement
    michelson: Measurement
    cnr: Measurement
    cvr: Measurement
    signal_level: Measurement
    background_level: Measurement
    signal_budget: UncertaintyBudget | None = None
    background_budget: UncertaintyBudget | None = None


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion: a rim that glows around a dark core.

    Contours are (N, 2) float64 (y, x) in pixels, integer coordinate = pixel centre, one vertex per ray from a pixel
    near the core's centroid, in order of angle (0 = +x, towards +y); with ``not_star_shaped`` in `reasons` they are
    plain grey-level contours with vertices in order along each. `inner_contour` is the tumour's edge.

    Attributes
    ----------
    label : int
        Value of this lesion in `RimSegmentation.labels`.
    inner_contour, outer_contour : ndarray (N, 2)
        Boundaries of the rim.
    inner_sigma, outer_sigma : ndarray (N,)
        Standard uncertainty of each vertex along its ray, pixels.
    correlation_px : float
        Length along the inner contour over which vertex errors are correlated.
    edge_sigma_px : float
        Sharpness of the edge: the sigma of the Gaussian that blurs it, optics and pixel together.
    thickness, thickness_mm : Measurement
        Mean rim thickness over the angles that carry a rim, measured along the rays.
    thickness_profile : ndarray (N,)
        Thickness per angle in pixels; NaN in gaps and where the frame cuts the rim.
    thickness_min_px, thickness_max_px : float
        Least and largest of the profile; NaN where it is empty.
    completeness : float
        Share of the angles within the frame (0-1) at which the rim exceeds the SBR cut.
    gaps_deg : ndarray (K, 2)
        Start and end angle of each gap, degrees in [0, 720): an end over 360 runs through the +x axis.
    area_px, area_mm2 : float, Measurement
        Area inside the inner contour.
    equivalent_diameter_px, equivalent_diameter_mm : float, Measurement
        Diameter of the circle of that area.
    centroid : tuple of float
        (y, x) of the area inside the inner contour, pixels.
    sbr, sbr_core : Measurement
        Rim over background, and rim over core.
    core_depth : float
        1 - core/rim: 1 for a core without any signal, 0 for one as bright as its rim.
    core_bright_share : float
        Share of the core, its blurred edge left out, over the SBR cut.
    pattern : str
        After Ishizawa: ``"total"`` where nine tenths of the core glow over the SBR cut, ``"partial"`` where a tenth do
        or the rim is broken (completeness under 0.9), else ``"rim"``.
    confidence : float
        Heuristic score between 0 and 1; not a probability. Under 0.5 `reasons` says ``low_confidence``.
    reasons : tuple of str
        Codes of everything that limits this lesion.
    """

    label: int
    inner_contour: FloatArray
    outer_contour: FloatArray
    inner_sigma: FloatArray
    outer_sigma: FloatArray
    correlation_px: float
    edge_sigma_px: float
    thickness: Measurement
    thickness_mm: Measurement
    thickness_profile: FloatArray
    thickness_min_px: float
    thickness_max_px: float
    completeness: float
    gaps_deg: FloatArray
    area_px: float
    area_mm2: Measurement
    equivalent_diameter_px: float
    equivalent_diameter_mm: Measurement
    centroid: tuple[float, float]
    sbr: Measurement
    sbr_core: Measurement
    core_depth: float
    core_bright_share: float
    pattern: str
    confidence: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedRegion:
    """A bright region that is no rim, and the reason; `box` is (y0, x0, y1, x1) in pixels, inclusive."""

    reason: str
    centroid: tuple[float, float]
    area_px: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class RimSegmentation:
    """All rims of one frame.

    `rim_mask` and `core_mask` are bool (H, W); `labels` is int32 (H, W), 0 outside, k on rim and core of the lesion
    with ``label == k``; `rejected` lists the bright regions that are no rim.
    """

    rim_mask: BoolArray
    core_mask: BoolArray
    labels: npt.NDArray[np.int32]
    lesions: tuple[Lesion, ...]
    rejected: tuple[RejectedRegion, ...]
    background: Background
    sbr_cut: float
    pixel_size_mm: float | None

    def to_geojson(self) -> dict[str, Any]:
        """Return the contours as a FeatureCollection that QuPath opens.

        Two polygons per lesion: ``role`` ``"tumour_edge"`` (the inner contour) and ``"rim"`` (the outer contour with
        the inner one as its hole), each with every scalar of the `Lesion` in its properties, as `to_plain` writes
        them. Rejected regions follow as their boxes, ``role`` ``"rejected"`` with the reason.

        Returns
        -------
        dict
            Positions are [x, y] in pixels counted from the outer corner of the first pixel, y down: half a pixel more
            than `Lesion.inner_contour`. The coordinate reference system of GeoJSON (RFC 7946: longitude and latitude)
            does not apply.

        Examples
        --------
        >>> import pyicg
        >>> section = pyicg.phantom.section_stack(margins_mm=(4.0,), shape=None, n_slices=1)
        >>> rim = pyicg.segment_rim(pyicg.calibrate(section.stack[0], section.profile))
        >>> [feature["properties"]["name"] for feature in rim.to_geojson()["features"]]
        ['lesion 1 tumour edge', 'lesion 1 rim']
        """
        from pyicg.io._rim_files import to_geojson

        return to_geojson(self)

    def write(self, folder: str | Path, *, image: CalibratedFrame | npt.NDArray[np.generic] | None = None) -> Path:
        """Write the rims for other programs; each file is whole or not there.

        ``rims.geojson`` (`to_geojson`), ``rims.zip`` (ImageJ's ROI Manager: ``lesion-1-inner``, ``lesion-1-outer``,
        ... with sub-pixel vertices), ``labels.tif`` (uint16, `labels`), ``core_mask.tif`` and ``rim_mask.tif`` (0 and
        255), and ``overlay.png``. The TIFF files are ImageJ's and carry the pixel size where it is known.

        Parameters
        ----------
        folder : path
            Made when it is not there.
        image : CalibratedFrame or ndarray of shape (H, W), optional
            The frame that was segmented, for the overlay; left out, the overlay shows the masks.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            The folder cannot be written to; an image of another shape.

        Examples
        --------
        >>> import tempfile, pyicg
        >>> section = pyicg.phantom.section_stack(margins_mm=(4.0,), shape=None, n_slices=1)
        >>> cal = pyicg.calibrate(section.stack[0], section.profile)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = pyicg.segment_rim(cal, pixel_size_mm=0.1).write(folder, image=cal)
        ...     sorted(file.name for file in written.iterdir())
        ['core_mask.tif', 'labels.tif', 'overlay.png', 'rim_mask.tif', 'rims.geojson', 'rims.zip']
        """
        from pyicg.io._rim_files import write

        return write(self, folder, image)


@dataclass(frozen=True, slots=True)
class MarginStatus:
    """R0, R1 or indeterminate, never without its probability, interval and provenance.

    Attributes
    ----------
    p_r1 : float
        Probability of R1; NaN where there is none.
    ci : tuple of float
        From a sign or a trained model the 95 % interval of `p_r1`; from a distance P(R1) at the upper and the lower end
        of the distance's 95 % interval, which is no confidence interval of `p_r1`.
    label : {"R0", "R1", "indeterminate"}
        A margin is never "clear": R0 is a class with a remaining risk of R1.
    sign : bool or None
        The fluorescent sign, where one was used.
    reasons : tuple of str
        Codes that limit the status.
    provenance : mapping
        Where every number came from, and what is reconstructed or assumed.

    Raises
    ------
    InputError
        Another label, or R0 or R1 without a probability and an interval in 0-1.

    Examples
    --------
    >>> from pyicg.results import MarginStatus
    >>> MarginStatus(0.06, (0.04, 0.09), "R0").label
    'R0'
    """

    p_r1: float
    ci: tuple[float, float]
    label: Label
    sign: bool | None = None
    reasons: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.label == "indeterminate":
            return
        if self.label not in ("R0", "R1"):
            raise InputError(f'label is {self.label!r}, expected "R0", "R1" or "indeterminate"')
        if not (0 <= self.p_r1 <= 1 and 0 <= self.ci[0] <= self.ci[1] <= 1):
            raise InputError(
                f"label {self.label} came with P(R1) {self.p_r1} and interval {self.ci}, expected numbers in 0-1: "
                "without them the label is indeterminate"
            )


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A region over the SBR cut; the brightest peak comes first (`rank` 1)."""

    rank: int
    peak_sbr: float
    peak_position: tuple[float, float]
    area_px: float
    area_mm2: Measurement


@dataclass(frozen=True, slots=True)
class Quality:
    """What limits a frame.

    Attributes
    ----------
    saturated_fraction, underflow_fraction : float
        Shares of the pixels.
    bad_pixels, repaired_pixels : int
        Bad pixels that were left out, and those a mean of their neighbours stands for.
    focus : float
        Reciprocal width of the steepest edges, 1/px; noise, exposure and the height of the edges do not change it. NaN
        where no detail stands out of the noise.
    calibrated : bool
        Whether a measured profile stands behind the numbers.
    isotropy : float
        Least over largest focus among all directions: 1 where edges are as sharp in every direction, less under motion
        blur. NaN where all edges lie in one direction.
    glare_fraction : float
        Share of the pixels in spots too small for a lesion that are saturated or over three times the median of what
        is bright. NaN where the background is not known.
    """

    saturated_fraction: float
    underflow_fraction: float
    bad_pixels: int
    repaired_pixels: int
    focus: float
    calibrated: bool
    isotropy: float
    glare_fraction: float


@dataclass(frozen=True, eq=False)
class FrameScore:
    """The full score of one frame.

    `fluorescent` is the sign at the SBR cut asked for, `sign_at` the sign at 1.5, 1.75 and 2.0 beside it.
    `residual_area_px` counts the pixels of the regions over the cut; `hot_spots` ranks those regions. `margin` is None
    unless a margin model was asked for.
    """

    index: int
    unit: str
    background: Background
    contrast: Contrast
    fluorescent: bool | None
    sbr_cut: float
    sign_at: Mapping[float, bool | None]
    residual_area_px: float
    residual_area_mm2: Measurement
    hot_spots: tuple[HotSpot, ...]
    lesions: tuple[Lesion, ...]
    rejected: tuple[RejectedRegion, ...]
    quality: Quality
    reasons: tuple[str, ...]
    profile_digest: str
    frame_digest: str
    margin: MarginStatus | None = None


@dataclass(frozen=True, eq=False)
class SpecimenLesion:
    """One lesion followed through the slices of a specimen.

    Attributes
    ----------
    label : int
        Number of the lesion.
    members : tuple of (int, Lesion)
        Slice index and lesion of that slice, in order of slices; several of one slice where it shows in parts.
    distance, margin : Distance, MarginStatus or None
        None where no plane was given.
    missing : tuple of int
        Slices between the first and the last in which it was not found.
    split_at : tuple of int
        Slices that show it in more than one part.
    """

    label: int
    members: tuple[tuple[int, Lesion], ...]
    distance: Distance | None
    margin: MarginStatus | None
    missing: tuple[int, ...] = ()
    split_at: tuple[int, ...] = ()


def to_plain(value: Any) -> Any:
    """Turn a result object into dictionaries, lists and numbers that JSON can hold; NaN and infinity become None.

    Arrays become lists; a `Measurement` keeps value, sigma, ci and reason. Fields marked as not plain are left out.

    Examples
    --------
    >>> from pyicg.results import Measurement, to_plain
    >>> to_plain(Measurement.undefined("no_lesion"))
    {'value': None, 'sigma': None, 'ci': [None, None], 'reason': 'no_lesion'}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value) if f.metadata.get("plain", True)}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
