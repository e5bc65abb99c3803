"""The running node: what comes out for what goes in, over real DDS."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
import running
from running import Client
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray

from pose_ros.blazepose import Pose, PoseTracker, PoseTrackerOptions
from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.topology import UPPER_BODY
from pose_ros.client import Landmarks, landmarks_from_msg, names_from_msg
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.outputs.messages import OUTPUTS
from pose_ros.runtime.clock import stamp_to_ns

# those whose messages have a header; the mask, which this model has not, is tested by itself
STAMPED = [
    output.name
    for output in OUTPUTS
    if {"header", "markers"} & output.message_type.get_fields_and_field_types().keys()
    and not output.needs_masks
]
(PERSON,) = running.person()


def core(*messages: Image | CompressedImage, **options: Any) -> list[Pose]:
    """The poses that the core finds, in this process, in the images of some messages."""
    tracker = PoseTracker(PoseTrackerOptions(**{"model": "upper_body", **options}))
    poses: list[Pose] = []
    for message in messages:
        decode = rgb_from_image if isinstance(message, Image) else rgb_from_compressed
        poses += tracker.track(decode(message), stamp_to_ns(message.header.stamp))
    return poses


def assert_equal(landmarks: Landmarks, pose: Pose) -> None:
    """The message holds the bits of the core's float32 result."""
    np.testing.assert_array_equal(landmarks.pixels[0], np.float32(pose.landmarks_px[:, :2]))
    np.testing.assert_array_equal(landmarks.depth_rel[0], np.float32(pose.landmarks_px[:, 2]))
    np.testing.assert_array_equal(landmarks.visibility[0], np.float32(pose.visibility))
    np.testing.assert_array_equal(landmarks.presence[0], np.float32(pose.presence))


# Outputs


def test_landmarks_of_a_clip_equal_the_core_bit_for_bit(pose: Client) -> None:
    messages = [running.image(rgb) for rgb in running.person(8)]
    expected = core(*messages)
    assert len(expected) == len(messages)
    for message, found in zip(messages, expected, strict=True):
        assert_equal(pose.landmarks(message), found)


@pytest.mark.parametrize("name", STAMPED)
def test_every_output_carries_the_header_of_its_image(pose: Client, name: str) -> None:
    message = running.image(PERSON)
    output = pose.ask(message, name)
    headers = (
        [marker.header for marker in output.markers]
        if isinstance(output, MarkerArray)
        else [output.header]
    )
    assert message.header.frame_id == running.FRAME_ID
    assert all(header == message.header for header in headers)


def test_nobody_in_the_picture_gives_no_rows(pose: Client) -> None:
    cloud = pose.ask(running.image(running.black()))
    assert (cloud.height, cloud.width, len(cloud.data)) == (0, 25, 0)
    assert (cloud.point_step, cloud.row_step) == (52, 52 * 25)
    assert not cloud.is_dense
    nobody = [("person", 0), ("landmark", 25), ("value", 4)]
    pose.ask(
        running.image(running.black()),
        "landmarks_array",
        lambda array: (
            [(item.label, item.size) for item in array.layout.dim] == nobody
            and len(array.data) == 0
        ),
    )


def test_landmarks_array_is_normalized_by_the_image_size(pose: Client) -> None:
    message = running.image(PERSON)
    (found,) = core(message)
    height, width = PERSON.shape[:2]
    values = np.column_stack((found.landmarks_px / (width, height, width), found.visibility))
    array = pose.ask(
        message,
        "landmarks_array",
        lambda array: (
            np.allclose(array.data, values.ravel(), atol=1e-6)
            if len(array.data) == values.size
            else False
        ),
    )
    assert [(item.label, item.size, item.stride) for item in array.layout.dim] == [
        ("person", 1, 100),
        ("landmark", 25, 100),
        ("value", 4, 4),
    ]


def test_roi_markers_show_roi_and_detection_on_the_first_frame_only(pose: Client) -> None:
    pose.listen("roi_markers")
    first, second = (pose.ask(running.image(PERSON), "roi_markers").markers for _ in range(2))
    shown = {"roi", "detection", "detection_keypoints"}
    # those of whoever was seen before are deleted
    assert {marker.ns for marker in first if marker.action == Marker.ADD} == shown
    actions = {marker.ns: marker.action for marker in second}
    assert actions.pop("roi") == Marker.ADD
    assert actions == dict.fromkeys(shown - {"roi"}, Marker.DELETE)


