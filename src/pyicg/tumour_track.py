"""Which lesions of neighbouring slices are one tumour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyicg.results import Lesion

__all__ = ["TumourTrack", "goes_on", "link_lesions"]

Member = tuple[int, Lesion]


@dataclass(frozen=True, eq=False)
class TumourTrack:
    """One tumour through the slices of a specimen.

    Attributes
    ----------
    members : tuple of (int, Lesion)
        Slice index and lesion, in order of slices; several of one slice where it shows in parts.
    chains : tuple of tuple of (int, Lesion)
        The same, one lesion a slice in each: more than one chain where the tumour splits.
    missing : tuple of int
        Slices between the first and the last in which it was not found, and lost ones beside its ends.
    split_at : tuple of int
        Slices that show it in more than one part.
    room : tuple of int
        How many slices away the next one is that was looked at, before the first and behind the last.
    """

    members: tuple[Member, ...]
    chains: tuple[tuple[Member, ...], ...]
    missing: tuple[int, ...]
    split_at: tuple[int, ...]
    room: tuple[int, int]


def goes_on(centroid: tuple[float, float], others: Sequence[Lesion]) -> bool:
    """Tell whether one of the lesions of another slice covers a point."""
    return any(math.dist(other.centroid, centroid) < math.sqrt(other.area_px / math.pi) for other in others)


def link_lesions(slices: Mapping[int, Sequence[Lesion]], count: int) -> tuple[TumourTrack, ...]:
    """Join lesions of neighbouring slices of which one covers the other's centre.

    Of `count` slices those that are not in the mapping were lost: the next one that was not is the neighbour. A lesion
    with no partner in its neighbour may have one in the slice behind that: one slice in which it was not found is
    bridged. Parts that meet in one lesion of a neighbouring slice are one tumour. Chains join the nearest first.
    """
    order = sorted(slices)
    after = {index: order[k + 1 :] for k, index in enumerate(order)}
    nodes = [(index, lesion) for index in sorted(slices) for lesion in slices[index]]
    at = {index: [n for n, node in enumerate(nodes) if node[0] == index] for index in slices}
    links = [
        (a, b)
        for a, (index, one) in enumerate(nodes)
        for b in _those(at, after[index], 0)
        if _overlap(one, nodes[b][1])
    ]
    before, behind = {a for a, _ in links}, {b for _, b in links}
    bridges = [
        (a, b)
        for a, (index, one) in enumerate(nodes)
        for b in _those(at, after[index], 1)
        if a not in before and b not in behind and _overlap(one, nodes[b][1])
    ]
    links += bridges
    return tuple(_track(nodes, group, links, order, count) for group in _groups(len(nodes), links))


def _those(at: Mapping[int, Sequence[int]], after: Sequence[int], steps: int) -> Sequence[int]:
    return at[after[steps]] if len(after) > steps else ()


def _overlap(one: Lesion, other: Lesion) -> bool:
    return goes_on(one.centroid, [other]) or goes_on(other.centroid, [one])


def _groups(count: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components, in order of their first members."""
    group = list(range(count))
    for a, b in links:
        old, new = sorted((group[a], group[b]), reverse=True)
        group = [new if g == old else g for g in group]
    return [[n for n in range(count) if group[n] == g] for g in sorted(set(group))]


def _track(
    nodes: Sequence[Member],
    group: Sequence[int],
    links: Sequence[tuple[int, int]],
    order: Sequence[int],
    count: int,
) -> TumourTrack:
    pairs = sorted(
        (math.dist(nodes[a][1].centroid, nodes[b][1].centroid), a, b) for a, b in links if a in group and b in group
    )
    following: dict[int, int] = {}
    for _, a, b in pairs:
        if a not in following and b not in following.values():
            following[a] = b
    chains = []
    for first in (n for n in group if n not in following.values()):
        chain = [first]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        chains.append(tuple(nodes[n] for n in chain))
    members = tuple(nodes[n] for n in group)
    indices = [index for index, _ in members]
    # With the lost slices beside its ends: nobody saw whether it goes on there.
    before = max((index for index in order if index < indices[0]), default=-1)
    behind = min((index for index in order if index > indices[-1]), default=count)
    missing = tuple(index for index in range(before + 1, behind) if index not in indices)
    room = (indices[0] - before, behind - indices[-1])
    split = tuple(index for index in sorted(set(indices)) if indices.count(index) > 1)
    return TumourTrack(members, tuple(chains), missing, split, room)
