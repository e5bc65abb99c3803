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
from pose_ros.images import rgb_from_compressed, rgb_from_image
from pose_ros.messages import OUTPUTS
from pose_ros.stamps import stamp_to_ns

STAMPED = ["landmarks", "markers", "roi_markers", "annotated_image", "annotated_image/compressed"]
(PERSON,) = running.person()


def core(*messages: Image | CompressedImage, **options: Any) -> list[Pose]:
    """The poses that the core finds, in this process, in the images of some messages."""
    tracker = PoseTracker(PoseTrackerOptions(**options))
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


def test_all_outputs_but_the_plain_array_have_a_header() -> None:
    others = {"landmarks_array", "segmentation_mask"}  # the latter is tested below
    assert set(STAMPED) == {output.name for output in OUTPUTS} - others


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
    assert {marker.ns for marker in first} == shown
    assert all(marker.action == Marker.ADD for marker in first)
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


def test_a_model_without_a_mask_says_so(pose: Client) -> None:
    pose.subscribe("segmentation_mask")

    def told() -> list[str]:
        pose.landmarks(running.image(PERSON))
        return pose.process.lines("allowed is False for the model upper_body")

    assert "~/segmentation_mask" in pose.until(told, "a warning")[0]


# Input


def swapped(rgb: ImageArray) -> ImageArray:
    return np.ascontiguousarray(rgb[..., ::-1])


def with_alpha(rgb: ImageArray) -> ImageArray:
    return np.dstack((rgb, np.full(rgb.shape[:2], 255, np.uint8)))


def mosaic(rgb: ImageArray) -> ImageArray:
    """What a sensor with the pattern RGGB sees."""
    sensor = rgb[..., 1].copy()
    sensor[::2, ::2], sensor[1::2, 1::2] = rgb[::2, ::2, 0], rgb[1::2, 1::2, 2]
    return sensor


def grey(rgb: ImageArray) -> ImageArray:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def yuv422(rgb: ImageArray) -> ImageArray:
    """Rows (H, W, 2) of U Y V Y: OpenCV's planes, each chroma value for two pixels."""
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV).astype(np.float32)
    luma = yuv[..., :1] * (219 / 255) + 16
    chroma = yuv[..., 1:].reshape(rgb.shape[0], -1, 2, 2).mean(axis=2)  # (H, W / 2, u v)
    scale = np.array((224 / 255 / 0.492 / 1.772, 224 / 255 / 0.877 / 1.402), np.float32)
    chroma = (chroma - 128) * scale + 128
    packed = np.dstack((chroma.reshape(*rgb.shape[:2], 1), luma))
    return packed.round().clip(0, 255).astype(np.uint8)


EXACT = {
    "rgb8": lambda rgb: running.raw("rgb8", rgb),
    "rgb8 with padded rows": lambda rgb: running.raw("rgb8", rgb, padding=36),
    "bgr8": lambda rgb: running.raw("bgr8", swapped(rgb)),
    "8UC3": lambda rgb: running.raw("8UC3", swapped(rgb)),
    "rgba8": lambda rgb: running.raw("rgba8", with_alpha(rgb)),
    "bgra8": lambda rgb: running.raw("bgra8", with_alpha(swapped(rgb))),
    "rgb16": lambda rgb: running.raw("rgb16", rgb.astype(np.uint16) * 257),
}
NEAR = {
    "yuv422": lambda rgb: running.raw("yuv422", yuv422(rgb)),
    "yuv422_yuy2": lambda rgb: running.raw("yuv422_yuy2", yuv422(rgb)[..., ::-1]),
    "mono8": lambda rgb: running.raw("mono8", grey(rgb)),
    "mono16": lambda rgb: running.raw("mono16", grey(rgb).astype(np.uint16) * 257),
    "bayer_rggb8": lambda rgb: running.raw("bayer_rggb8", mosaic(rgb)),
}


@pytest.mark.parametrize("encoding", EXACT)
def test_encodings_with_all_the_colours_give_the_same_landmarks(
    pose: Client, encoding: str
) -> None:
    (expected,) = core(running.image(PERSON))
    assert_equal(pose.landmarks(EXACT[encoding](PERSON)), expected)


@pytest.mark.parametrize("encoding", NEAR)
def test_encodings_with_less_colour_give_nearly_the_same_landmarks(
    pose: Client, encoding: str
) -> None:
    message = NEAR[encoding](PERSON)
    landmarks = pose.landmarks(message)
    (as_decoded,), (in_colour,) = core(message), core(running.image(PERSON))
    assert_equal(landmarks, as_decoded)
    visible = in_colour.visibility > 0.5
    distances_px = np.hypot(*(landmarks.pixels[0] - in_colour.landmarks_px[:, :2])[visible].T)
    assert np.median(distances_px) < 0.02 * PERSON.shape[1]


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
        client.process.wait_for_line(f"waits for images on /robot/front/image_raw{suffix}")


