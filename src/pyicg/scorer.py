"""One frame through calibrate, background, rim and contrast."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg._region_options import check_pixel_size
from pyicg._threads import check_threads
from pyicg.background import background_of
from pyicg.contrast import contrast_of
from pyicg.errors import InputError, ProfileError
from pyicg.frame import positive
from pyicg.published_anchor import PublishedAnchorModel
from pyicg.results import FrameScore, HotSpot, Measurement, Quality, RejectedRegion
from pyicg.rim import lesion_of
from pyicg.tumour_bed import margin_of_sign

if TYPE_CHECKING:
    from pyicg.profile import CameraProfile

__all__ = ["Scorer", "frame_digest", "score_frame"]

_MAPS = {"data": np.float32, "mask": np.uint8, "labels": np.int32, "signal": np.bool_, "lesion": np.bool_}
_OUTPUTS = ("metrics", *_MAPS)


class Scorer:
    """Scores frames of one camera, one after the other; owns its buffers and remembers nothing between frames.

    Parameters
    ----------
    profile : CameraProfile
        The camera's profile.
    shape : tuple of int
        (H, W) of every frame.
    dtype : str
        ``"uint8"``, ``"uint16"`` or ``"float32"``.
    view : {"bed", "section"}
        Tumour bed after resection, or a cut face of the specimen.
    pixel_size_mm : float, optional
        Without it every ``_mm`` figure is undefined.
    outputs : tuple of str
        ``"metrics"`` always; ``"data"``, ``"mask"``, ``"labels"``, ``"signal"`` (bool: whose mean the contrasts call T)
        and ``"lesion"`` (bool: everything over the cut, rims and cores) put those maps of the last frame into `maps`.
    sbr_cut : float
        Cut of the fluorescent sign and of the rim.
    lesions : bool
        False, in bed view only, looks for no rims: `FrameScore.lesions` and `rejected` are empty, the reason
        ``lesions_not_sought`` says so, all else is the same to the bit, 1.5 to 9 times as fast. `outputs` then holds
        neither ``"labels"`` nor ``"lesion"``.
    threads : int
        Worker threads for one frame; the bits do not depend on it. Two help, more only calibration. Frames of a stack
        are better scored side by side: `score_stack`.

    Raises
    ------
    InputError, ProfileError, UnitError
        Options out of range, or a profile of another shape.

    Notes
    -----
    A scorer serves one thread at a time; a second thread that calls it meanwhile waits.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> profile = pyicg.CameraProfile.identity((64, 64))
    >>> scorer = pyicg.Scorer(profile, shape=(64, 64))
    >>> frame = np.random.default_rng(0).poisson(400, (64, 64)).astype(np.uint16)
    >>> score = scorer.score(frame, exposure_ms=20)
    >>> score.fluorescent, score.unit
    (False, 'DN/ms')
    """

    def __init__(
        self,
        profile: CameraProfile,
        *,
        shape: tuple[int, int],
        dtype: str = "uint16",
        view: str = "bed",
        pixel_size_mm: float | None = None,
        outputs: Sequence[str] = ("metrics",),
        sbr_cut: float = 1.5,
        lesions: bool = True,
        threads: int = 1,
    ) -> None:
        if tuple(shape) != tuple(profile.shape):
            raise ProfileError(f"frames are {tuple(shape)}, the profile {tuple(profile.shape)}; use the camera's own")
        if str(dtype) not in ("uint8", "uint16", "float32"):
            raise InputError(f"dtype must be uint8, uint16 or float32, found {dtype}")
        unknown = [name for name in outputs if name not in _OUTPUTS]
        if isinstance(outputs, str) or unknown:
            raise InputError(f"outputs must be a tuple of names out of {_OUTPUTS}, found {outputs!r}")
        check_pixel_size(pixel_size_mm)
        if not lesions and (of_lesions := {"labels", "lesion"}.intersection(outputs)):
            raise InputError(f"outputs name {sorted(of_lesions)}, which need lesions=True")
        check_threads(threads)
        self.profile = profile
        self.sbr_cut = sbr_cut
        self.maps: Mapping[str, npt.NDArray[Any]] = {}
        height, width = shape
        self._shape = (height, width)
        self._dtype = np.dtype(dtype)
        self._outputs = tuple(name for name in outputs if name != "metrics")
        self._core = _core.Scorer(
            profile.core,
            view=view,
            sbr_cut=sbr_cut,
            pixel_size_mm=math.nan if pixel_size_mm is None else float(pixel_size_mm),
            lesions=lesions,
            threads=threads,
        )
        self._pixel_size_mm = pixel_size_mm

    def score(
        self,
        frame: npt.NDArray[Any],
        *,
        exposure_ms: float | None = None,
        gain_db: float | None = None,
        index: int = 0,
        out: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> FrameScore:
        """Score one frame.

        Parameters
        ----------
        frame : ndarray, shape and dtype of the scorer
            Raw counts. Never written to or copied.
        exposure_ms, gain_db : float, optional
            As in `calibrate`.
        index : int
            Carried to the score.
        out : mapping of str to ndarray, optional
            Arrays of the caller's for maps out of `outputs`, as `maps` then holds them: contiguous, writable, of the
            frame's shape; float32 (``"data"``), uint8 (``"mask"``), int32 (``"labels"``), bool (``"signal"``,
            ``"lesion"``). A map that is not named is a new array.

        Returns
        -------
        FrameScore
            Without a margin: that is `score_frame`'s and `score_stack`'s.

        Raises
        ------
        InputError, UnitError
            A frame of another shape or dtype; an exposure that is not positive; an array of `out` that does not fit,
            or shares memory with the frame or another one. All of `out` is untouched then.
        """
        if not isinstance(frame, np.ndarray) or frame.shape != self._shape or frame.dtype != self._dtype:
            what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise InputError(f"this scorer takes {self._dtype} frames of {self._shape}, found {what}")
        if exposure_ms is not None:
            positive(exposure_ms, "exposure_ms")
        maps = self._checked_out({} if out is None else out, frame)
        for name in self._outputs:
            if name not in maps:
                maps[name] = np.empty(self._shape, _MAPS[name])
        found = self._core.score(
            frame,
            exposure_ms=math.nan if exposure_ms is None else exposure_ms,
            gain_db=math.nan if gain_db is None else gain_db,
            maps=maps,
        )
        self.maps = maps
        return self._frame_score(found, index, frame_digest(frame))

    def _checked_out(self, out: Mapping[str, npt.NDArray[Any]], frame: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Return the caller's arrays once they are known to fit and to share no memory."""
        others = {"the frame": frame}
        for name, array in out.items():
            if name not in self._outputs:
                raise InputError(f"out names {name!r}, but the outputs of this scorer are {self._outputs}")
            dtype = np.dtype(_MAPS[name])
            if not isinstance(array, np.ndarray) or array.shape != self._shape or array.dtype != dtype:
                found = f"{array.dtype} of {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise InputError(f"out[{name!r}] must be a {dtype} array of shape {self._shape}, found {found}")
            if not (array.flags.c_contiguous and array.flags.writeable and array.flags.aligned):
                raise InputError(
                    f"out[{name!r}] must be contiguous and writable; pass an array as numpy.empty makes it, not a view"
                )
            for other, taken in others.items():
                if np.may_share_memory(array, taken):
                    raise InputError(f"out[{name!r}] shares memory with {other}; pass another array")
            others[f"out[{name!r}]"] = array
        return dict(out)

    def _frame_score(self, found: Mapping[str, Any], index: int, digest: str) -> FrameScore:
        area = self._pixel_size_mm**2 if self._pixel_size_mm is not None else None
        spots = tuple(
            HotSpot(
                rank=rank,
                peak_sbr=peak,
                peak_position=position,
                area_px=px,
                area_mm2=Measurement(px * area) if area is not None else Measurement.undefined("no_pixel_size"),
            )
            for rank, (peak, position, px) in enumerate(found["hot_spots"], start=1)
        )
        return FrameScore(
            index=index,
            unit="DN" if math.isnan(found["exposure_ms"]) else "DN/ms",
            background=replace(
                background_of(found["background"], "mode"),
                unit="DN" if math.isnan(found["exposure_ms"]) else "DN/ms",
                shape=self._shape,
                profile_digest=self.profile.digest,
            ),
            contrast=contrast_of(found["contrast"]),
            fluorescent=found["fluorescent"],
            sbr_cut=self.sbr_cut,
            sign_at=found["sign_at"],
            residual_area_px=found["residual_area_px"],
            residual_area_mm2=Measurement(*found["residual_area_mm2"]),
            hot_spots=spots,
            lesions=tuple(lesion_of(lesion) for lesion in found["lesions"]),
            rejected=tuple(RejectedRegion(*region) for region in found["rejected"]),
            quality=Quality(**found["quality"]),
            reasons=found["reasons"],
            profile_digest=self.profile.digest,
            frame_digest=digest,
        )


