"""What the report reads of a scored stack, so that it need not import the module that scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pyicg.results import Distance, FrameScore, MarginStatus, SpecimenLesion
    from pyicg.sensitivity import SensitivityTable

__all__ = ["Plane", "Scored"]


class Plane(Protocol):
    """A flat resection plane."""

    @property
    def point_mm(self) -> tuple[float, float, float]:
        """A point of the plane, (z, y, x)."""

    @property
    def normal(self) -> tuple[float, float, float]:
        """Direction away from the tumour, (z, y, x)."""

    @property
    def oriented(self) -> bool:
        """False when it is the tumour's position that tells which way the normal points."""


class Scored(Protocol):
    """A scored stack."""

    @property
    def view(self) -> str:
        """What the frames show: "bed" or "section"."""

    @property
    def frames(self) -> tuple[FrameScore, ...]:
        """Scores in order, at least one."""

    @property
    def lesions(self) -> tuple[SpecimenLesion, ...]:
        """Lesions followed through the frames."""

    @property
    def distance(self) -> Distance | None:
        """Smallest distance to the resection plane or surface."""

    @property
    def margin(self) -> MarginStatus | None:
        """Status of the whole stack."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """Plain values: source, units, digests, version, parameters, reasons.

        ``summary["truth"]``, where the input is simulated, is a sequence of mappings with the keys ``quantity``,
        ``unit``, ``measured`` and ``true``.
        """

    @property
    def spacing_mm(self) -> tuple[float | None, float | None, float | None]:
        """Spacing along (z, y, x); None where unknown."""

    @property
    def plane(self) -> Plane | None:
        """Resection plane, where one was given."""

    @property
    def key_index(self) -> int:
        """Position in `frames` of the frame that decides."""

    @property
    def key_image(self) -> npt.NDArray[np.float32]:
        """Calibrated data of the key frame, (H, W)."""

    @property
    def key_mask(self) -> npt.NDArray[np.uint8]:
        """Validity bits of the key frame, (H, W)."""

    @property
    def sensitivity(self) -> SensitivityTable | None:
        """Contrasts of the key frame under every background policy; an object may also lack the attribute."""