def test_annotated_image_is_the_input_with_the_skeleton_drawn_on_it(pose: Client) -> None:
    pose.listen("annotated_image")
    message = running.image(PERSON)
    (expected,) = core(message)
    annotated = rgb_from_image(pose.ask(message, "annotated_image"))
    changed = (annotated != PERSON).any(axis=2)
    assert 0.001 < changed.mean() < 0.3
    drawn = (expected.visibility > 0.5) & (expected.presence > 0.5)
    visible_px = expected.landmarks_px[drawn, :2].round().astype(int)
    assert len(visible_px) > 10
    height, width = changed.shape
    inside = ((visible_px >= 0) & (visible_px < (width, height))).all(axis=1)
    assert changed[tuple(visible_px[inside].T[::-1])].all()


def test_annotated_jpeg_shows_the_annotated_image(pose: Client) -> None:
    pose.listen("annotated_image", "annotated_image/compressed")
    plain = rgb_from_image(pose.ask(running.image(PERSON), "annotated_image"))
    pose.reset()
    message = pose.ask(running.image(PERSON), "annotated_image/compressed")
    assert message.format == "rgb8; jpeg compressed bgr8"
    difference = rgb_from_compressed(message).astype(int) - plain
    assert np.abs(difference).mean() < 4


def test_landmark_names_reach_a_late_joiner(pose: Client) -> None:
    text = pose.latched("landmark_names")
    names = names_from_msg(text)
    assert names.model == "upper_body"
    assert names.names == tuple(UPPER_BODY.names)
    assert names.connections == tuple(tuple(pair) for pair in UPPER_BODY.connections)
    assert set(json.loads(text.data)) == {"model", "names", "connections"}


def test_default_model_is_full_whose_landmarks_have_meters() -> None:
    with (
        running.process("-m", "pose_ros.node") as node,
        running.client(node) as client,
    ):
        found = client.landmarks(running.image(PERSON))
        assert client.get("model") == "full"
        assert found.points.shape == (1, 33)
        assert np.isfinite(found.world).all()


def test_segmentation_mask_covers_the_person_where_the_model_has_one() -> None:
    with running.node_and_client(*running.parameters(model="lite")) as client:
        client.listen("segmentation_mask")
        message = running.image(PERSON)
        output = client.ask(message, "segmentation_mask")
        assert output.header == message.header
        assert output.encoding == "mono8"
        mask = np.frombuffer(output.data, np.uint8).reshape(output.height, output.width)
        assert mask.shape == PERSON.shape[:2]
        nose = client.landmarks(running.image(PERSON)).pixels[0, 0].round().astype(int)
        assert mask[nose[1], nose[0]] > 200
        assert mask[:5, :5].max() < 50
        assert 0.1 < (mask > 127).mean() < 0.9


def test_a_model_without_a_mask_is_logged_once(pose: Client) -> None:
    pose.subscribe("segmentation_mask")

    def logged() -> list[str]:
        pose.landmarks(running.image(PERSON))
        return pose.process.lines("~/segmentation_mask is not published")

    (line,) = pose.until(logged, "a warning")
    assert "upper_body" in line
    assert logged() == [line]


# Input


def test_an_encoding_with_all_the_colors_gives_the_same_landmarks(pose: Client) -> None:
    (expected,) = core(running.image(PERSON))
    swapped = np.ascontiguousarray(PERSON[..., ::-1])
    assert_equal(pose.landmarks(running.raw("bgr8", swapped, padding=36)), expected)


def test_an_encoding_without_color_gives_nearly_the_same_landmarks(pose: Client) -> None:
    message = running.raw("mono8", np.asarray(cv2.cvtColor(PERSON, cv2.COLOR_RGB2GRAY), np.uint8))
    landmarks = pose.landmarks(message)
    (as_decoded,), (in_color,) = core(message), core(running.image(PERSON))
    assert_equal(landmarks, as_decoded)
    visible = in_color.visibility > 0.5
    distances_px = np.hypot(*(landmarks.pixels[0] - in_color.landmarks_px[:, :2])[visible].T)
    assert np.median(distances_px) < 0.02 * PERSON.shape[1]


def test_16_bit_images_that_use_12_bits_give_the_landmarks_of_8_bit_images(pose: Client) -> None:
    gray = np.asarray(cv2.cvtColor(PERSON, cv2.COLOR_RGB2GRAY), np.uint8)
    twelve_bits = np.rint(gray * (4095 / 255)).astype("<u2")
    messages = [running.raw("mono16", twelve_bits) for _ in range(3)]
    same = [running.raw("mono8", gray) for _ in messages]
    for message, eight_bits in zip(messages, same, strict=True):
        eight_bits.header = message.header
    for message, expected in zip(messages, core(*same), strict=True):
        assert_equal(pose.landmarks(message), expected)
    assert len(pose.process.lines("mono16 images use 12 of 16 bits")) == 1


