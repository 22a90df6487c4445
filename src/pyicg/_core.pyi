from typing import Any

import numpy as np
import numpy.typing as npt

class Profile:
    def __init__(
        self,
        *,
        height: int,
        width: int,
        dark: npt.NDArray[np.float32] | None = None,
        dark_rate: npt.NDArray[np.float32] | None = None,
        dark_sigma: npt.NDArray[np.float32] | None = None,
        flat: npt.NDArray[np.float32] | None = None,
        flat_sigma: npt.NDArray[np.float32] | None = None,
        bad: npt.NDArray[np.uint8] | None = None,
        read_noise_map: npt.NDArray[np.float32] | None = None,
        gain_map: npt.NDArray[np.float32] | None = None,
        linearity: tuple[float, float, float] = (1.0, 0.0, 0.0),
        linearity_table: npt.NDArray[np.float64] | None = None,
        linearity_step_dn: float = ...,
        saturation_dn: float = ...,
        exposure_ms: float = ...,
        exposure_min_ms: float = ...,
        exposure_max_ms: float = ...,
        dark_mean_exposure_ms: float = ...,
        dark_exposure_sd_ms: float = ...,
        gain_db: float = ...,
        gain_dn_per_e: float = ...,
        read_noise_dn: float = ...,
        response_nm_per_dn_ms: float = ...,
        calibrated: bool = False,
    ) -> None: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def has_variance(self) -> bool: ...

class FrameSums:
    def __init__(self, height: int, width: int, full_scale: int) -> None: ...
    def add(self, frame: npt.NDArray[Any]) -> None: ...
    @property
    def n(self) -> int: ...
    @property
    def sum(self) -> npt.NDArray[np.int64]: ...
    @property
    def sum_squares(self) -> npt.NDArray[np.int64]: ...
    @property
    def step_squares(self) -> npt.NDArray[np.int64]: ...
    @property
    def zeros(self) -> int: ...
    @property
    def saturated(self) -> int: ...
    @property
    def ends(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]: ...
    @property
    def frame_totals(self) -> list[int]: ...

class BackgroundSurface:
    def __init__(
        self,
        data: npt.NDArray[np.float32],
        mask: npt.NDArray[np.uint8],
        variance: npt.NDArray[np.float32] | None,
        step: float,
        *,
        exclude: Any,
        order: int,
    ) -> None: ...
    @property
    def level(self) -> npt.NDArray[np.float32]: ...
    @property
    def sigma(self) -> float: ...
    @property
    def n_pixels(self) -> int: ...
    @property
    def reason(self) -> str | None: ...
    def under(self, region: npt.NDArray[np.uint8]) -> dict[str, Any]: ...

class Scorer:
    def __init__(
        self, profile: Profile, *, view: str, sbr_cut: float, pixel_size_mm: float, lesions: bool, threads: int
    ) -> None: ...
    def score(
        self, frame: npt.NDArray[Any], *, exposure_ms: float, gain_db: float, maps: dict[str, npt.NDArray[Any]]
    ) -> dict[str, Any]: ...

class ThresholdRims:
    def __init__(self, height: int, width: int) -> None: ...
    def find(
        self,
        data: npt.NDArray[np.float32],
        mask: npt.NDArray[np.uint8],
        *,
        smooth_px: float,
        min_area_px: float,
        background_level: float,
        sbr_map: bool,
        percentages: list[float],
        threads: int,
    ) -> dict[str, Any]: ...
    def maps(self) -> dict[str, Any]: ...

def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def version() -> str: ...
def reason_names() -> tuple[str, ...]: ...
def default_min_area_px(pixel_size_mm: float, frame_pixels: int) -> float: ...
def calibrate(
    frame: npt.NDArray[Any],
    profile: Profile,
    *,
    exposure_ms: float,
    gain_db: float,
    out: npt.NDArray[np.float32] | None,
    unit: str | None,
    variance: bool,
    exclude: npt.NDArray[np.uint8] | None,
    ambient: tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.float32] | None, str] | None,
    threads: int,
) -> tuple[
    npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.float32] | None, str, float, float, float
]: ...
def default_guard_px(lesion_area_px: float) -> float: ...
def estimate_background(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    variance: npt.NDArray[np.float32] | None,
    step: float,
    *,
    policy: str,
    use: Any,
    exclude: Any,
    signal: Any,
    guard_px: float,
    width_px: float,
) -> dict[str, Any]: ...
def contrast(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    variance: npt.NDArray[np.float32] | None,
    step: float,
    *,
    signal: npt.NDArray[np.uint8],
    background: dict[str, Any],
    placement_px: float,
    offset: float,
    calibrated: bool,
) -> dict[str, Any]: ...
def residual_fluorescence(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    *,
    level: float,
    sigma: float,
    sbr_cut: float,
    min_area_px: float,
    smooth_px: float,
    pixel_size_mm: float,
) -> dict[str, Any]: ...
def segment_rim(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    *,
    level: float,
    sigma: float,
    sem: float,
    n_pixels: int,
    reason: str,
    sbr_cut: float,
    psf_sigma_px: float,
    min_area_px: float,
    smooth_px: float,
    pixel_size_mm: float,
    threshold: str,
    calibrated: bool,
) -> tuple[
    npt.NDArray[np.bool_],
    npt.NDArray[np.bool_],
    npt.NDArray[np.int32],
    list[dict[str, Any]],
    list[tuple[str, tuple[float, float], float, tuple[int, int, int, int]]],
]: ...
def distance_transform(
    mask: npt.NDArray[np.uint8],
    out: npt.NDArray[np.float32],
    *,
    spacing: tuple[float, float, float],
    threads: int,
) -> None: ...
def count_slab(
    mask: npt.NDArray[np.uint8], since: npt.NDArray[np.float32], out: npt.NDArray[np.float32], *, threads: int
) -> None: ...
def finish_slab(
    mask: npt.NDArray[np.uint8],
    since: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    *,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    threads: int,
) -> None: ...
def plane_distances(
    points: npt.NDArray[np.float64], point: tuple[float, float, float], normal: tuple[float, float, float]
) -> npt.NDArray[np.float64]: ...
def region_statistics(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.uint8],
    *,
    region: npt.NDArray[np.uint8] | None,
    percentiles: list[float],
    threads: int,
) -> dict[str, Any]: ...
