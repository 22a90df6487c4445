"""The corridor: frames through every room, in order."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyicg import _core
from pyicg._threads import check_threads, processors
from pyicg.calibrate import calibrate
from pyicg.errors import InputError, ProfileError, UnitError
from pyicg.frame import EXPOSURES_DIFFER
from pyicg.labels import check_distance_rule
from pyicg.plane import Plane
from pyicg.published_anchor import PublishedAnchorModel
from pyicg.results import CalibratedFrame, FrameScore, SpecimenLesion
from pyicg.scorer import Scorer
from pyicg.sensitivity import SensitivityTable, sensitivity_table
from pyicg.specimen import key_slice, lesions_beside, link_slices, on_the_tumours_side, section_answer
from pyicg.stack_score import StackScore
from pyicg.tumour_bed import bed_answer, margin_of_sign

if TYPE_CHECKING:
    from pyicg.frame import Stack
    from pyicg.profile import CameraProfile

__all__ = ["StackScore", "score_stack"]

_IN_FLIGHT = 3  # frames held per thread while a stack is scored: one at work, the others read ahead


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
    lesions: bool = True,
    risk_threshold: float = 0.2,
    tie: str = "R0",
    dose_mg: float | None = None,
    hours_before: float | None = None,
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
        Threads that score; one for each processor that this process may run on when left out. As many others read
        ahead. The results do not depend on it.
    progress : bool
        Show a progress bar on a terminal.
    sbr_cut : float
        As in `score_frame`.
    lesions : bool
        False, in bed view only, looks for no rims in the frames, 1.5 to 9 times as fast: see `Scorer`. Those of the
        key frame are looked for all the same, to keep them out of the background of `sensitivity`.
    risk_threshold, dose_mg, hours_before : float, optional
        Of the sign's margin (bed view): see `pyicg.margin.PublishedAnchorModel`.
    tie : {"R0", "R1"}
        What a margin of exactly 1 mm counts as (section view): see `pyicg.margin.from_distance`.

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
    if threads is not None:
        check_threads(threads)
    if profile.bit_depth is not None and stack.bit_depth is not None and profile.bit_depth != stack.bit_depth:
        raise ProfileError(
            f"the stack has {stack.bit_depth} bits, the profile {profile.bit_depth}; "
            "say bit_depth when reading, or use the profile of this camera mode"
        )
    if profile.calibrated and EXPOSURES_DIFFER in stack.notes:
        raise InputError(
            "the frames state several exposures, expected one for the whole stack; split them by exposure, or say "
            "exposure_ms when reading"
        )
    model = PublishedAnchorModel(
        prevalence=prevalence, risk_threshold=risk_threshold, dose_mg=dose_mg, hours_before=hours_before
    )
    check_distance_rule(1.0, tie)
    if stack.transfer != "linear" and profile.calibrated:
        # Counts that are no linear measure of light cannot be calibrated by a linear profile.
        profile = replace(profile, calibrated=False)
    spacing = stack.spacing_mm
    pixel_size = _one_pixel_size(spacing)
    frames = []
    workers = threads or processors()
    with closing(_score_frames(stack, profile, view, pixel_size, sbr_cut, lesions, workers)) as scores:
        for score in _with_a_bar(scores, len(stack)) if progress else scores:
            frames.append(score if view == "section" else replace(score, margin=margin_of_sign(model, score)))

    if view == "section":
        plane = on_the_tumours_side(plane, frames, spacing)
        found = link_slices(frames, plane, spacing, tie=tie)
        distance, status = section_answer(found, plane, frames, spacing, tie=tie)
        if not profile.calibrated:
            # A length needs no calibrated counts, but a curve that is not linear moves the half level.
            label = status.label if stack.transfer == "linear" else "indeterminate"
            status = replace(status, label=label, reasons=(*status.reasons, "uncalibrated"))
        if distance is not None and found:
            found = lesions_beside(status, found, linear=stack.transfer == "linear")
        key = key_slice(frames, distance, spacing)
    else:
        members = [(frame.index, lesion) for frame in frames for lesion in frame.lesions]
        found = tuple(SpecimenLesion(n, (member,), None, None) for n, member in enumerate(members, start=1))
        distance, status = None, bed_answer(frames, model)
        key = max(frames, key=lambda f: (f.contrast.sbr.value if f.contrast.sbr.value > 0 else 0.0, -f.index)).index
    cal = calibrate(stack[key], profile, exposure_ms=stack.exposure_ms)
    table = _sensitivity(stack[key], cal, profile, view, pixel_size, sbr_cut, workers)
    return StackScore(
        view=view,
        frames=tuple(frames),
        lesions=found,
        distance=distance,
        margin=status,
        plane=plane,
        spacing_mm=spacing,
        summary=_summary(stack, profile, view, frames, sbr_cut, n_lesions=len(found) if lesions else None)
        | _used(view, prevalence=prevalence, risk_threshold=risk_threshold, dose_mg=dose_mg, hours_before=hours_before)
        | {"tie": tie if view == "section" else None},
        key_index=key,
        key_image=cal.data,
        key_mask=cal.mask,
        sensitivity=table,
    )


def _used(view: str, **of_the_sign: object) -> dict[str, object]:
    """Return the options of the sign's margin; none is used in section view."""
    return {name: value if view == "bed" else None for name, value in of_the_sign.items()}


