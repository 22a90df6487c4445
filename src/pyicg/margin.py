"""The margin: P(R1), its interval and a label, from the fluorescent sign, a measured distance or a trained model."""

from __future__ import annotations

from pyicg.combined_margin import combine
from pyicg.distance_margin import from_distance
from pyicg.published_anchor import PublishedAnchorModel
from pyicg.sample_size import RileyMinimum, riley_minimum
from pyicg.trained_model import TrainedModel

__all__ = ["PublishedAnchorModel", "RileyMinimum", "TrainedModel", "combine", "from_distance", "riley_minimum"]