# Time


def jumps(client: Client) -> int:
    return len(client.process.lines("image stamps jumped"))


def test_equal_stamps_are_answered_and_tracked_as_frames(pose: Client) -> None:
    before, first = jumps(pose), running.image(PERSON)
    stamp_ns = stamp_to_ns(first.header.stamp)
    messages = [first, *(running.image(rgb, stamp_ns) for rgb in running.person(3)[1:])]
    answers = [pose.ask(message) for message in messages]
    assert all(answer.header == first.header for answer in answers)
    for answer, found in zip(answers, core(*messages), strict=True):
        assert_equal(landmarks_from_msg(answer), found)
    assert jumps(pose) == before


def test_zero_stamps_are_answered_and_tracked_as_frames(pose: Client) -> None:
    before = jumps(pose)
    messages = [running.image(rgb, 0) for rgb in running.person(3)]
    answers = [pose.ask(message) for message in messages]
    assert all(stamp_to_ns(answer.header.stamp) == 0 for answer in answers)
    for answer, found in zip(answers, core(*messages), strict=True):
        assert_equal(landmarks_from_msg(answer), found)
    assert jumps(pose) == before


# Services and lazy work


def test_reset_starts_a_new_person(pose: Client) -> None:
    first, again = (pose.landmarks(running.image(PERSON)).person_id[0] for _ in range(2))
    assert first == again
    response = pose.call("reset", Trigger.Request())
    assert response.success
    assert response.message
    assert pose.landmarks(running.image(PERSON)).person_id[0] == first + 1


def test_disabled_node_drops_images_and_stays_active(pose: Client) -> None:
    received = pose.subscribe("landmarks")
    first = pose.landmarks(running.image(PERSON)).person_id[0]
    assert pose.enable(False).message == "disabled: images are dropped"
    try:
        received.clear()
        pose.status(lambda status: status.message == "disabled by ~/enable", "its being disabled")
        pose.publish(running.image(PERSON))
        status = pose.status(
            lambda status: status.message == "disabled by ~/enable" and rate(status, "input") > 0,
            "an image that was dropped",
        )
        assert rate(status, "processed") == 0
        assert pose.state == "active"
    finally:
        assert pose.enable(True).success
    assert pose.landmarks(running.image(PERSON)).person_id[0] == first + 1
    assert len(received) == 1


def rate(status: Any, kind: str) -> float:
    return float(next(item.value for item in status.values if item.key == f"{kind} rate Hz"))


def test_nothing_is_done_until_somebody_subscribes() -> None:
    with running.node_and_client() as client:
        client.until(client.images_matched, "the image subscription")

        def idle(status: Any) -> bool:
            return status.message == "idle: nobody subscribed" and rate(status, "input") > 0

        message = running.image(PERSON)
        before_s = client.process.cpu_s
        for _ in range(30):
            client.publish(message)
            client.spin(0.01)
        status = client.status(idle, "images that came in, and nothing done")
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


def test_a_burst_is_not_queued_and_its_last_image_is_answered(pose: Client) -> None:
    def dropped() -> int:
        status = pose.status(lambda status: True, "any state")
        return int(next(item.value for item in status.values if item.key == "dropped total"))

    before, received = dropped(), pose.subscribe("landmarks")
    received.clear()
    burst = [running.image(PERSON) for _ in range(20)]
    for message in burst:
        pose.publish(message)
    last = burst[-1].header
    pose.until(lambda: any(item.header == last for item in received), "the last image's answer")
    stamps = [stamp_to_ns(item.header.stamp) for item in received]
    assert stamps == sorted(stamps)
    assert 1 <= len(received) < len(burst)
    # Those that the middleware replaced in its queue of one never reach the node.
    assert before <= dropped() <= before + len(burst) - len(received)


def test_an_uncalibrated_camera_is_told_once_and_places_stay_unknown(pose: Client) -> None:
    publisher = pose.node.create_publisher(CameraInfo, "camera_info", 10)
    pose.until(publisher.get_subscription_count, "the subscription")

    def told() -> list[str]:
        publisher.publish(CameraInfo(width=640, height=480))
        assert np.isnan(pose.landmarks(running.image(PERSON)).xyz).all()
        return pose.process.lines("camera_info has K")

    (line,) = pose.until(told, "a line on the calibration")
    assert "places in space stay unknown" in line
    for _ in range(5):
        assert told() == [line]
