"""Markers, built without a node: where they are, what they look like, and how they vanish."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from visualization_msgs.msg import Marker, MarkerArray

from outputs.test_messages import CAMERA, HEADER, frame, located, pose, real_frame
from outputs.test_motions import at, body, map_from_camera, shown
from pose_ros.blazepose.datatypes import Detection, Float64Array, Roi
from pose_ros.blazepose.drawing import LEFT_COLOR, RIGHT_COLOR
from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.outputs.frame import Frame, Person
from pose_ros.outputs.markers import ShownMarkers, markers, roi_markers
from pose_ros.outputs.motions import Motions

DETECTION = Detection(0.9, np.array((10, 5, 50, 45)), np.array(((1, 2), (3, 4), (5, 6), (7, 8))))


@pytest.fixture
def astronaut() -> Frame:
    return real_frame()


# ~/roi_markers


def marker(msg: MarkerArray, namespace: str, person_id: int = 3) -> Marker:
    (found,) = (item for item in msg.markers if (item.ns, item.id) == (namespace, person_id))
    return found


def points_m(item: Marker) -> Float64Array:
    return np.array([(point.x, point.y, point.z) for point in item.points])


@given(
    st.tuples(*[st.floats(-2000, 4000)] * 2),
    st.floats(1, 5000),
    st.floats(-4, 4),
)
def test_roi_marker_projects_onto_the_roi_close_to_the_lens(
    center_px: tuple[float, float], size_px: float, rotation_rad: float
) -> None:
    roi = Roi(np.array(center_px), size_px, rotation_rad)
    item = marker(roi_markers(frame(pose(roi=roi))), "roi")
    np.testing.assert_allclose(points_m(item)[:, 2], 0.1)
    stroke_px = CAMERA.project(points_m(item))
    center, top, *around, end = stroke_px
    np.testing.assert_allclose(center, roi.center_px, atol=0.01)
    np.testing.assert_allclose(np.roll(around, 1, axis=0), roi.corners_px(), atol=0.01)
    np.testing.assert_allclose(top, end, atol=0.01)
    up_px = np.array((np.sin(rotation_rad), -np.cos(rotation_rad))) * size_px / 2
    np.testing.assert_allclose(top - center, up_px, atol=0.01)


def test_markers_of_a_real_person_project_onto_roi_and_detection(astronaut: Frame) -> None:
    msg = roi_markers(astronaut)
    person = astronaut.people[0].pose
    assert person.detection is not None

    def projected_px(namespace: str) -> Float64Array:
        return astronaut.camera.project(points_m(marker(msg, namespace, person.person_id)))

    corners_px = np.roll(projected_px("roi")[2:6], 1, axis=0)
    np.testing.assert_allclose(corners_px, person.roi.corners_px(), atol=0.01)
    xmin, ymin, xmax, ymax = person.detection.box_px
    box_px = [(xmin, ymin), (xmax, ymin), (xmax, ymax), (xmin, ymax), (xmin, ymin)]
    np.testing.assert_allclose(projected_px("detection"), box_px, atol=0.01)
    np.testing.assert_allclose(
        projected_px("detection_keypoints"), person.detection.keypoints_px, atol=0.01
    )


def test_markers_are_complete_for_a_viewer() -> None:
    msg = roi_markers(frame(pose(detection=DETECTION)))
    kinds = {item.ns: item.type for item in msg.markers}
    assert kinds == {
        "roi": Marker.LINE_STRIP,
        "detection": Marker.LINE_STRIP,
        "detection_keypoints": Marker.SPHERE_LIST,
    }
    for item in msg.markers:
        assert item.header == HEADER
        assert item.action == Marker.ADD
        assert item.pose.orientation.w == 1.0
        assert item.color.a == 1.0
    assert marker(msg, "roi").scale.x == pytest.approx(3 / 50 * 0.1)  # 3 px at 0.1 m


def test_markers_are_numbered_by_person() -> None:
    msg = roi_markers(frame(pose(7), pose(9, detection=DETECTION)))
    keys = [(item.ns, item.id) for item in msg.markers]
    assert keys == [("roi", 7), ("roi", 9), ("detection", 9), ("detection_keypoints", 9)]


@pytest.mark.parametrize(
    ("period_s", "lifetime_s"), [(0.1, 0.3), (1.0, 3.0), (0.0, 0.1), (-1.0, 0.1), (100.0, 6.0)]
)
def test_markers_live_three_frames_but_never_forever(period_s: float, lifetime_s: float) -> None:
    lifetime = marker(roi_markers(frame(pose(), period_s=period_s)), "roi").lifetime
    assert lifetime.sec + lifetime.nanosec * 1e-9 == pytest.approx(lifetime_s)


def published(shown: ShownMarkers, result: Frame) -> list[tuple[str, int, int]]:
    """What a topic says in a frame: namespace, id and action of each marker."""
    msg = roi_markers(result)
    shown.add_deletions(msg, result.output_header)
    assert {item.header.frame_id for item in msg.markers} <= {"camera_optical"}
    return [(item.ns, item.id, item.action) for item in msg.markers]


def test_exactly_the_vanished_markers_are_deleted() -> None:
    shown, after = ShownMarkers(), frame(pose(1))
    published(shown, frame(pose(1, detection=DETECTION), pose(2)))
    assert published(shown, after) == [
        ("roi", 1, Marker.ADD),
        ("detection", 1, Marker.DELETE),
        ("detection_keypoints", 1, Marker.DELETE),
        ("roi", 2, Marker.DELETE),
    ]
    assert len(published(shown, after)) == 1


_people = st.dictionaries(st.integers(1, 5), st.sampled_from([None, DETECTION]), max_size=3)


@given(st.lists(_people, min_size=1, max_size=6))
def test_a_viewer_shows_what_the_last_frame_has(
    sequence: list[dict[int, Detection | None]],
) -> None:
    viewer: set[tuple[str, int]] = set()
    shown = ShownMarkers()
    for people in sequence:
        poses = [pose(number, detection=item) for number, item in people.items()]
        for namespace, number, action in published(shown, frame(*poses)):
            assert action in (Marker.ADD, Marker.DELETE)
            if action == Marker.DELETE:
                viewer.remove((namespace, number))  # KeyError for what was never shown
            else:
                viewer.add((namespace, number))
        assert len(viewer) == sum(1 if item is None else 3 for item in people.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_becomes_no_marker(bad: float) -> None:
    detection = Detection(0.9, np.array((1, 2, bad, 4)), np.full((4, 2), bad))
    (item,) = roi_markers(frame(pose(detection=detection))).markers
    assert item.ns == "roi"
    assert np.isfinite(points_m(item)).all()


# ~/markers


def certain(**fields: Any) -> Any:
    """A pose whose landmarks are all sure, and inside the picture."""
    points_px = np.random.default_rng(5).uniform(1, 45, (25, 3))
    sure = np.ones(25)
    return pose(**{"landmarks_px": points_px, "visibility": sure, "presence": sure, **fields})


def test_skeleton_of_unknown_position_projects_onto_its_pixels() -> None:
    person = certain()
    msg = markers(frame(person, marker_distance_m=2.5))
    dots_m, lines_m = points_m(marker(msg, "landmarks")), points_m(marker(msg, "connections"))
    np.testing.assert_allclose(dots_m[:, 2], 2.5)
    np.testing.assert_allclose(CAMERA.project(dots_m), person.landmarks_px[:, :2], atol=0.01)
    ends_px = person.landmarks_px[np.array(UPPER_BODY.connections).ravel(), :2]
    np.testing.assert_allclose(CAMERA.project(lines_m), ends_px, atol=0.01)


def test_skeleton_is_drawn_where_it_is_known_to_be() -> None:
    positions_m = np.random.default_rng(6).uniform(1, 3, (25, 3)).astype(np.float32)
    positions_m[[0, 13]] = np.nan
    msg = markers(frame(located(certain(), positions_m)))
    known = [i for i in range(25) if i not in (0, 13)]
    np.testing.assert_array_equal(points_m(marker(msg, "landmarks")), positions_m[known])
    pairs = [pair for pair in UPPER_BODY.connections if not {0, 13} & set(pair)]
    ends_m = positions_m[np.array(pairs).ravel()]
    np.testing.assert_array_equal(points_m(marker(msg, "connections")), ends_m)


def test_skeleton_leaves_out_what_is_uncertain() -> None:
    visibility = np.ones(25)
    visibility[[11, 12]] = 0.49
    msg = markers(frame(certain(visibility=visibility)))
    assert len(marker(msg, "landmarks").points) == 23
    lost = sum(bool({11, 12} & set(pair)) for pair in UPPER_BODY.connections)
    expected = 2 * (len(UPPER_BODY.connections) - lost)
    assert len(marker(msg, "connections").points) == expected
    more = markers(frame(certain(visibility=visibility), min_visibility=0.4))
    assert len(marker(more, "landmarks").points) == 25


def test_skeleton_has_the_colours_of_the_sides() -> None:
    colors = marker(markers(frame(certain())), "landmarks").colors
    assert len(colors) == 25
    for index, expected in ((11, LEFT_COLOR), (12, RIGHT_COLOR)):
        found = [colors[index].r, colors[index].g, colors[index].b, colors[index].a]
        np.testing.assert_allclose(found, [*np.array(expected) / 255, 1.0])


def test_a_person_of_whom_nothing_is_certain_has_no_markers() -> None:
    msg = markers(frame(certain(), certain(person_id=4, visibility=np.zeros(25))))
    assert {(item.ns, item.id) for item in msg.markers} == {
        *(("connections", 3), ("landmarks", 3), ("label", 3))
    }


def test_people_have_colors_of_their_own() -> None:
    msg = markers(frame(certain(person_id=1), certain(person_id=2)))
    for namespace in ("connections", "label"):
        first, second = (marker(msg, namespace, person_id).color for person_id in (1, 2))
        assert first != second


def test_spheres_grow_with_the_body_and_leave_a_face_apart(astronaut: Frame) -> None:
    """The corners of an eye are 3 cm apart; on the image plane that is part of the ROI's side."""
    person = astronaut.people[0].pose
    size_m = marker(markers(astronaut), "landmarks", person.person_id).scale.x
    corners_px = person.landmarks_px[[1, 3], :2]
    apart_px = np.linalg.norm(corners_px[0] - corners_px[1])
    assert 0.2 < size_m * astronaut.camera.fx / apart_px < 0.8


