"""The corridor: frames through every room, in order."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _core, margin
from pyicg.calibrate import calibrate
from pyicg.contrast import _background, _contrast
from pyicg.distance import Plane, distance_of_lesions
from pyicg.errors import InputError, ProfileError, UnitError
from pyicg.results import (
    Distance,
    FrameScore,
    HotSpot,
    Lesion,
    MarginStatus,
    Measurement,
    Quality,
    RejectedRegion,
    SpecimenLesion,
    to_plain,
)
from pyicg.rim import check_pixel_size, lesion_of

if TYPE_CHECKING:
    from pyicg.frame import Stack
    from pyicg.profile import CameraProfile

__all__ = ["Scorer", "StackScore", "score_frame", "score_stack"]

_OUTPUTS = ("metrics", "data", "mask", "labels")
_IN_FLIGHT = 4  # frames held per thread while a stack is scored


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
        ``"metrics"`` always; ``"data"``, ``"mask"`` and ``"labels"`` put those maps of the last frame into `maps`.
    sbr_cut : float
        Cut of the fluorescent sign and of the rim.

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
    ) -> None:
        if tuple(shape) != tuple(profile.shape):
            raise ProfileError(f"frames are {tuple(shape)}, the profile {tuple(profile.shape)}; use the camera's own")
        if str(dtype) not in ("uint8", "uint16", "float32"):
            raise InputError(f"dtype must be uint8, uint16 or float32, found {dtype}")
        unknown = [name for name in outputs if name not in _OUTPUTS]
        if isinstance(outputs, str) or unknown:
            raise InputError(f"outputs must be a tuple of names out of {_OUTPUTS}, found {outputs!r}")
        check_pixel_size(pixel_size_mm)
        self.profile = profile
        self.sbr_cut = sbr_cut
        self.maps: Mapping[str, npt.NDArray[Any]] = {}
        self._shape = tuple(shape)
        self._dtype = np.dtype(dtype)
        self._outputs = tuple(name for name in outputs if name != "metrics")
        self._core = _core.Scorer(
            profile.core,
            view=view,
            sbr_cut=sbr_cut,
            pixel_size_mm=math.nan if pixel_size_mm is None else float(pixel_size_mm),
        )
        self._pixel_size_mm = pixel_size_mm

    def score(
        self,
        frame: npt.NDArray[Any],
        *,
        exposure_ms: float | None = None,
        gain_db: float | None = None,
        index: int = 0,
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

        Returns
        -------
        FrameScore
            Without a margin: that is `score_frame`'s and `score_stack`'s.

        Raises
        ------
        InputError, UnitError
            A frame of another shape or dtype; an exposure that is not positive.
        """
        if not isinstance(frame, np.ndarray) or frame.shape != self._shape or frame.dtype != self._dtype:
            found = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise InputError(f"this scorer takes {self._dtype} frames of {self._shape}, found {found}")
        found = self._core.score(
            frame,
            exposure_ms=math.nan if exposure_ms is None else exposure_ms,
            gain_db=math.nan if gain_db is None else gain_db,
            maps=bool(self._outputs),
        )
        self.maps = {name: found[name] for name in self._outputs}
        return self._frame_score(found, index, frame_digest(frame))

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
            background=_background(found["background"], "mode"),
            contrast=_contrast(found["contrast"]),
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
    """Return the BLAKE2b digest of a frame's dtype, shape and pixels, whatever its stride."""
    digest = hashlib.blake2b(f"{frame.dtype.str}{frame.shape}".encode(), digest_size=16)
    if frame.flags.c_contiguous:
        digest.update(frame)
    else:
        for row in frame:
            digest.update(np.ascontiguousarray(row))
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
    model = margin.PublishedAnchorModel(prevalence=prevalence)
    return replace(score, margin=_margin_of_sign(model, score))


def _margin_of_sign(model: margin.PublishedAnchorModel, score: FrameScore) -> MarginStatus:
    # What limits the sign limits the margin; a missing pixel size or exposure does not touch a ratio.
    limits = [r for r in score.reasons if r not in ("no_pixel_size", "no_exposure", "no_signal")]
    return model.predict(fluorescent=score.fluorescent, reasons=tuple(limits))


