"""Places in space from a depth camera: the real node, image and depth from separate processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rgbd_camera
import running
from running import Client, Process
from sensor_msgs.msg import PointCloud2
from surfaces import SURFACES, holes

from pose_ros.client import Landmarks, landmarks_from_msg
from pose_ros.runtime.clock import stamp_to_ns

HEIGHT, WIDTH = rgbd_camera.picture("person").shape[:2]
K = np.array(rgbd_camera.calibration(HEIGHT, WIDTH).k).reshape(3, 3)


@contextmanager
def rgbd(client: Client, folder: Path, image: Any = (), depth: Any = ()) -> Iterator[None]:
    """Run the two halves of a camera beside the node; frame 0 is due after half a second."""
    start = folder / "start"
    with ExitStack() as stack:
        halves = []
        for half, words in (("image", image), ("depth", depth)):
            (folder / half).mkdir()
            command = (
                *running.module("rgbd_camera"),
                half,
                "--start",
                str(start),
                *map(str, words),
            )
            halves.append(Process(client.process.domain_id, folder / half, *command))
            stack.callback(halves[-1].end)
        for process in halves:
            process.wait_for_line("ready")
        complete = folder / "complete"
        complete.write_text(str(time.monotonic() + 0.5))
        complete.replace(start)
        yield


def clouds(client: Client, is_enough: Callable[[list[Landmarks]], bool]) -> list[Landmarks]:
    """Receive clouds with a person until there are enough of them."""
    received: list[PointCloud2] = client.subscribe("landmarks")

    def found() -> list[Landmarks]:
        return [landmarks_from_msg(cloud) for cloud in received if cloud.height]

    client.until(lambda: is_enough(found()), "landmarks")
    return found()


def have_places(count: int) -> Callable[[list[Landmarks]], bool]:
    return lambda found: sum(bool(np.isfinite(item.xyz).any()) for item in found) >= count


def are(count: int) -> Callable[[list[Landmarks]], bool]:
    return lambda found: len(found) >= count


def is_on_its_ray(found: Landmarks) -> np.ndarray:
    """Which positions (P, N) that are known lie on the ray of their own pixel."""
    xyz, pixels = found.xyz.astype(np.float64), found.pixels
    projected = xyz @ K.T
    with np.errstate(invalid="ignore"):
        miss_px = np.linalg.norm(projected[..., :2] / projected[..., 2:] - pixels, axis=-1)
    return np.asarray(miss_px < 0.01)


def surface_depth_m(surface: str, found: Landmarks) -> np.ndarray:
    """Return the true depth (P, N) of the surface behind each landmark's pixel."""
    pixels = found.pixels.reshape(-1, 2).astype(np.float64)
    rays = np.column_stack((pixels, np.ones(len(pixels)))) @ np.linalg.inv(K).T
    return SURFACES[surface](rays).reshape(found.pixels.shape[:2])


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[Client]:
    with running.node_and_client(*getattr(request, "param", ())) as client:
        client.listen("landmarks", "markers")
        client.subscribe("landmarks").clear()
        yield client


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize("surface", SURFACES)
def test_every_place_lies_on_the_measured_surface_or_is_unknown(
    node: Client, tmp_path: Path, surface: str, encoding: str
) -> None:
    with rgbd(node, tmp_path, depth=("--surface", surface, "--encoding", encoding)):
        found = clouds(node, have_places(12))
    known = [np.isfinite(item.xyz).all(axis=-1) for item in found]
    errors_m = []
    for item, is_known in zip(found, known, strict=True):
        assert (np.isnan(item.xyz).any(axis=-1) == ~is_known).all()
        assert is_on_its_ray(item)[is_known].all()
        truth_m = surface_depth_m(surface, item)
        errors_m.append(np.abs(item.xyz[..., 2] - truth_m)[is_known])
    error_m = np.concatenate(errors_m)
    print(
        f"{surface}, {encoding}: {len(error_m)} positions in {len(found)} frames, error median "
        f"{np.median(error_m):.4f} m, largest {error_m.max():.4f} m"
    )
    assert error_m.max() < 0.01


def test_holes_are_there_to_be_met() -> None:
    share = holes(HEIGHT, WIDTH).mean()
    assert 0.1 < share < 0.4


