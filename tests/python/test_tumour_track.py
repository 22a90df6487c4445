"""Which lesions of neighbouring slices are one tumour."""

from __future__ import annotations

import numpy as np

import pyicg
from pyicg import Lesion, Plane
from pyicg.tumour_track import TumourTrack, link_lesions

from .sliced import PIXEL_MM, ball, lesion_of, slices


def disc(y: float, x: float, radius: float) -> Lesion:
    return lesion_of((y, x), lambda angle: np.full(len(angle), radius))


def shape_of(track: TumourTrack) -> tuple[list[int], tuple[int, ...], tuple[int, ...], list[int]]:
    return [z for z, _ in track.members], track.missing, track.split_at, [len(chain) for chain in track.chains]


def test_two_tumours_side_by_side() -> None:
    found = link_lesions({k: [disc(10, 10, 3), disc(10, 20, 3)] for k in range(4)})
    assert [shape_of(track) for track in found] == [([0, 1, 2, 3], (), (), [4])] * 2
    assert {lesion.centroid[1] * PIXEL_MM for _, lesion in found[0].members} == {10.0}


def test_a_slice_in_which_it_was_not_found_is_bridged() -> None:
    one = disc(10, 10, 3)
    (track,) = link_lesions({0: [one], 1: [one], 2: [], 3: [one], 4: [one]})
    assert shape_of(track) == ([0, 1, 3, 4], (2,), (), [4])
    assert len(link_lesions({0: [one], 1: [], 2: [], 3: [one]})) == 2  # two such slices are not


def test_a_slice_that_was_lost_is_bridged_too() -> None:
    one = disc(10, 10, 3)
    (track,) = link_lesions({0: [one], 1: [one], 3: [one]})
    assert track.missing == (2,)


def test_a_tumour_that_splits_is_one() -> None:
    whole, left, right = disc(10, 10, 5), disc(10, 7, 2), disc(10, 13, 2)
    (track,) = link_lesions({0: [whole], 1: [whole], 2: [left, right], 3: [left, right]})
    assert shape_of(track) == ([0, 1, 2, 2, 3, 3], (), (2, 3), [4, 2])
    assert {id(lesion) for chain in track.chains for _, lesion in chain} == {id(whole), id(left), id(right)}


def test_what_lies_above_another_place_is_another_tumour() -> None:
    found = link_lesions({0: [disc(10, 10, 2)], 1: [disc(10, 15, 2)]})
    assert [shape_of(track)[0] for track in found] == [[0], [1]]


def test_nothing() -> None:
    assert link_lesions({}) == ()
    assert link_lesions({0: [], 1: []}) == ()


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