def frame_digest(frame: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of a frame's dtype, shape and pixels, whatever its stride."""
    digest = hashlib.sha256(f"{frame.dtype.str}{frame.shape}".encode())
    if frame.flags.c_contiguous:
        digest.update(frame.data)
    else:
        for row in frame:
            digest.update(np.ascontiguousarray(row).data)
    return digest.hexdigest()


def score_frame(
    frame: npt.NDArray[Any],
    *,
    profile: CameraProfile,
    view: str = "bed",
    pixel_size_mm: float | None = None,
    exposure_ms: float | None = None,
    prevalence: float | str | None = None,
    sbr_cut: float = 1.5,
    risk_threshold: float = 0.2,
    dose_mg: float | None = None,
    hours_before: float | None = None,
) -> FrameScore:
    """Score one frame: background, contrasts, fluorescent sign, hot spots, rims, quality and (bed) margin.

    Parameters
    ----------
    frame : ndarray of uint8, uint16 or float32, shape (H, W)
        Raw counts.
    profile : CameraProfile
        The camera's profile; `CameraProfile.identity` where there is none.
    view : {"bed", "section"}
        The sign and the residual area exist in bed view only.
    pixel_size_mm, exposure_ms : float, optional
        Without a pixel size every ``_mm`` figure is undefined.
    prevalence : float or str, optional
        Share of R1 for the margin; without it the label is indeterminate, reason ``no_prevalence``.
    sbr_cut : float
        Cut of the sign; the answers at 1.5, 1.75 and 2.0 stand beside it.
    risk_threshold, dose_mg, hours_before : float, optional
        Of the margin: see `pyicg.margin.PublishedAnchorModel`.

    Returns
    -------
    FrameScore
        The contrast's signal is the deep half of the brightest region over the cut (bed) or of the rims (section).

    Raises
    ------
    InputError, ProfileError, UnitError
        See `calibrate` and `segment_rim`.

    Examples
    --------
    >>> import numpy as np, pyicg
    >>> frame = np.random.default_rng(0).normal(500, 5, (100, 100)).astype(np.float32)
    >>> frame[40:60, 30:70] *= 3
    >>> profile = pyicg.CameraProfile.identity(frame.shape, bit_depth=None)
    >>> score = pyicg.score_frame(frame, profile=profile, prevalence="mimic-overall")
    >>> score.fluorescent, round(score.contrast.sbr.value, 1), score.margin.label
    (True, 3.0, 'indeterminate')
    >>> score.margin.reasons
    ('uncalibrated',)
    """
    if not isinstance(frame, np.ndarray) or frame.ndim != 2:
        found = f"shape {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"frame must be a 2-D array, found {found}; score_stack takes stacks")
    scorer = Scorer(
        profile, shape=frame.shape, dtype=str(frame.dtype), view=view, pixel_size_mm=pixel_size_mm, sbr_cut=sbr_cut
    )
    score = scorer.score(frame, exposure_ms=exposure_ms)
    if view == "section":
        return score
    model = PublishedAnchorModel(
        prevalence=prevalence, risk_threshold=risk_threshold, dose_mg=dose_mg, hours_before=hours_before
    )
    return replace(score, margin=margin_of_sign(model, score))