def test_markers_have_no_point_that_is_not_finite(node: Client, tmp_path: Path) -> None:
    with rgbd(node, tmp_path):
        clouds(node, have_places(5))
    messages = [message for message in node.subscribe("markers") if message.markers]
    assert messages
    for message in messages:
        points = [(p.x, p.y, p.z) for item in message.markers for p in item.points]
        assert np.isfinite(points).all()


def frame(cloud: PointCloud2) -> int:
    """The number of a frame of the camera."""
    number: int = (stamp_to_ns(cloud.header.stamp) - running.FIRST_NS) // rgbd_camera.PERIOD_NS
    return number


def test_depth_that_starts_late_and_stops_leaves_unknown_places(
    node: Client, tmp_path: Path
) -> None:
    received: list[PointCloud2] = node.subscribe("landmarks")

    def people() -> dict[int, Landmarks]:
        """Those of each frame; nobody is in the images that the client sent, which may be late."""
        return {frame(cloud): landmarks_from_msg(cloud) for cloud in received if cloud.height}

    with rgbd(node, tmp_path, depth=("--first", 60, "--end", 120)):
        node.until(lambda: max(people(), default=0) > 140, "later frames")
    frames = people()
    known = {number for number, item in frames.items() if np.isfinite(item.xyz).any()}
    assert known
    assert min(frames) < 58
    assert known <= set(range(59, 122))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--shrink", 2), f"depth image measures {WIDTH // 2} x {HEIGHT // 2}, the image {WIDTH}"),
        (("--frame-id", "depth_optical"), "frame 'depth_optical', the image in 'camera_optical'"),
    ],
    ids=["size", "frame"],
)
def test_depth_that_is_not_registered_is_rejected_with_a_reason(
    node: Client, tmp_path: Path, words: tuple[Any, ...], text: str
) -> None:
    with rgbd(node, tmp_path, depth=words):
        found = clouds(node, are(15))
        rejected = node.status(
            lambda status: any(item.key == "depth rejected" for item in status.values),
            "rejected depth",
        )
    assert all(np.isnan(item.xyz).all() for item in found)
    assert rejected.level == b"\x01"
    values = {item.key: item.value for item in rejected.values}
    assert int(values["depth rejected total"]) >= int(values["depth rejected"]) > 0
    assert values["rejected total"] == "0"
    lines = node.process.lines("depth rejected")  # one in five seconds
    assert lines
    assert all(text in line for line in lines)


@pytest.mark.parametrize(
    "node",
    [running.parameters(position_source="depth", no_image_timeout_s=1.0)],
    indirect=True,
    ids=["depth"],
)
def test_depth_that_was_asked_for_and_never_comes_is_reported(node: Client) -> None:
    def reported() -> bool:
        node.publish(running.image(running.black()))
        return bool(node.process.lines("no depth image on /depth for 1 s: nobody publishes there"))

    node.until(reported, "a line on the depth topic")


@pytest.mark.parametrize(
    "node", [running.parameters(position_source="none")], indirect=True, ids=["none"]
)
def test_depth_is_not_even_received_when_it_is_not_asked_for(node: Client, tmp_path: Path) -> None:
    with rgbd(node, tmp_path):
        found = clouds(node, are(10))
        assert not node.node.get_subscriptions_info_by_topic("/depth")
    assert all(np.isnan(item.xyz).all() for item in found)


@pytest.mark.parametrize(
    "node",
    [running.parameters(model="lite", position_source="depth")],
    indirect=True,
    ids=["lite"],
)
def test_a_model_with_world_landmarks_is_hung_on_the_surface(node: Client, tmp_path: Path) -> None:
    with rgbd(node, tmp_path):
        found = clouds(node, have_places(12))
        status = node.status(
            lambda status: any(
                (item.key, item.value) == ("position source", "depth") for item in status.values
            ),
            "positions from depth",
        )
    assert status
    located = [item for item in found if np.isfinite(item.xyz).any()]  # depth may start late
    measured = 0
    for item in located:
        is_known = np.isfinite(item.xyz).all(axis=-1)
        assert is_on_its_ray(item)[is_known].all()
        error_m = np.abs(item.xyz[..., 2] - surface_depth_m("plane", item))[is_known]
        measured += int(np.count_nonzero(error_m < 0.01))
        assert (error_m < 1.5).all()  # what is hung is within a body's reach of the surface
    assert measured > 5 * len(located)
