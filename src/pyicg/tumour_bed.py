"""A tumour bed: the margin status of one frame's sign, and of the sign that most frames of a video agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pyicg.published_anchor import PublishedAnchorModel
from pyicg.results import FrameScore, MarginStatus

__all__ = ["bed_answer", "margin_of_sign"]

# A missing pixel size or exposure does not touch a ratio, and no signal is an absent sign.
_FEW_FRAMES = 4  # of fewer than these each one counts
_NOT_OF_THE_SIGN = frozenset({"no_pixel_size", "no_exposure", "no_signal", "lesions_not_sought"})


def margin_of_sign(model: PublishedAnchorModel, score: FrameScore) -> MarginStatus:
    """Return the margin status of one frame's sign, with the other SBR cuts beside it."""
    limits = [reason for reason in score.reasons if reason not in _NOT_OF_THE_SIGN]
    return model.predict(fluorescent=score.fluorescent, reasons=limits, sbr_cut=score.sbr_cut, sign_at=score.sign_at)


def bed_answer(frames: Sequence[FrameScore], model: PublishedAnchorModel) -> MarginStatus:
    """Take the sign most frames agree on; a tie, or no frame with a sign, leaves it unknown.

    A residue that comes into view only for a while is outvoted, but not silently: the label is indeterminate then.
    """
    signs = [frame.fluorescent for frame in frames]
    sign = _majority(signs)
    agreeing = [frame for frame in frames if frame.fluorescent == sign]
    # A reason counts when it limits at least half of the frames that speak for the sign.
    limits = Counter(reason for frame in agreeing for reason in frame.reasons)
    carried = [reason for reason, n in limits.items() if 2 * n >= len(agreeing) and reason not in _NOT_OF_THE_SIGN]
    status = model.predict(
        fluorescent=sign,
        reasons=carried,
        sbr_cut=frames[0].sbr_cut,
        sign_at={cut: _majority([frame.sign_at.get(cut) for frame in frames]) for cut in frames[0].sign_at},
    )
    present, decided = signs.count(True), len(signs) - signs.count(None)
    if sign is False and present >= (1 if decided < _FEW_FRAMES else 2):
        status = replace(status, label="indeterminate", reasons=(*status.reasons, "sign_contradicts"))
    rule = {
        "rule": "the sign that most frames agree on, those without a sign left out; a tie leaves it unknown. Where it "
        "is absent and yet present in two frames, or in one of fewer than four, there is no label. A reason counts "
        "when it limits at least half of the frames that speak for the sign",
        "assumption": "frames count alike, though those of a video are not independent",
        "present": present,
        "absent": signs.count(False),
        "unknown": signs.count(None),
    }
    return replace(status, provenance={**status.provenance, "frames": rule})


def _majority(signs: Sequence[bool | None]) -> bool | None:
    present, absent = signs.count(True), signs.count(False)
    return None if present == absent else present > absent