def test_each_range_of_16_bit_images_is_logged_once(pose: Client) -> None:
    """Also where bright and dark images, and images of two sizes, come in turn."""
    for shape in ((48, 64), (64, 48), (48, 64)):
        for value in (1000, 4000, 1000, 65_535, 1000):
            pose.ask(running.raw("mono16", np.full(shape, value, "<u2")))
    lines = [len(pose.process.lines(f"images use {bits} of 16 bits")) for bits in (10, 12, 16)]
    assert lines == [1, 1, 1]


def test_mirrored_input_gives_left_and_right_as_the_persons_own(pose: Client) -> None:
    plain = pose.landmarks(running.image(PERSON))
    assert pose.set(mirrored_input=True).successful
    try:
        mirrored = pose.landmarks(running.image(np.ascontiguousarray(PERSON[:, ::-1])))
    finally:
        assert pose.set(mirrored_input=False).successful
    width = PERSON.shape[1]
    np.testing.assert_allclose(
        mirrored.pixels[0], (width - 1, 0) + plain.pixels[0] * (-1, 1), atol=1e-3
    )
    np.testing.assert_array_equal(mirrored.visibility, plain.visibility)


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_namespace_name_and_remaps_move_every_topic(transport: str) -> None:
    message = running.jpeg(PERSON) if transport == "compressed" else running.image(PERSON)
    suffix = "/compressed" if transport == "compressed" else ""
    arguments = ["-r", "__ns:=/robot", "-r", "__node:=left_pose", "-r", "image:=front/image_raw"]
    with running.node_and_client(
        *arguments,
        *running.parameters(image_transport=transport),
        name="/robot/left_pose",
        image_topic=f"/robot/front/image_raw{suffix}",
        image_type=type(message),
    ) as client:
        assert_equal(client.landmarks(message), core(message)[0])
        status = client.status(lambda status: True, "any state")
        assert status.name == "/robot/left_pose: pose"
        client.process.wait_for_line(f"waiting for images on /robot/front/image_raw{suffix}")


# Time


def jumps(client: Client) -> int:
    return len(client.process.lines("image stamps jumped"))


def test_equal_stamps_are_processed_and_tracked_as_frames(pose: Client) -> None:
    before, first = jumps(pose), running.image(PERSON)
    stamp_ns = stamp_to_ns(first.header.stamp)
    messages = [first, *(running.image(rgb, stamp_ns) for rgb in running.person(3)[1:])]
    outputs = [pose.ask(message) for message in messages]
    assert all(output.header == first.header for output in outputs)
    for output, found in zip(outputs, core(*messages), strict=True):
        assert_equal(landmarks_from_msg(output), found)
    assert jumps(pose) == before


def test_zero_stamps_are_processed_and_tracked_as_frames(pose: Client) -> None:
    before = jumps(pose)
    messages = [running.image(rgb, 0) for rgb in running.person(3)]
    outputs = [pose.ask(message) for message in messages]
    assert all(stamp_to_ns(output.header.stamp) == 0 for output in outputs)
    for output, found in zip(outputs, core(*messages), strict=True):
        assert_equal(landmarks_from_msg(output), found)
    assert jumps(pose) == before


# Services and lazy work


def test_reset_starts_a_new_person(pose: Client) -> None:
    first, again = (pose.landmarks(running.image(PERSON)).person_id[0] for _ in range(2))
    assert first == again
    response = pose.call("reset", Trigger.Request())
    assert response.success
    assert response.message
    assert pose.landmarks(running.image(PERSON)).person_id[0] == first + 1


def test_the_detector_runs_while_nobody_is_tracked(pose: Client) -> None:
    def runs_per_s(rgb: ImageArray, persons: str) -> float:
        reports: list[Any] = []

        def is_processing(status: Any) -> bool:
            if not any(status is known for known in reports):  # else it would flood the node
                reports.append(status)
                pose.publish(running.image(rgb))
            found = [(item.key, item.value) for item in status.values]
            return ("persons", persons) in found and rate(status, "processed") > 0

        for _ in range(2):  # the first report may have images of before in it
            status = pose.status(is_processing, f"persons {persons}")
        found = {item.key: item.value for item in status.values}
        return float(found["detector runs per s"])

    pose.listen("landmarks")
    assert runs_per_s(running.black(), "0") > 0
    assert runs_per_s(PERSON, "1") == 0


