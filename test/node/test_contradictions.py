"""Inputs that contradict each other, or time itself: reported, and never a wrong number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import media
import numpy as np
import numpy.typing as npt
import pytest
import rgbd_camera
import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.publisher import Publisher
from running import Client
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.client import Landmarks, landmarks_from_msg

(PERSON,) = running.person()
HEIGHT, WIDTH = PERSON.shape[:2]


@dataclass
class Camera:
    """A client with a calibrated camera: `info` is sent before each image."""

    client: Client
    infos: Publisher
    info: CameraInfo

    def landmarks(self, message: Image) -> Landmarks:
        self.infos.publish(self.info)
        return self.client.landmarks(message)

    def until(self, condition: Callable[[Landmarks], bool], rgb: ImageArray = PERSON) -> Landmarks:
        """Send images until the landmarks meet a condition: a calibration may come late."""

        def found() -> Landmarks | None:
            landmarks = self.landmarks(running.image(rgb))
            return landmarks if len(landmarks.points) and condition(landmarks) else None

        return self.client.until(found, "landmarks")

    def warning(self, *words: str) -> None:
        """Expect one line of log, and the same in diagnostics while images are processed."""

        def has_words(status: DiagnosticStatus) -> bool:
            self.infos.publish(self.info)
            self.client.publish(running.image(PERSON))
            return status.level == DiagnosticStatus.WARN and words[0] in status.message

        status = self.client.status(has_words, f"{words[0]!r}")
        assert all(word in status.message for word in words), status.message
        assert len(self.client.process.lines(words[0])) == 1


def is_located(landmarks: Landmarks) -> bool:
    return bool(np.isfinite(landmarks.xyz).any())


def is_not_located(landmarks: Landmarks) -> bool:
    return not is_located(landmarks)


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Iterator[Camera]:
    """A node with a model that knows meters, and a calibrated camera for it."""
    # no warning of an image or a calibration that only comes late
    options = {"model": "lite", "no_image_timeout_s": 0.0, **getattr(request, "param", {})}
    with running.node_and_client(*running.parameters(**options)) as client:
        infos = client.node.create_publisher(CameraInfo, "camera_info", 1)
        info = rgbd_camera.calibration(HEIGHT, WIDTH)
        client.listen("landmarks")
        client.until(infos.get_subscription_count, "the subscription to camera_info")
        yield Camera(client, infos, info)


# Stamps


def walk(client: Client, start_ns: int, step_ns: int) -> list[float]:
    """Where the nose is of a person who moves 4 px a frame, relative to the person, in px."""
    picture = next(media.frames("astronaut"))
    nose_px = []
    for frame in range(30):
        canvas = np.zeros((512, 660, 3), np.uint8)
        canvas[:, 4 * frame : 4 * frame + 512] = picture
        landmarks = client.landmarks(running.image(canvas, start_ns + frame * step_ns))
        nose_px.append(float(landmarks.pixels[0, 0, 0]) - 4 * frame)
        client.spin(0.02)
    return nose_px


def test_stamps_in_a_wrong_unit_do_not_freeze_the_landmarks(pose: Client) -> None:
    start_ns = 10**17
    expected_px = walk(pose, start_ns, running.FRAME_NS)
    for number, step_ns in enumerate((33_333, 33, 1)):  # us, ms, a frame counter
        before = len(pose.process.lines("advance too slowly"))
        pose.reset()
        found_px = walk(pose, start_ns * (2 + number), step_ns)
        assert np.abs(np.subtract(found_px, expected_px)).max() < 10
        (line,) = pose.process.lines("advance too slowly")[before:]
        assert f"{1e9 / step_ns:.3g} Hz" in line
        pose.landmarks(running.image(PERSON))  # ends the warning


def approach(camera: Camera, start_ns: int, step_ns: int) -> npt.NDArray[np.float64]:
    """How far away somebody is who comes nearer: z of the nose in m, frame by frame."""
    z_m = []
    for frame in range(30):
        size_px = round(WIDTH * (0.6 + frame / 75)), round(HEIGHT * (0.6 + frame / 75))
        canvas = np.zeros_like(PERSON)
        canvas[: size_px[1], : size_px[0]] = cv2.resize(PERSON, size_px)
        found = camera.landmarks(running.image(canvas, start_ns + frame * step_ns))
        z_m.append(found.xyz[0, 0, 2])
    return np.array(z_m, np.float64)


@pytest.mark.parametrize("camera", [{"position_source": "world"}], indirect=True, ids=["world"])
def test_stamps_in_a_wrong_unit_do_not_freeze_the_distance(camera: Camera) -> None:
    camera.until(is_located)
    expected_m, found_m = (
        approach(camera, number * 10**17, step_ns)
        for number, step_ns in ((1, running.FRAME_NS), (2, 33_333))
    )
    assert expected_m[-1] < 0.8 * expected_m[0]
    np.testing.assert_allclose(found_m, expected_m, rtol=0.05)
    (line,) = camera.client.process.lines("advance too slowly")
    assert f"{1e9 / 33_333:.3g} Hz" in line


def test_negative_stamps_are_processed_and_reported(pose: Client) -> None:
    stamps_ns = [-5 * 10**9 + frame * running.FRAME_NS for frame in range(3)]
    outputs = [pose.ask(running.image(PERSON, stamp_ns)) for stamp_ns in stamps_ns]
    assert [output.header.stamp.sec for output in outputs] == [-5, -5, -5]
    assert len({int(landmarks_from_msg(output).person_id[0]) for output in outputs}) == 1
    (line,) = pose.process.lines("is negative")
    assert "-5000000000 ns" in line


def test_an_empty_frame_id_is_reported_once(pose: Client) -> None:
    for _ in range(3):
        message = running.image(PERSON)
        message.header.frame_id = ""
        assert pose.ask(message).header == message.header
    assert len(pose.process.lines("empty frame_id")) == 1


# Calibration


def assert_on_their_rays(found: Landmarks) -> None:
    fx, _, cx, _, fy, cy = rgbd_camera.calibration(HEIGHT, WIDTH).k[:6]
    rays = (found.pixels[0].astype(np.float64) - (cx, cy)) / (fx, fy)
    np.testing.assert_allclose(found.xyz[0, :, :2] / found.xyz[0, :, 2:], rays, atol=1e-4)


def twice_as_large(info: CameraInfo) -> CameraInfo:
    """The same camera at twice the resolution."""
    large = rgbd_camera.calibration(2 * info.height, 2 * info.width)
    large.k[0], large.k[4] = 2 * info.k[0], 2 * info.k[4]
    large.k[2], large.k[5] = 2 * info.k[2] + 0.5, 2 * info.k[5] + 0.5
    return large


def test_the_calibration_of_another_video_mode_gives_no_positions(camera: Camera) -> None:
    camera.info = twice_as_large(camera.info)  # but of the same shape
    assert_on_their_rays(camera.until(is_located))
    camera.info = rgbd_camera.calibration(WIDTH, WIDTH)
    camera.until(is_not_located)
    camera.warning(f"camera_info is that of {WIDTH} x {WIDTH}", f"{WIDTH} x {HEIGHT}")
    camera.info = rgbd_camera.calibration(HEIGHT, WIDTH)
    assert_on_their_rays(camera.until(is_located))


def test_binning_and_roi_explain_another_shape(camera: Camera) -> None:
    """A sensor of 1000 x 1200 px, of which every second row and column of a part is sent."""
    camera.info = rgbd_camera.calibration(1200, 1000)
    camera.info.binning_x = camera.info.binning_y = 2
    part = RegionOfInterest(x_offset=100, y_offset=300, width=2 * WIDTH, height=2 * HEIGHT)
    camera.info.roi = part
    found = camera.until(is_located)
    fx, _, cx, _, fy, cy = camera.info.k[:6]
    u, v = (2 * (found.pixels[0].astype(np.float64) + 0.5) - 0.5 + (100, 300)).T
    rays = np.column_stack(((u - cx) / fx, (v - cy) / fy))
    np.testing.assert_allclose(found.xyz[0, :, :2] / found.xyz[0, :, 2:], rays, atol=1e-4)


def test_the_calibration_of_another_frame_gives_no_positions(camera: Camera) -> None:
    camera.info.header.frame_id = running.FRAME_ID
    camera.until(is_located)
    camera.info.header.frame_id = "another_camera"
    camera.until(is_not_located)
    camera.warning("'another_camera'", f"'{running.FRAME_ID}'")


SOON = {"no_image_timeout_s": 1.0}


@pytest.mark.parametrize("camera", [SOON], indirect=True, ids=["after 1 s"])
def test_a_calibration_from_before_the_camera_was_left_is_not_used(camera: Camera) -> None:
    """The camera's images are subscribed to again, while nobody publishes camera_info."""
    client, silent = camera.client, "no camera_info on /camera_info"
    camera.until(is_located)
    before = len(client.process.lines(silent))  # the first one may have come late
    client.unsubscribe()
    client.until(lambda: not client.images_matched(), "the end of the subscription")
    client.node.destroy_publisher(camera.infos)
    client.listen("landmarks")

    def warns(status: DiagnosticStatus) -> bool:
        landmarks = client.landmarks(running.image(PERSON))
        assert len(landmarks.points) == 1
        assert is_not_located(landmarks)
        return status.level == DiagnosticStatus.WARN and silent in status.message

    for _ in range(2):
        assert "nobody publishes there" in client.status(warns, "a warning").message
    assert len(client.process.lines(silent)) == before + 1


