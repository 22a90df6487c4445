"""How far a fitted plane lies from the one that was meant."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyicg import Plane


def angle_deg(plane: Plane, normal: npt.ArrayLike) -> float:
    return math.degrees(math.acos(min(1.0, abs(float(np.dot(plane.normal, normal))))))


def off(plane: Plane, point: npt.ArrayLike) -> float:
    return abs(float(np.dot(np.subtract(point, plane.point_mm), plane.normal)))
