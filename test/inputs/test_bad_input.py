"""Images and settings that cannot be used: one clear message each, and the node goes on."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import running
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from running import Client, Message
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.model_files import MANIFEST
from pose_ros.blazepose.models import MODELS

(PERSON,) = running.person()
BAD_LINE = "bad image: "
LOG_PERIOD_S = 5.0
"""Rejections are logged once in this time."""


# Images. What is bad, and with which message, is tested with the functions that decode.


def with_changes(message: Image, **values: object) -> Image:
    for name, value in values.items():
        setattr(message, name, value)
    return message


def short_data() -> Image:
    message = running.image(PERSON)
    del message.data[-1:]
    return message


def depth_image() -> Image:
    return running.raw("16UC1", np.full(PERSON.shape[:2], 2000, "<u2"))


def cut_jpeg(end: int) -> CompressedImage:
    message = running.jpeg(PERSON)
    del message.data[end:]
    return message


BAD_IMAGES: dict[Callable[[], Message], list[str]] = {
    short_data: ["400 x 300", "step 1200", "needs 360000"],
    lambda: with_changes(running.image(PERSON), encoding="rgb7"): ["'rgb7'", "not supported"],
    depth_image: ["'16UC1'", "is it depth?"],
    lambda: cut_jpeg(5000): ["5000 bytes", "truncated"],
}


@pytest.mark.parametrize("make", BAD_IMAGES, ids=["short", "unknown", "depth", "half a JPEG"])
def test_a_bad_image_gives_one_line_and_the_next_is_processed(make: Callable[[], Message]) -> None:
    bad = make()
    is_jpeg = isinstance(bad, CompressedImage)
    make_good = running.jpeg if is_jpeg else running.image
    transport = "compressed" if is_jpeg else "raw"
    arguments = running.parameters(image_transport=transport, no_image_timeout_s=0.0)
    topic = "/image/compressed" if is_jpeg else "/image"
    with running.node_and_client(*arguments, image_topic=topic, image_type=type(bad)) as client:
        client.listen("landmarks")
        client.publish(bad)
        client.process.wait_for_line(BAD_LINE)
        assert client.landmarks(make_good(PERSON)).points.shape == (1, 25)
        lines = [line for line in client.process.output.splitlines() if "[INFO]" not in line]
    (line,) = (line for line in lines if "Corrupt JPEG data" not in line)  # libjpeg's own
    assert "[ERROR]" in line
    assert all(word in line for word in BAD_IMAGES[make]), line


def test_a_jpeg_without_its_end_marker_gives_the_landmarks_of_the_whole_one() -> None:
    arguments = running.parameters(image_transport="compressed")
    how: dict[str, Any] = {"image_topic": "/image/compressed", "image_type": CompressedImage}
    with running.node_and_client(*arguments, **how) as client:
        whole = client.landmarks(running.jpeg(PERSON))
        client.reset()
        cut = client.landmarks(cut_jpeg(-2))
        assert not client.process.lines(BAD_LINE)
    assert cut.points.shape == (1, 25)
    np.testing.assert_array_equal(cut.pixels, whole.pixels)


def test_bad_images_are_counted_in_diagnostics_but_reported_once(pose: Client) -> None:
    status = pose.status(lambda status: True, "any state")
    assert "rejected: bad image" not in {item.key for item in status.values}
    start_s = time.monotonic()
    bad = [short_data() for _ in range(3)]
    for number, message in enumerate(bad):
        pose.publish(message)
        total = str(number + 1)
        status = pose.status(
            functools.partial(has_total, total),
            "a rejected image",
        )
        assert status.message == "images rejected: 1 (bad image)"
        assert status.level == DiagnosticStatus.WARN
        assert value(status, "rejected: bad image") == "1"
    most = 1 + int((time.monotonic() - start_s) / LOG_PERIOD_S)
    assert 1 <= len(pose.process.lines(BAD_LINE)) <= most
    assert pose.landmarks(running.image(PERSON)).points.shape == (1, 25)


def has_total(total: str, status: DiagnosticStatus) -> bool:
    return value(status, "rejected total") == total


def value(status: DiagnosticStatus, key: str) -> str:
    return str(next(item.value for item in status.values if item.key == key))


# Settings


def assert_start_fails(words: list[str], *ros_args: str) -> None:
    """The node ends with code 1 and one line."""
    with running.node_process(*ros_args) as process:
        assert process.wait() == 1, process.output
        # the start is logged too, and rcl has a line of its own that says nothing
        others = ("[rcl]: ", "[INFO]")
        lines = process.output.splitlines()
        (line,) = (line for line in lines if not any(word in line for word in others))
        assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("model", "enormous", ["'enormous'", "one of upper_body"]),
        ("min_detection_confidence", "high", ["'high'", "a number from 0.0 to 1.0"]),
        ("qos_depth", "[1, 2]", ["[1, 2]", "a whole number from 1 to 100"]),
        ("providers", "[NoSuchProvider]", ["NoSuchProvider"]),
        ("models_dir", "/nonexistent/models", ["/nonexistent/models"]),
    ],
)
def test_a_node_with_a_bad_parameter_does_not_start(
    name: str, setting: str, words: list[str]
) -> None:
    assert_start_fails(["[FATAL]", *words], *running.parameters(**{name: setting}))


def test_a_node_without_its_params_file_does_not_start() -> None:
    assert_start_fails(["/nonexistent/pose.yaml"], "--params-file", "/nonexistent/pose.yaml")


def test_a_node_with_a_bad_params_file_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "pose.yaml"
    file.write_text("pose: {ros__parameters: {min_visibility: [}}")
    assert_start_fails([str(file)], "--params-file", str(file))


def test_a_node_with_a_bad_value_in_a_params_file_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "pose.yaml"
    file.write_text("/**: {ros__parameters: {min_visibility: 7.5}}")
    words = ["[FATAL]", "min_visibility is 7.5", "a number from 0.0 to 1.0"]
    assert_start_fails(words, "--params-file", str(file))


def test_a_bad_value_prevents_the_start_for_a_manager_too() -> None:
    words = ["[FATAL]", "qos_depth is 0"]
    assert_start_fails(words, *running.parameters(autostart=False, qos_depth=0))


# Models

MODEL = MODELS["upper_body"].file


def truncate(folder: Path) -> None:
    with (folder / MODEL).open("rb+") as file:
        file.truncate(1_000_000)


def swap_models(folder: Path) -> None:
    """The detector under the landmark model's name, with a manifest that vouches for it."""
    shutil.copyfile(folder / MODELS["upper_body"].detector.file, folder / MODEL)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[MODEL]["sha256"] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def remove_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


