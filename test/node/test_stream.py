"""Cameras as robots have them: changing, stopping, too fast, too large; no backlog, ever."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from running import Client
from sensor_msgs.msg import Image, PointCloud2

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import landmarks_from_msg
from pose_ros.inputs.images import rgb_from_image
from pose_ros.outputs.images import image_from_rgb
from pose_ros.runtime.clock import stamp_to_ns

(PERSON,) = running.person()


def resized(width: int, height: int) -> ImageArray:
    return np.asarray(cv2.resize(PERSON, (width, height)), np.uint8)


def with_frame_id(message: Image, frame_id: str) -> Image:
    message.header.frame_id = frame_id
    return message


def person_ids(client: Client, message: Image) -> list[int]:
    output = client.ask(message)
    assert output.header == message.header
    return [int(number) for number in landmarks_from_msg(output).person_id]


# Changes


def test_resolution_encoding_and_frame_id_change_in_mid_stream(pose: Client) -> None:
    (first,) = person_ids(pose, running.image(PERSON))
    grey = np.asarray(cv2.cvtColor(PERSON, cv2.COLOR_RGB2GRAY), np.uint8)
    swapped = np.ascontiguousarray(PERSON[..., ::-1])
    for message in (
        running.raw("bgr8", swapped),
        running.raw("mono8", grey),
        with_frame_id(running.image(PERSON), "another_camera"),
    ):
        assert person_ids(pose, message) == [first]
    # Where the person was says nothing in an image of another size.
    for number, size in enumerate([(800, 600), (160, 120), (300, 400), (400, 300)]):
        image = resized(*size)
        assert person_ids(pose, running.image(image)) == [first + 1 + number]
        assert person_ids(pose, running.image(image)) == [first + 1 + number]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (2, 3)])
def test_tiny_images_are_processed_with_nobody(pose: Client, size: tuple[int, int]) -> None:
    (first,) = person_ids(pose, running.image(PERSON))
    assert person_ids(pose, running.image(resized(*size))) == []
    assert person_ids(pose, running.image(PERSON)) == [first + 1]


def test_two_cameras_on_one_topic_are_processed_each_for_itself(pose: Client) -> None:
    with running.client(pose.process) as other:
        other.until(other.images_matched, "the node's image subscription")
        received, empty = pose.subscribe("landmarks"), running.black(240, 320)
        pose.landmarks(running.image(PERSON))  # those of images before have come then
        received.clear()
        sent: dict[int, str] = {}

        def have_both_come() -> bool:
            for camera, name, image in ((pose, "left", PERSON), (other, "right", empty)):
                message = with_frame_id(running.image(image), name)
                sent[stamp_to_ns(message.header.stamp)] = name
                camera.publish(message)
                pose.spin(0.02)
            counts = Counter(cloud.header.frame_id for cloud in received)
            return counts["left"] >= 10 and counts["right"] >= 10

        pose.until(have_both_come, "landmarks of both")
        for cloud in received:
            assert cloud.header.frame_id == sent[stamp_to_ns(cloud.header.stamp)]
            assert cloud.height == (1 if cloud.header.frame_id == "left" else 0)


def test_a_publisher_that_starts_again_is_found_again(pose: Client) -> None:
    before = pose.ask(running.image(PERSON))
    received = pose.subscribe("landmarks")
    for _ in range(3):
        received.clear()
        with running.client(pose.process) as camera:
            start_s = time.monotonic()

            def has_come() -> bool:
                camera.publish(running.image(PERSON))
                pose.spin(0.05)
                return bool(received)

            pose.until(has_come, "landmarks")
            print(f"landmarks {time.monotonic() - start_s:.2f} s after the camera's start")
        gap_ns = stamp_to_ns(received[0].header.stamp) - stamp_to_ns(before.header.stamp)
        ids = [int(landmarks_from_msg(cloud).person_id[0]) for cloud in (before, received[0])]
        assert (ids[0] == ids[1]) == (gap_ns <= 2 * 10**9)
        before = received[-1]


def test_a_camera_that_stops_goes_on_with_a_fresh_person() -> None:
    with running.node_and_client(*running.parameters(no_image_timeout_s=2.0)) as client:
        client.listen("landmarks")

        def is_well(status: DiagnosticStatus) -> bool:
            client.publish(running.image(PERSON))
            return bool(status.level == DiagnosticStatus.OK)

        client.status(is_well, "no warning")  # there was one if the first image came late
        silent = "no image on /image for 2 s, though it has publishers"
        before = len(client.process.lines(silent))
        last = running.image(PERSON)
        (first,) = person_ids(client, last)
        status = client.status(lambda status: silent in status.message, "a warning")
        assert status.level == DiagnosticStatus.ERROR
        client.until(lambda: len(client.process.lines(silent)) > before, "its line")
        back_ns = stamp_to_ns(last.header.stamp) + 10 * 10**9
        assert person_ids(client, running.image(PERSON, back_ns)) == [first + 1]
        assert len(client.process.lines(silent)) == before + 1
        client.status(is_well, "no warning")


def test_a_viewer_of_the_annotated_image_comes_and_goes(pose: Client) -> None:
    (first,) = person_ids(pose, running.image(PERSON))
    clouds = pose.subscribe("landmarks")
    for _ in range(8):
        images: list[Image] = []
        viewer = pose.node.create_subscription(
            Image, "/pose/annotated_image", images.append, QoSProfile(depth=1)
        )
        pose.stream(PERSON, lambda: images, "an annotated image")  # noqa: B023, called at once
        pose.node.destroy_subscription(viewer)
        assert rgb_from_image(images[-1]).shape == PERSON.shape
        clouds.clear()
        pose.stream(PERSON, lambda: len(clouds) >= 5, "landmarks")
        assert {
            int(number) for cloud in clouds for number in landmarks_from_msg(cloud).person_id
        } == {first}


# Speed


@dataclass
class Played:
    """What came out for a stream, and what the node reports of its own work in the meantime."""

    sent_ns: list[int]
    arrivals: dict[int, float]  # latency in ms by stamp, in the order of arrival
    work_ms: dict[str, float]

    @property
    def latency_ms(self) -> list[float]:
        return list(self.arrivals.values())

    def line(self, name: str) -> str:
        latency_ms, seconds = self.latency_ms, (self.sent_ns[-1] - self.sent_ns[0]) / 1e9
        return (
            f"{name}: {len(self.sent_ns)} sent at {(len(self.sent_ns) - 1) / seconds:.0f} Hz, "
            f"{len(latency_ms)} processed; latency median {np.median(latency_ms):.1f}, "
            f"p95 {np.percentile(latency_ms, 95):.1f}, worst {max(latency_ms):.1f} ms; "
            f"work of the node mean {self.work_ms['mean']:.1f}, p95 {self.work_ms['p95']:.1f} ms"
        )

    def assert_no_backlog(self) -> None:
        """The newest image is taken, and the last images wait no longer than the first."""
        assert list(self.arrivals) == sorted(self.arrivals)
        assert max(self.arrivals) == self.sent_ns[-1]
        third = len(self.arrivals) // 3
        assert third >= 5
        first_ms, last_ms = self.latency_ms[:third], self.latency_ms[-third:]
        assert np.median(last_ms) < np.median(first_ms) + 2 * self.work_ms["p95"]


def now_ns(client: Client) -> int:
    nanoseconds: int = client.node.get_clock().now().nanoseconds
    return nanoseconds


def work_ms(reports: list[DiagnosticArray]) -> dict[str, float]:
    """Time that the node needs for an image, decoding to publishing."""
    found = [{item.key: item.value for item in report.status[0].values} for report in reports]
    stages = ("decode", "track", "publish")  # a report may come between those of an image
    busy = [values for values in found if all(f"{stage} ms mean" in values for stage in stages)]
    return {
        kind: max(sum(float(values[f"{stage} ms {kind}"]) for stage in stages) for values in busy)
        for kind in ("mean", "p95")
    }


def due(rate_hz: float, seconds: float) -> Iterator[float]:
    """The times at which images are due."""
    start_s = time.monotonic()
    for number in range(int(rate_hz * seconds)):
        yield start_s + number / rate_hz


def play(client: Client, image: ImageArray, rate_hz: float, seconds: float) -> Played:
    """Publish an image over and over, stamped as it leaves, and note when its landmarks come."""
    message, arrivals = image_from_rgb(image, running.header()), dict[int, float]()
    sent_ns: list[int] = []

    def note(cloud: PointCloud2) -> None:
        stamp_ns = stamp_to_ns(cloud.header.stamp)
        if sent_ns and stamp_ns >= sent_ns[0]:
            arrivals[stamp_ns] = (now_ns(client) - stamp_ns) / 1e6

    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    camera = client.node.create_publisher(Image, "/image", qos)
    listener = client.node.create_subscription(PointCloud2, "/pose/landmarks", note, 10)
    client.until(camera.get_subscription_count, "the node's image subscription")
    client.spin(0.3)
    reports = client.subscribe("/diagnostics", DiagnosticArray)
    reports.clear()
    for due_s in due(rate_hz, seconds):
        client.spin(max(0.001, due_s - time.monotonic()))
        sent_ns.append(now_ns(client))
        second, nanosecond = divmod(sent_ns[-1], 10**9)
        message.header.stamp = Time(sec=second, nanosec=nanosecond)
        camera.publish(message)
    client.until(lambda: sent_ns[-1] in arrivals, "the landmarks of the last image")
    client.spin(1.1)
    client.node.destroy_subscription(listener)
    client.node.destroy_publisher(camera)
    return Played(sent_ns, arrivals, work_ms(reports))


FRAME_MS = 1000 / 30


@pytest.mark.timed
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_at_30_hz_landmarks_come_within_two_frames_and_the_work(size: tuple[int, int]) -> None:
    image, tries = resized(*size), []
    with running.node_and_client() as client:
        client.listen("landmarks")
        for _ in range(3):  # other work on the machine must not decide
            played = play(client, image, 30.0, 3.0)
            print(played.line("{} x {}".format(*size)))
            played.assert_no_backlog()
            tries.append(np.percentile(played.latency_ms, 95) - played.work_ms["p95"])
            if tries[-1] <= 2 * FRAME_MS:
                break
        assert min(tries) <= 2 * FRAME_MS


@pytest.mark.timed
def test_at_120_hz_the_newest_image_wins_and_nothing_piles_up() -> None:
    with running.node_and_client() as client:
        client.listen("landmarks")
        played = play(client, resized(640, 480), 120.0, 4.0)
        print(played.line("640 x 480"))
        played.assert_no_backlog()


@pytest.mark.timed
def test_4k_images_are_processed_and_nothing_piles_up() -> None:
    """25 MB each; with the shared-memory profile that is shipped."""
    with running.node_and_client() as client:
        client.listen("landmarks")
        played = play(client, resized(3840, 2160), 30.0, 4.0)
        print(played.line("3840 x 2160"))
        played.assert_no_backlog()
        assert len(played.arrivals) > 20