def test_label_above_each_person_has_id_and_distance() -> None:
    positions_m = np.full((25, 3), (0.3, 0.2, 2.0), np.float32)
    unknown, known = certain(person_id=7), located(certain(person_id=12), positions_m)
    held = located(certain(person_id=13, held_ns=10**8, is_held=True), positions_m)
    msg = markers(frame(unknown, known, held))
    labels = [marker(msg, "label", person_id) for person_id in (7, 12, 13)]
    assert [item.type for item in labels] == [Marker.TEXT_VIEW_FACING] * 3
    assert [item.text for item in labels] == ["7", "12: 2.0 m", "13 (held): 2.0 m"]
    for item, depth_m in zip(labels, (1.0, 2.0, 2.0), strict=True):
        position = item.pose.position
        assert position.z == pytest.approx(depth_m)
        (pixel,) = CAMERA.project(np.array([(position.x, position.y, position.z)]))
        assert pixel[1] < unknown.landmarks_px[:, 1].min()


_positions = st.lists(
    st.sampled_from([0.0, np.nan, np.inf, 1.0, 2.5]), min_size=75, max_size=75
).map(lambda values: np.array(values, np.float32).reshape(25, 3))


@given(
    _positions, st.lists(st.sampled_from([0.0, 30.0, np.nan, np.inf]), min_size=75, max_size=75)
)
def test_no_marker_ever_has_a_point_that_is_not_finite(
    positions_m: Any, pixels: list[float]
) -> None:
    person = certain(landmarks_px=np.array(pixels).reshape(25, 3))
    for item in markers(frame(located(person, positions_m))).markers:
        position = item.pose.position
        points = (
            points_m(item)
            if item.ns != "label"
            else np.array([(position.x, position.y, position.z)])
        )
        assert len(points) > 0
        assert np.isfinite(points).all()
        assert np.isfinite(item.scale.x)


