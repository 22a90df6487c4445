from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

api: object

def abi_version() -> int: ...
def version_string() -> str: ...
def status_strings() -> tuple[str, ...]: ...
def reason_strings() -> tuple[str, ...]: ...
def score_dtype() -> np.dtype[np.void]: ...

class Scorer:
    def __init__(
        self,
        height: int,
        width: int,
        *,
        dark: npt.NDArray[np.float32] | None = None,
        dark_rate: npt.NDArray[np.float32] | None = None,
        dark_sigma: npt.NDArray[np.float32] | None = None,
        flat: npt.NDArray[np.float32] | None = None,
        flat_sigma: npt.NDArray[np.float32] | None = None,
        read_noise_map: npt.NDArray[np.float32] | None = None,
        gain_map: npt.NDArray[np.float32] | None = None,
        bad: npt.NDArray[np.uint8] | None = None,
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
        view: str = "bed",
        sbr_cut: float = 1.5,
        pixel_size_mm: float = ...,
        min_area_px: float = ...,
        smooth_px: float = 1.0,
        psf_sigma_px: float = ...,
        lesions: bool = True,
        threads: int = 1,
    ) -> None: ...
    def score(
        self, frame: npt.NDArray[Any] | memoryview, exposure_ms: float = ..., gain_db: float = ...
    ) -> dict[str, Any]: ...
    def lesions(self) -> list[dict[str, Any]]: ...
    def contours(self, lesion: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...

class Stream:
    def __init__(self, scorer: Scorer, ring: Any, packing: str | None = None) -> None: ...
    @property
    def scorer(self) -> Scorer: ...
    @property
    def slots(self) -> int: ...
    def score(self, slot: int, exposure_ms: float = ..., gain_db: float = ..., timestamp_ns: int = 0) -> np.void: ...
    def score_many(
        self, slots: Sequence[int], exposure_ms: float = ..., gain_db: float = ...
    ) -> npt.NDArray[np.void]: ...
