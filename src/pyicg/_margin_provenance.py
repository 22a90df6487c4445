"""What every margin status says about itself, whichever model it is from."""

from __future__ import annotations

from typing import Any

from pyicg import _core

__all__ = ["NEVER_CLEAR", "provenance"]

NEVER_CLEAR = (
    "a margin is never 'clear': R0 is a class with a remaining risk of R1, and absence of fluorescence lowers that "
    "risk and does not exclude it"
)


def provenance(model: str, **parts: Any) -> dict[str, Any]:
    """Return the provenance of a status: the model, its parts, the wording, and the version of pyicg.

    Examples
    --------
    >>> from pyicg._margin_provenance import provenance
    >>> list(provenance("measured-distance", threshold_mm=1.0))
    ['model', 'threshold_mm', 'wording', 'pyicg_version']
    """
    return {"model": model, **parts, "wording": NEVER_CLEAR, "pyicg_version": _core.version()}