# Movement


def moving(velocity_m_s: tuple[float, float, float], **fields: Any) -> MarkerArray:
    """The markers of somebody whose pelvis is 3 m away and who moves, in the output frame."""
    person = Person(body(5), at((0.5, 0.0, 3.0)))
    motions = Motions()
    seen = motions.apply(shown(0, person, **fields))
    (before,) = seen.people
    assert before.motion is not None
    state = np.array((*before.motion.position_m, *velocity_m_s))
    motion = before.motion._replace(state=state)
    moved = dataclasses.replace(before, motion=motion)
    return markers(dataclasses.replace(seen, people=(moved,)))


def test_who_moves_has_an_arrow_to_where_they_will_be_in_a_second() -> None:
    arrow = marker(moving((1.0, 0.0, -0.5)), "velocity", 5)
    assert (arrow.type, arrow.id) == (Marker.ARROW, 5)
    np.testing.assert_allclose(points_m(arrow), [(0.5, 0, 3), (1.5, 0, 2.5)])
    assert 0 < arrow.scale.x < arrow.scale.y < arrow.scale.z


def test_the_arrow_is_in_the_frame_of_the_positions() -> None:
    """On the map, the camera looks along x."""
    fields = {"transform": map_from_camera(), "target_frame": "map"}
    arrow = marker(moving((0.0, 1.0, 0.0), **fields), "velocity", 5)
    assert arrow.header.frame_id == "map"
    np.testing.assert_allclose(points_m(arrow), [(13, -0.5, 0), (13, 0.5, 0)], atol=1e-9)


def test_who_stands_has_no_arrow_and_who_is_no_target_no_mark() -> None:
    assert {item.ns for item in moving((0.05, 0.0, 0.0)).markers} & {"velocity", "target"} == set()


def test_the_target_has_a_mark_at_the_pelvis() -> None:
    frame_of_target = dataclasses.replace(
        Motions().apply(shown(0, Person(body(5), at((0.5, 0, 3))))), target_id=5
    )
    mark = marker(markers(frame_of_target), "target", 5)
    np.testing.assert_allclose(points_m(mark), [(0.5, 0, 3)])
    assert mark.scale.x > 0