ABSURD: dict[str, tuple[dict[str, Any], str]] = {
    "distortion": ({"d": [1e200, 0.0, 0.0, 0.0, 0.0]}, "1e+200"),
    "size": ({"width": 2**32 - 1, "height": (2**32 - 1) // 4 * 3}, "4294967295"),
    "focal length": ({"k": [1e-2, 0.0, 200.0, 0.0, 1e-2, 150.0, 0.0, 0.0, 1.0]}, "0.01"),
}


@pytest.mark.parametrize("case", ABSURD)
def test_an_absurd_calibration_is_reported_and_pixels_go_on(camera: Camera, case: str) -> None:
    values, word = ABSURD[case]
    for name, value in values.items():
        setattr(camera.info, name, value)
    found = camera.until(is_not_located)
    assert np.isfinite(found.pixels).all()
    camera.warning("positions stay unknown", word)
    assert not camera.client.process.lines("internal error")


# Mirror images


@pytest.mark.parametrize("camera", [{"position_source": "world"}], indirect=True, ids=["world"])
def test_positions_of_a_mirror_image_are_those_of_the_real_world(camera: Camera) -> None:
    rgbd_camera.off_center(camera.info)
    camera.until(is_located)
    found = []
    for is_mirrored, rgb in ((False, PERSON), (True, np.ascontiguousarray(PERSON[:, ::-1]))):
        assert camera.client.set(mirrored_input=is_mirrored).successful
        camera.client.reset()
        found.append(camera.landmarks(running.image(rgb)))
    plain, selfie = found
    np.testing.assert_allclose(
        selfie.pixels[0], (WIDTH - 1, 0) + plain.pixels[0] * (-1, 1), atol=1e-3
    )
    np.testing.assert_allclose(selfie.xyz, plain.xyz, atol=1e-3)
    np.testing.assert_array_equal(selfie.world, plain.world)


OF_DEPTH = {"model": "upper_body", "position_source": "depth", "mirrored_input": True}


def spheres_m(messages: list[MarkerArray], stamp: Time) -> npt.NDArray[np.float64]:
    """The points (n, 3) of an image's landmarks that markers show."""
    found = (marker for message in messages for marker in message.markers)
    shown = (item for item in found if item.ns == "landmarks" and item.header.stamp == stamp)
    points = ((point.x, point.y, point.z) for marker in shown for point in marker.points)
    return np.array(list(points)).reshape(-1, 3)


@pytest.mark.parametrize("camera", [OF_DEPTH], indirect=True, ids=["depth"])
def test_depth_of_a_mirror_image_is_mirrored_too(camera: Camera) -> None:
    """Positions and 3D markers are on the rays of the real pixels, W - 1 - u."""
    rgbd_camera.off_center(camera.info)
    depth = rgbd_camera.mirrored_slope(HEIGHT, WIDTH)
    depths = camera.client.node.create_publisher(Image, "depth", 10)
    camera.client.until(depths.get_subscription_count, "the subscription to depth")
    camera.client.listen("landmarks", "markers")
    markers = camera.client.subscribe("markers")

    def located() -> Landmarks | None:
        message = running.image(np.ascontiguousarray(PERSON[:, ::-1]))
        depth.header = message.header
        depths.publish(depth)
        landmarks = camera.landmarks(message)
        return landmarks if is_located(landmarks) else None

    found = camera.client.until(located, "positions from depth")
    is_known = np.isfinite(found.xyz[0, :, 2])
    known_m = found.xyz[0, is_known]
    slope_m = rgbd_camera.slope_points_m(camera.info, found.pixels[0, is_known])
    np.testing.assert_allclose(known_m, slope_m, atol=0.02)
    np.testing.assert_allclose(known_m / known_m[:, 2:], slope_m / slope_m[:, 2:], atol=1e-4)
    assert len(known_m) > 10
    stamp = depth.header.stamp
    camera.client.until(lambda: len(spheres_m(markers, stamp)), "the markers of that image")
    shown_m = spheres_m(markers, stamp)
    misses_m = np.linalg.norm(shown_m[:, None] - known_m, axis=2).min(axis=1)
    assert len(shown_m) > 10
    assert misses_m.max() < 1e-5