@dataclass(frozen=True, eq=False)
class StackScore:
    """The score of a stack.

    Attributes
    ----------
    view : str
        ``"bed"`` or ``"section"``.
    frames : tuple of FrameScore
        One per frame or slice.
    lesions : tuple of SpecimenLesion
        Section view: lesions followed through the slices. Bed view: the rims of each frame.
    distance : Distance or None
        Section view with a plane: the smallest over all lesions.
    margin : MarginStatus or None
        Section view: from the distance. Bed view: from the sign of most frames.
    plane : Plane or None
        The resection plane given.
    spacing_mm : tuple
        (z, y, x); None where unknown.
    summary : mapping
        What was scored and how: source, units, digests, version, parameters, reasons.
    key_index, key_image, key_mask
        The frame that shows the answer: the closest slice, or the brightest frame.
    """

    view: str
    frames: tuple[FrameScore, ...]
    lesions: tuple[SpecimenLesion, ...]
    distance: Distance | None
    margin: MarginStatus | None
    plane: Plane | None
    spacing_mm: tuple[float | None, float | None, float | None]
    summary: Mapping[str, Any]
    key_index: int
    key_image: npt.NDArray[np.float32]
    key_mask: npt.NDArray[np.uint8]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the images as dictionaries, lists and numbers; undefined numbers are None."""
        names = ("view", "summary", "margin", "distance", "lesions", "frames")
        return {name: to_plain(getattr(self, name)) for name in names}

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary per frame: a table for `pandas.DataFrame` or a CSV file."""
        from pyicg.io._tables import frame_record

        return [frame_record(frame) for frame in self.frames]

    def write(self, folder: str | Path) -> Path:
        """Write frames.csv, lesions.csv, summary.json, overlay.png and report.html.

        Every file is written under a temporary name and renamed: an interrupted run leaves no half file.

        Parameters
        ----------
        folder : path
            Made when it is not there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            The folder cannot be written to.
        """
        from pyicg.io._results_folder import write_results

        return write_results(self, Path(folder))


def score_stack(
    stack: Stack,
    *,
    profile: CameraProfile,
    view: str = "bed",
    plane: Plane | None = None,
    prevalence: float | str | None = None,
    threads: int | None = None,
    progress: bool = False,
    sbr_cut: float = 1.5,
) -> StackScore:
    """Score a stack frame by frame; frames are read as they are needed.

    Parameters
    ----------
    stack : Stack
        From `read_stack` or `Stack.from_array`. Section view takes a z-stack of slices.
    profile : CameraProfile
        The camera's profile.
    view : {"bed", "section"}
        A video of the tumour bed, or the slices of a specimen.
    plane : Plane, optional
        The resection plane (section view).
    prevalence : float or str, optional
        As in `score_frame` (bed view).
    threads : int, optional
        Worker threads; all cores when left out. The results do not depend on it.
    progress : bool
        Show a progress bar on a terminal.
    sbr_cut : float
        As in `score_frame`.

    Returns
    -------
    StackScore
        Frames, lesions, distance, margin and summary.

    Raises
    ------
    InputError, ProfileError, UnitError
        A stack, profile or plane that do not fit each other, or a frame that cannot be read.

    Examples
    --------
    >>> import pyicg
    >>> bed = pyicg.phantom.bed_scene(n_frames=2)
    >>> result = pyicg.score_stack(bed.stack, profile=bed.profile, prevalence="mimic-overall")
    >>> [frame.fluorescent for frame in result.frames], result.margin.sign
    ([True, True], True)
    """
    if view not in ("bed", "section"):
        raise InputError(f'view must be "bed" or "section", found {view!r}')
    if view == "bed" and plane is not None:
        raise InputError("a plane belongs to the section view; the bed view measures no distance")
    if view == "section" and len(stack) > 1 and stack.axes != "ZYX":
        raise InputError(
            f"the section view takes slices, but the stack's axes are {stack.axes}; "
            "read it with axes='ZYX' and slice_spacing_mm"
        )
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, found {threads}")
    if profile.bit_depth is not None and stack.bit_depth is not None and profile.bit_depth != stack.bit_depth:
        raise ProfileError(
            f"the stack has {stack.bit_depth} bits, the profile {profile.bit_depth}; "
            "say bit_depth when reading, or use the profile of this camera mode"
        )
    model = margin.PublishedAnchorModel(prevalence=prevalence)
    if stack.transfer != "linear" and profile.calibrated:
        # Counts that are no linear measure of light cannot be calibrated by a linear profile.
        profile = replace(profile, calibrated=False)
    spacing = stack.spacing_mm
    pixel_size = _one_pixel_size(spacing)
    frames = []
    for score in _score_frames(stack, profile, view, pixel_size, sbr_cut, threads or os.cpu_count() or 1, progress):
        frames.append(score if view == "section" else replace(score, margin=_margin_of_sign(model, score)))

    if view == "section":
        lesions = _link_slices(frames, plane, spacing)
        distance, status = _section_answer(lesions, plane, frames)
        key = _key_slice(frames, distance, spacing)
    else:
        members = [(frame.index, lesion) for frame in frames for lesion in frame.lesions]
        lesions = tuple(SpecimenLesion(n, (member,), None, None) for n, member in enumerate(members, start=1))
        distance, status = None, _bed_answer(frames, model)
        key = max(frames, key=lambda f: (f.contrast.sbr.value if f.contrast.sbr.value > 0 else 0.0, -f.index)).index
    cal = calibrate(stack[key], profile, exposure_ms=stack.exposure_ms)
    return StackScore(
        view=view,
        frames=tuple(frames),
        lesions=lesions,
        distance=distance,
        margin=status,
        plane=plane,
        spacing_mm=spacing,
        summary=_summary(stack, profile, view, frames, lesions, sbr_cut, prevalence),
        key_index=key,
        key_image=cal.data,
        key_mask=cal.mask,
    )


