"""The score of a stack, and what can be done with it: join it with another, make a table, write the folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyicg.combined_margin import combine
from pyicg.errors import InputError
from pyicg.plane import Plane
from pyicg.results import Distance, FrameScore, MarginStatus, SpecimenLesion, to_plain
from pyicg.sensitivity import SensitivityTable

__all__ = ["StackScore"]


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
        Section view: from the distance, or from both after `with_sign`. Bed view: from the sign of most frames.
    plane : Plane or None
        The resection plane given, turned to the side of most of the tumour where it had none.
    spacing_mm : tuple
        (z, y, x); None where unknown.
    summary : mapping
        What was scored and how: source, units, digests, version, parameters, reasons.
    key_index, key_image, key_mask
        The frame that shows the answer: the closest slice, or the brightest frame.
    sensitivity : SensitivityTable or None
        The key frame's contrasts under every background policy; None where it holds no signal.
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
    sensitivity: SensitivityTable | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the images as dictionaries, lists and numbers; undefined numbers are None."""
        names = ("view", "summary", "margin", "distance", "lesions", "sensitivity", "frames")
        return {name: to_plain(getattr(self, name)) for name in names}

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary per frame: a table for `pandas.DataFrame` or a CSV file."""
        from pyicg.io._tables import frame_record

        return [frame_record(frame) for frame in self.frames]

    def with_sign(self, bed: StackScore) -> StackScore:
        """Return this specimen with the sign of its tumour bed beside the distance; see `pyicg.margin.combine`.

        Parameters
        ----------
        bed : StackScore
            The scored tumour bed that the specimen came from. That the two belong together is the user's word.

        Raises
        ------
        InputError
            This is no section view, `bed` is no bed view, or a sign was joined already.

        Examples
        --------
        >>> import pyicg
        >>> dark = pyicg.phantom.bed_scene(residual=False, n_frames=1)
        >>> bed = pyicg.score_stack(dark.stack, profile=dark.profile, prevalence="mimic-overall")
        >>> cut = pyicg.phantom.section_stack(margins_mm=(3.0,), n_slices=5)
        >>> specimen = pyicg.score_stack(cut.stack, profile=cut.profile, view="section", plane=cut.plane)
        >>> status = specimen.with_sign(bed).margin
        >>> status.label, status.sign, status.provenance["decided_by"]
        ('R0', False, 'distance')
        """
        views = self.view, getattr(bed, "view", None)
        if not isinstance(bed, StackScore) or views != ("section", "bed"):
            raise InputError(f"found the views {views}, expected a section's score and, in with_sign, that of its bed")
        if self.margin is None or bed.margin is None:
            raise InputError("a score without a margin status has nothing to join; take what score_stack returns")
        sign_from = {name: bed.summary[name] for name in ("source", "input_digest", "profile_digest", "prevalence")}
        summary = {**self.summary, "sign_from": sign_from}
        return replace(self, margin=combine(bed.margin, self.margin), summary=summary)

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
        from pyicg import report
        from pyicg.io._results_folder import write_files
        from pyicg.io._tables import csv_table, lesion_records

        overlay, page = report.build(self)
        lesions = [row for lesion in self.lesions for row in lesion_records(lesion)]
        files = {
            "frames.csv": csv_table(self.to_records()),
            "lesions.csv": csv_table(lesions, ("lesion", "index")),
            "summary.json": json.dumps(self.to_dict(), indent=1, allow_nan=False).encode(),
            "overlay.png": overlay,
            "report.html": page.encode(),
        }
        write_files(Path(folder), files)
        return Path(folder)
