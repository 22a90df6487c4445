"""The errors pyicg raises: what was found, what was expected, what to do."""

from __future__ import annotations

__all__ = ["CalibrationRangeError", "InputError", "ProfileError", "PyicgError", "UnitError"]


class PyicgError(Exception):
    """Base of every error that pyicg raises on purpose."""


class InputError(PyicgError, ValueError):
    """A file, an array or an option cannot be used as it is."""


class ProfileError(PyicgError, ValueError):
    """A camera profile is missing, damaged or does not fit the frame."""


class CalibrationRangeError(PyicgError):
    """A frame lies outside the range in which its profile was measured."""


class UnitError(PyicgError, ValueError):
    """A length, exposure or spacing is missing, not positive or of the wrong kind."""
