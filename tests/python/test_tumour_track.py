"""Which lesions of neighbouring slices are one tumour."""

from __future__ import annotations

import numpy as np
import pytest

import pyicg
from pyicg import Lesion, Plane
from pyicg.tumour_track import TumourTrack, link_lesions

from .sliced import PIXEL_MM, ball, lesion_of, slices


def disc(y: float, x: float, radius: float) -> Lesion:
    return lesion_of((y, x), lambda angle: np.full(len(angle), radius))


def shape_of(track: TumourTrack) -> tuple[list[int], tuple[int, ...], tuple[int, ...], list[int]]:
    return [z for z, _ in track.members], track.missing, track.split_at, [len(chain) for chain in track.chains]


def test_two_tumours_side_by_side() -> None:
    found = link_lesions({k: [disc(10, 10, 3), disc(10, 20, 3)] for k in range(4)}, 4)
    assert [shape_of(track) for track in found] == [([0, 1, 2, 3], (), (), [4])] * 2
    assert {lesion.centroid[1] * PIXEL_MM for _, lesion in found[0].members} == {10.0}


def test_a_slice_in_which_it_was_not_found_is_bridged() -> None:
    one = disc(10, 10, 3)
    (track,) = link_lesions({0: [one], 1: [one], 2: [], 3: [one], 4: [one]}, 5)
    assert shape_of(track) == ([0, 1, 3, 4], (2,), (), [4])
    assert len(link_lesions({0: [one], 1: [], 2: [], 3: [one]}, 4)) == 2  # two such slices are not


def test_a_slice_that_was_lost_is_bridged_too() -> None:
    one = disc(10, 10, 3)
    (track,) = link_lesions({1: [one], 2: [one], 5: [one], 6: [], 7: []}, 8)
    assert track.missing == (0, 3, 4)
    assert track.room == (2, 1)
    (ends,) = link_lesions({0: [], 1: [one], 2: [one], 3: [one]}, 6)
    assert (ends.missing, ends.room) == ((4, 5), (1, 3))


def test_a_tumour_that_splits_is_one() -> None:
    whole, left, right = disc(10, 10, 5), disc(10, 7, 2), disc(10, 13, 2)
    (track,) = link_lesions({0: [whole], 1: [whole], 2: [left, right], 3: [left, right]}, 4)
    assert shape_of(track) == ([0, 1, 2, 2, 3, 3], (), (2, 3), [4, 2])
    assert {id(lesion) for chain in track.chains for _, lesion in chain} == {id(whole), id(left), id(right)}


def test_what_lies_above_another_place_is_another_tumour() -> None:
    found = link_lesions({0: [disc(10, 10, 2)], 1: [disc(10, 15, 2)]}, 2)
    assert [shape_of(track)[0] for track in found] == [[0], [1]]


def test_nothing() -> None:
    assert link_lesions({}, 3) == ()
    assert link_lesions({0: [], 1: []}, 2) == ()


def test_missing_and_split_slices_are_told_with_the_distance() -> None:
    plane = Plane(point_mm=(0, 20, 0), normal=(0, 1, 0))
    rims = slices(1.0, 13, lambda z: ball(z, (6, 10, 10), 5))
    spacing = (1.0, PIXEL_MM, PIXEL_MM)
    whole = pyicg.distance_to_plane(rims, plane, spacing_mm=spacing)
    assert whole.warnings == ()
    gone = [None if k == 5 else rim for k, rim in enumerate(rims)]
    lost = pyicg.distance_to_plane(gone, plane, spacing_mm=spacing)
    assert lost.warnings == ("slice_missing",)
    np.testing.assert_allclose([whole.min_mm, lost.min_mm], 5.0, atol=0.002)  # the ball is the same without it
    two = slices(1.0, 13, lambda z: ball(z, (6, 10, 10), 5) if z < 7 else [disc(10, 8, 1.5), disc(10, 12, 1.5)])
    assert "lesion_splits" in pyicg.distance_to_plane(two, plane, spacing_mm=spacing).warnings


@pytest.mark.parametrize("lost", [(6, 7), (5, 6, 7), (10, 11), (0, 1), (10, 11, 12)])
def test_lost_slices_widen_and_say_so(lost: tuple[int, ...]) -> None:
    rims = slices(1.0, 13, lambda z: ball(z, (6, 10, 10), 5))
    left = [None if k in lost else rim for k, rim in enumerate(rims)]
    spacing = (1.0, PIXEL_MM, PIXEL_MM)
    for plane in (Plane(point_mm=(0, 17, 0), normal=(0, 1, 0)), Plane(point_mm=(13, 0, 0), normal=(1, 0, 0))):
        dist = pyicg.distance_to_plane(left, plane, spacing_mm=spacing)
        assert dist.min_mm == pytest.approx(2.0, abs=0.02)
        assert dist.ci_mm[0] < 2.0 < dist.ci_mm[1]
        assert "slice_missing" in dist.warnings


def test_another_tumour_that_may_come_nearer_widens_the_interval() -> None:
    plane = Plane(point_mm=(20, 0, 0), normal=(1, 0, 0))
    spacing = (2.0, PIXEL_MM, PIXEL_MM)

    def near(z: float) -> list[Lesion]:
        return ball(z, (12.5, 10, 10), 5)

    def vague(z: float) -> list[Lesion]:
        return [disc(10, 25, 4)] if z == 16 else []

    sure = pyicg.distance_to_plane(slices(2.0, 11, near), plane, spacing_mm=spacing)
    other = pyicg.distance_to_plane(slices(2.0, 11, vague), plane, spacing_mm=spacing)
    both = pyicg.distance_to_plane(slices(2.0, 11, lambda z: near(z) + vague(z)), plane, spacing_mm=spacing)
    assert sure.min_mm < other.min_mm
    assert other.ci_mm[0] < sure.ci_mm[0]
    assert both.min_mm == sure.min_mm
    assert both.ci_mm[0] == pytest.approx(other.ci_mm[0])
    assert "slice_too_thick" in both.warnings