def _one_pixel_size(spacing: tuple[float | None, float | None, float | None]) -> float | None:
    _, y, x = spacing
    if y is None or x is None:
        return None
    if not math.isclose(y, x, rel_tol=1e-3):
        raise UnitError(f"pixels of {y} x {x} mm are not square, which the rim needs; resample the stack first")
    return y


def _score_frames(
    stack: Stack,
    profile: CameraProfile,
    view: str,
    pixel_size_mm: float | None,
    sbr_cut: float,
    threads: int,
    progress: bool,
) -> Iterator[FrameScore]:
    """Score in parallel, a bounded number of frames at a time, and yield in order."""
    local = threading.local()

    def work(index: int) -> FrameScore:
        if not hasattr(local, "scorer"):
            local.scorer = Scorer(
                profile,
                shape=stack.frame_shape,
                dtype=str(stack.dtype),
                view=view,
                pixel_size_mm=pixel_size_mm,
                sbr_cut=sbr_cut,
            )
        score: FrameScore = local.scorer.score(stack[index], exposure_ms=stack.exposure_ms, index=index)
        return score

    from tqdm import tqdm

    bar = tqdm(total=len(stack), unit="frame", disable=None if progress else True)
    with bar, ThreadPoolExecutor(max_workers=min(threads, len(stack))) as pool:
        waiting: list[Future[FrameScore]] = []
        try:
            for index in range(len(stack)):
                waiting.append(pool.submit(work, index))
                if len(waiting) >= _IN_FLIGHT * threads:
                    yield waiting.pop(0).result()
                    bar.update()
            while waiting:
                yield waiting.pop(0).result()
                bar.update()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _link_slices(
    frames: Sequence[FrameScore], plane: Plane | None, spacing: tuple[float | None, float | None, float | None]
) -> tuple[SpecimenLesion, ...]:
    """Join lesions of neighbouring slices whose centres lie within each other's radius, nearest pairs first."""
    chains: list[list[tuple[int, Lesion]]] = []
    for frame in frames:
        open_chains = [chain for chain in chains if chain[-1][0] == frame.index - 1]
        pairs = []
        for c, chain in enumerate(open_chains):
            last = chain[-1][1]
            for k, lesion in enumerate(frame.lesions):
                apart = math.dist(last.centroid, lesion.centroid)
                if apart < math.sqrt(max(last.area_px, lesion.area_px) / math.pi):
                    pairs.append((apart, c, k))
        taken_chains: set[int] = set()
        taken: set[int] = set()
        for _, c, k in sorted(pairs):
            if c not in taken_chains and k not in taken:
                open_chains[c].append((frame.index, frame.lesions[k]))
                taken_chains.add(c)
                taken.add(k)
        chains += [[(frame.index, lesion)] for k, lesion in enumerate(frame.lesions) if k not in taken]
    lesions = []
    for label, chain in enumerate(chains, start=1):
        distance = status = None
        if plane is not None:
            distance = distance_of_lesions(chain, plane, spacing_mm=_known(spacing))
            status = margin.from_distance(distance)
        lesions.append(SpecimenLesion(label, tuple(chain), distance, status))
    return tuple(lesions)