DAMAGES: dict[Callable[[Path], None], list[str]] = {
    truncate: [MODEL, "damaged", "sha256"],
    swap_models: [MODEL],
    remove_manifest: [MANIFEST, "cannot be read"],
}


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A copy of the package's models, to be damaged."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in (MANIFEST, MODEL, MODELS["upper_body"].detector.file):
        shutil.copyfile(running.ROOT / "models" / name, folder / name)
    return folder


def test_a_copy_of_the_models_works_from_anywhere(models_dir: Path) -> None:
    with running.node_and_client(*running.parameters(models_dir=models_dir)) as client:
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_node_with_damaged_models_does_not_start(
    models_dir: Path, damage: Callable[[Path], None]
) -> None:
    damage(models_dir)
    words = ["[FATAL]", str(models_dir), *DAMAGES[damage]]
    assert_start_fails(words, *running.parameters(models_dir=models_dir))


def test_damaged_model_leaves_a_managed_node_unconfigured_until_it_is_repaired(
    models_dir: Path,
) -> None:
    truncate(models_dir)
    arguments = running.parameters(models_dir=models_dir, autostart=False)
    with running.node_and_client(*arguments) as client:
        assert client.state == "unconfigured"
        assert not client.change_state(Transition.TRANSITION_CONFIGURE)
        line = client.process.wait_for_line("[ERROR]")
        assert str(models_dir / MODEL) in line
        assert client.state == "unconfigured"
        assert client.set(models_dir="").successful
        assert client.change_state(Transition.TRANSITION_CONFIGURE)
        assert client.change_state(Transition.TRANSITION_ACTIVATE)
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
        assert len(client.process.lines("[ERROR]")) == 1
