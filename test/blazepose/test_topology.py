"""Landmark names, sides and connections."""

from __future__ import annotations

import itertools

import pytest

from pose_ros.blazepose.topology import FULL_BODY, UPPER_BODY, Topology

BOTH = pytest.mark.parametrize("topology", [UPPER_BODY, FULL_BODY], ids=["upper", "full"])


def test_the_models_of_mediapipe_have_25_and_33_landmarks() -> None:
    assert (len(UPPER_BODY), len(FULL_BODY)) == (25, 33)
    assert (len(UPPER_BODY.connections), len(FULL_BODY.connections)) == (25, 35)


def test_the_upper_body_is_the_beginning_of_the_full_body() -> None:
    assert FULL_BODY.names[:25] == UPPER_BODY.names
    assert set(UPPER_BODY.connections) < set(FULL_BODY.connections)


@pytest.mark.parametrize(
    ("name", "index"),
    [("nose", 0), ("left_ear", 7), ("mouth_left", 9), ("left_shoulder", 11), ("right_wrist", 16),
     ("right_thumb", 22), ("right_hip", 24), ("left_knee", 25), ("right_foot_index", 32)],
)  # fmt: skip
def test_names_are_at_mediapipes_indices(name: str, index: int) -> None:
    assert FULL_BODY.names[index] == name


@BOTH
def test_every_name_is_there_once(topology: Topology) -> None:
    assert len(set(topology.names)) == len(topology)


@BOTH
def test_every_connection_joins_two_landmarks_and_is_there_once(topology: Topology) -> None:
    assert set(itertools.chain(*topology.connections)) <= set(range(len(topology)))
    assert all(start != end for start, end in topology.connections)
    assert len({frozenset(pair) for pair in topology.connections}) == len(topology.connections)


@BOTH
def test_left_and_right_have_the_same_landmarks_and_connections(topology: Topology) -> None:
    def other_side(index: int) -> int:
        name = topology.names[index]
        swap = {"left": "right", "right": "left"}
        return topology.names.index("_".join(swap.get(part, part) for part in name.split("_")))

    pairs = {frozenset(pair) for pair in topology.connections}
    assert {frozenset(map(other_side, pair)) for pair in pairs} == pairs