def _known(spacing: tuple[float | None, float | None, float | None]) -> tuple[float, float, float]:
    z, y, x = spacing
    if z is None or y is None or x is None:
        raise UnitError(
            f"a distance in millimetres needs the spacing of slices and pixels, found {spacing} (z, y, x); "
            "pass slice_spacing_mm and pixel_size_mm when reading"
        )
    return z, y, x


def _section_answer(
    lesions: Sequence[SpecimenLesion], plane: Plane | None, frames: Sequence[FrameScore]
) -> tuple[Distance | None, MarginStatus]:
    if plane is None:
        reason = "no_plane" if lesions else "no_lesion"
        return None, MarginStatus(math.nan, (math.nan, math.nan), "indeterminate", reasons=(reason,))
    distances = [lesion.distance for lesion in lesions if lesion.distance is not None]
    if not distances:
        missing = distance_of_lesions([], plane, spacing_mm=(1.0, 1.0, 1.0))
        return missing, margin.from_distance(missing)
    nearest = min(distances, key=lambda d: d.min_mm)
    status = margin.from_distance(nearest)
    limits = {r for f in frames for r in f.reasons if r in ("out_of_range", "background_not_resolved")}
    if limits:
        status = replace(status, label="indeterminate", reasons=(*status.reasons, *sorted(limits)))
    return nearest, status


def _bed_answer(frames: Sequence[FrameScore], model: margin.PublishedAnchorModel) -> MarginStatus:
    """Take the sign most frames agree on; a tie, or no frame with a sign, leaves it unknown."""
    votes = Counter(frame.fluorescent for frame in frames if frame.fluorescent is not None)
    sign = None if votes[True] == votes[False] else votes[True] > votes[False]
    agreeing = [frame for frame in frames if frame.fluorescent == sign]
    # A reason counts when it limits at least half of the frames that speak for the sign.
    limits = Counter(reason for frame in agreeing for reason in frame.reasons)
    carried = [reason for reason, n in limits.items() if 2 * n >= len(agreeing)]
    carried = [reason for reason in carried if reason not in ("no_pixel_size", "no_exposure", "no_signal")]
    return model.predict(fluorescent=sign, reasons=tuple(carried))


def _key_slice(
    frames: Sequence[FrameScore],
    distance: Distance | None,
    spacing: tuple[float | None, float | None, float | None],
) -> int:
    if distance is not None and spacing[0] is not None and not math.isnan(distance.foot_mm[0]):
        return round(distance.foot_mm[0] / spacing[0])
    return max(frames, key=lambda f: (sum(lesion.area_px for lesion in f.lesions), -f.index)).index


def _summary(
    stack: Stack,
    profile: CameraProfile,
    view: str,
    frames: Sequence[FrameScore],
    lesions: Sequence[SpecimenLesion],
    sbr_cut: float,
    prevalence: float | str | None,
) -> dict[str, Any]:
    names = _core.reason_names()
    held = {reason for frame in frames for reason in frame.reasons}
    digest = hashlib.blake2b("".join(frame.frame_digest for frame in frames).encode(), digest_size=16)
    defined = [f.contrast.sbr.value for f in frames if not math.isnan(f.contrast.sbr.value)]
    return {
        "what": "Research software, not a medical device. Not for diagnosis or treatment decisions.",
        "version": _core.version(),
        "view": view,
        "source": stack.source,
        "notes": list(stack.notes),
        "axes": stack.axes,
        "shape": list(stack.shape),
        "dtype": str(stack.dtype),
        "bit_depth": stack.bit_depth,
        "transfer": stack.transfer,
        "spacing_mm": list(stack.spacing_mm),
        "exposure_ms": stack.exposure_ms if stack.exposure_ms is not None else profile.exposure_ms,
        "exposure_from": "stack" if stack.exposure_ms is not None else "profile" if profile.exposure_ms else None,
        "unit": frames[0].unit,
        "calibrated": profile.calibrated,
        "camera": profile.camera,
        "profile_digest": profile.digest,
        "input_digest": digest.hexdigest(),
        "n_frames": len(frames),
        "n_lesions": len(lesions),
        "n_fluorescent": sum(frame.fluorescent is True for frame in frames),
        "n_sign_unknown": sum(frame.fluorescent is None for frame in frames) if view == "bed" else None,
        "median_sbr": float(np.median(defined)) if defined else None,
        "sbr_cut": sbr_cut,
        "prevalence": prevalence,
        "background_policy": "mode",
        "reasons": [name for name in names if name in held],
    }