def test_disabled_node_drops_images_and_stays_active(pose: Client) -> None:
    disabled = "disabled by ~/enable"

    def has_dropped(status: Any) -> bool:
        pose.publish(running.image(PERSON))
        return bool(status.message == disabled and rate(status, "input") > 0)

    first = pose.landmarks(running.image(PERSON)).person_id[0]
    response = pose.enable(False)
    assert response.success
    assert response.message
    try:
        pose.status(lambda status: status.message == disabled, "its being disabled")
        received = pose.subscribe("landmarks")
        received.clear()
        assert rate(pose.status(has_dropped, "an image that was dropped"), "processed") == 0
        pose.wait_until_idle()
        assert pose.state == "active"
    finally:
        assert pose.enable(True).success
    assert received == []
    assert pose.landmarks(running.image(PERSON)).person_id[0] == first + 1


def rate(status: Any, kind: str) -> float:
    return float(next(item.value for item in status.values if item.key == f"{kind} rate Hz"))


def test_nothing_is_done_until_somebody_subscribes() -> None:
    with running.node_and_client() as client:
        client.until(client.images_matched, "the image subscription")

        def idle(status: Any) -> bool:
            return status.message == "idle: nobody subscribed" and rate(status, "input") > 0

        def publish() -> None:
            for _ in range(30):
                client.publish(message)
                client.spin(0.01)

        message = running.image(PERSON)
        client.status(lambda status: True, "any state")  # from then on each report comes
        before_s = client.process.cpu_s
        status = client.status(idle, "images that came in, and nothing done", do=publish)
        idle_s = client.process.cpu_s - before_s
        assert rate(status, "processed") == 0
        assert not [item.key for item in status.values if " ms " in item.key]
        client.listen("landmarks")
        before_s = client.process.cpu_s
        for _ in range(30):
            assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
        assert idle_s < (client.process.cpu_s - before_s) / 2


def test_the_last_subscriber_to_leave_ends_the_work_and_the_person() -> None:
    with running.node_and_client() as client:
        first = client.landmarks(running.image(PERSON)).person_id[0]
        client.unsubscribe()

        def publish_and_see(status: Any) -> bool:
            client.publish(running.image(PERSON))
            return status.message == "idle: nobody subscribed" and rate(status, "processed") == 0

        client.status(publish_and_see, "nothing to do")
        assert client.landmarks(running.image(PERSON)).person_id[0] > first


def test_positions_and_depth_are_only_for_outputs_that_need_them() -> None:
    with running.node_and_client() as client:
        client.listen("landmarks_array")

        def stages(condition: str) -> set[str]:
            def at_work(status: Any) -> bool:
                client.publish(running.image(PERSON))
                return bool(status.message.startswith(condition))

            status = client.status(at_work, "an image processed")
            return {item.key for item in status.values}

        assert "position ms mean" not in stages("persons: 1 (id ")
        assert not client.node.get_subscriptions_info_by_topic("/depth")
        client.listen("landmarks")
        client.until(
            lambda: client.node.get_subscriptions_info_by_topic("/depth"), "the subscription"
        )

        def is_located(status: Any) -> bool:
            client.publish(running.image(PERSON))
            return "position ms mean" in {item.key for item in status.values}

        client.status(is_located, "positions")


def test_a_burst_is_not_queued_and_its_last_image_is_processed(pose: Client) -> None:
    def dropped() -> int:
        status = pose.status(lambda status: True, "any state")
        return int(next(item.value for item in status.values if item.key == "dropped total"))

    before, received = dropped(), pose.subscribe("landmarks")
    received.clear()
    burst = [running.image(PERSON) for _ in range(20)]
    for message in burst:
        pose.publish(message)
    last = burst[-1].header
    pose.until(lambda: any(item.header == last for item in received), "the last image's landmarks")
    stamps = [stamp_to_ns(item.header.stamp) for item in received]
    assert stamps == sorted(stamps)
    assert 1 <= len(received) < len(burst)
    # Those that the middleware replaced in its queue of one never reach the node.
    assert before <= dropped() <= before + len(burst) - len(received)


def test_an_uncalibrated_camera_is_logged_once_and_positions_stay_unknown(pose: Client) -> None:
    publisher = pose.node.create_publisher(CameraInfo, "camera_info", 10)
    pose.until(publisher.get_subscription_count, "the subscription")

    def reported() -> list[str]:
        publisher.publish(CameraInfo(width=640, height=480))
        assert np.isnan(pose.landmarks(running.image(PERSON)).xyz).all()
        return pose.process.lines(" has K [")

    (line,) = pose.until(reported, "a line on the calibration")
    assert "positions stay unknown" in line
    for _ in range(5):
        assert reported() == [line]