def _one_pixel_size(spacing: tuple[float | None, float | None, float | None]) -> float | None:
    _, y, x = spacing
    if y is None or x is None:
        return None
    if not math.isclose(y, x, rel_tol=1e-3):
        raise UnitError(f"pixels of {y} x {x} mm are not square, which the rim needs; resample the stack first")
    return y


def _sensitivity(
    frame: npt.NDArray[Any],
    cal: CalibratedFrame,
    profile: CameraProfile,
    view: str,
    pixel_size_mm: float | None,
    sbr_cut: float,
    threads: int,
) -> SensitivityTable | None:
    """Compare the signal of a frame with its background under every policy; nothing over the cut is background."""
    scorer = Scorer(
        profile,
        shape=cal.data.shape,
        dtype=str(frame.dtype),
        view=view,
        pixel_size_mm=pixel_size_mm,
        outputs=("signal", "lesion"),
        sbr_cut=sbr_cut,
    )
    scorer.score(frame, exposure_ms=cal.exposure_ms)
    signal, lesion = scorer.maps["signal"], scorer.maps["lesion"]
    if not signal.any() or lesion.all():
        return None
    return sensitivity_table(cal, signal=signal, lesion=lesion, threads=threads)


def _score_frames(
    stack: Stack,
    profile: CameraProfile,
    view: str,
    pixel_size_mm: float | None,
    sbr_cut: float,
    lesions: bool,
    threads: int,
) -> Generator[FrameScore]:
    """Score in parallel and yield in order; frames are read ahead, a bounded number of them.

    The first frame that fails, in order of the stack, ends it: those after it are not begun.
    """
    local = threading.local()
    count = len(stack)
    last = count  # frames from here on are not wanted

    def read(index: int) -> npt.NDArray[Any] | None:
        return stack[index] if index < last else None

    def work(index: int, reading: Future[npt.NDArray[Any] | None]) -> FrameScore | None:
        nonlocal last
        if index >= last:
            return None
        try:
            frame = reading.result()
            if frame is None:
                return None
            if not hasattr(local, "scorer"):
                local.scorer = Scorer(
                    profile,
                    shape=stack.frame_shape,
                    dtype=str(stack.dtype),
                    view=view,
                    pixel_size_mm=pixel_size_mm,
                    sbr_cut=sbr_cut,
                    lesions=lesions,
                )
            if frame.dtype == np.float32 and not np.isfinite(frame).any():
                raise InputError(
                    f"{stack.source or 'the stack'}, page {index}: every pixel is NaN or infinite; leave it out"
                )
            score: FrameScore = local.scorer.score(frame, exposure_ms=stack.exposure_ms, index=index)
        except BaseException:
            last = min(last, index)
            raise
        return score

    workers = min(threads, count)
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as scorers:
        waiting: deque[Future[FrameScore | None]] = deque()
        try:
            for index in range(count):
                waiting.append(scorers.submit(work, index, readers.submit(read, index)))
                if len(waiting) == _IN_FLIGHT * workers:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            last = 0
            for pool in (readers, scorers):
                pool.shutdown(wait=False, cancel_futures=True)


def _with_a_bar(scores: Iterable[FrameScore], count: int) -> Iterable[FrameScore]:
    """Show how far the stack is, on a terminal."""
    from tqdm import tqdm

    bar: Iterable[FrameScore] = tqdm(scores, total=count, unit="frame", disable=None)
    return bar


def _next(waiting: deque[Future[FrameScore | None]]) -> FrameScore:
    score = waiting.popleft().result()
    assert score is not None  # a frame before it failed, and that was raised
    return score


def _summary(
    stack: Stack,
    profile: CameraProfile,
    view: str,
    frames: Sequence[FrameScore],
    sbr_cut: float,
    *,
    n_lesions: int | None,
) -> dict[str, Any]:
    names = _core.reason_names()
    held = {reason for frame in frames for reason in frame.reasons}
    digest = hashlib.sha256("".join(frame.frame_digest for frame in frames).encode())
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
        "n_lesions": n_lesions,
        "n_fluorescent": sum(frame.fluorescent is True for frame in frames),
        "n_sign_unknown": sum(frame.fluorescent is None for frame in frames) if view == "bed" else None,
        "median_sbr": float(np.median(defined)) if defined else None,
        "sbr_cut": sbr_cut,
        "background_policy": "mode",
        "reasons": [name for name in names if name in held],
    }
