"""Images and settings that cannot be used: one clear sentence each, and the node goes on."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import running
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from running import Client, Message
from sensor_msgs.msg import CompressedImage, Image

from pose_ros.blazepose.models import MANIFEST, MODELS

(PERSON,) = running.person()
BAD_LINE = "bad image: "


# Images


def with_changes(message: Image, **values: object) -> Image:
    for name, value in values.items():
        setattr(message, name, value)
    return message


def short_data() -> Image:
    message = running.image(PERSON)
    del message.data[-1:]
    return message


def empty_message() -> Image:
    return Image(header=running.header())


def odd_yuv() -> Image:
    return running.raw("yuv422", np.zeros((4, 5, 2), np.uint8))


BAD_IMAGES: dict[str, tuple[Callable[[], Image], list[str]]] = {
    "data shorter than height x step": (short_data, ["400 x 300", "step 1200", "needs 360000"]),
    "no data": (lambda: with_changes(running.image(PERSON), data=b""), ["needs 360000", "got 0"]),
    "zero width": (lambda: with_changes(running.image(PERSON), width=0), ["0 x 300", "empty"]),
    "zero height": (lambda: with_changes(running.image(PERSON), height=0), ["400 x 0", "empty"]),
    "empty message": (empty_message, ["0 x 0", "empty"]),
    "100000 x 100000 pixels": (
        lambda: with_changes(running.image(PERSON), width=10**5, height=10**5, step=3 * 10**5),
        ["100000 x 100000", "needs 30000000000 bytes", "got 360000"],
    ),
    "step too small": (lambda: with_changes(running.image(PERSON), step=1), ["step 1", "1200"]),
    "no encoding": (lambda: with_changes(running.image(PERSON), encoding=""), ["''", "rgb8"]),
    "unknown encoding": (
        lambda: with_changes(running.image(PERSON), encoding="rgb7"),
        ["'rgb7'", "not supported", "rgb8"],
    ),
    "depth image": (
        lambda: running.raw("32FC1", np.zeros((4, 6), np.float32)),
        ["'32FC1'", "not a colour or grey image"],
    ),
    "odd width of YUV": (odd_yuv, ["'yuv422'", "divisible by 2", "5 x 4"]),
}


def packed(data: bytes) -> CompressedImage:
    message = CompressedImage(header=running.header(), format="jpeg")
    message.data.frombytes(data)
    return message


def jpeg_bytes() -> bytes:
    return bytes(running.jpeg(PERSON).data)


def huge_jpeg() -> bytes:
    data = bytearray(jpeg_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xdc" * 2  # 65500 x 65500
    return bytes(data)


BAD_JPEGS: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "no data": (lambda: b"", ["0 bytes", "neither JPEG nor PNG"]),
    "a text": (lambda: b"this is no picture", ["18 bytes", "neither JPEG nor PNG"]),
    "first half only": (lambda: jpeg_bytes()[:5000], ["5000 bytes", "truncated"]),
    "header only": (
        lambda: b"\xff\xd8\xff\xe0" + b"\0" * 50 + b"\xff\xd9",
        ["56 bytes", "truncated"],
    ),
    "65500 x 65500 pixels": (huge_jpeg, ["65500 x 65500", "allowed"]),
}


def assert_refused_in_one_line(client: Client, message: Message, words: list[str]) -> None:
    """The node tells why it cannot use the image, and answers the next good one."""
    make_good = running.jpeg if isinstance(message, CompressedImage) else running.image
    client.listen("landmarks")
    client.publish(message)
    client.process.wait_for_line(BAD_LINE)
    assert client.landmarks(make_good(PERSON)).points.shape == (1, 25)
    (line,) = client.process.output.splitlines()[1:]
    assert "[ERROR]" in line
    assert all(word in line for word in words), line


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_image_gives_one_sentence_and_the_next_is_answered(name: str) -> None:
    make, words = BAD_IMAGES[name]
    with running.node_and_client() as client:
        assert_refused_in_one_line(client, make(), words)


@pytest.mark.parametrize("name", BAD_JPEGS)
def test_bad_jpeg_gives_one_sentence_and_the_next_is_answered(name: str) -> None:
    make, words = BAD_JPEGS[name]
    with running.node_and_client(
        *running.parameters(image_transport="compressed"),
        image_topic="/image/compressed",
        image_type=CompressedImage,
    ) as client:
        assert_refused_in_one_line(client, packed(make()), words)


def test_bad_images_are_counted_in_diagnostics_but_told_once(pose: Client) -> None:
    status = pose.status(lambda status: True, "any state")
    assert "refused: bad image" not in {item.key for item in status.values}
    bad = [short_data() for _ in range(3)]
    for number, message in enumerate(bad):
        pose.publish(message)
        total = str(number + 1)
        status = pose.status(
            functools.partial(has_total, total),
            "a refused image",
        )
        assert status.message == "images refused: 1 (bad image)"
        assert status.level == DiagnosticStatus.WARN
        assert value(status, "refused: bad image") == "1"
    assert len(pose.process.lines(BAD_LINE)) == 1
    assert pose.landmarks(running.image(PERSON)).points.shape == (1, 25)


def has_total(total: str, status: DiagnosticStatus) -> bool:
    return value(status, "refused total") == total


def value(status: DiagnosticStatus, key: str) -> str:
    return str(next(item.value for item in status.values if item.key == key))


# Settings


def assert_start_fails(words: list[str], *ros_args: str) -> None:
    """The node ends with code 1 and one line."""
    with running.node_process(*ros_args) as process:
        assert process.wait() == 1, process.output
        # rcl's own line of log says nothing, and cannot be turned off
        (line,) = (line for line in process.output.splitlines() if "[rcl]: " not in line)
        assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("model", "enormous", ["'enormous'", "one of upper_body"]),
        ("min_detection_confidence", "1.5", ["1.5", "a number from 0.0 to 1.0"]),
        ("min_detection_confidence", "high", ["'high'", "a number from 0.0 to 1.0"]),
        ("static_image_mode", "1", ["1", "a boolean"]),
        ("qos_depth", "0", ["0", "a whole number from 1 to 100"]),
        ("qos_depth", "[1, 2]", ["[1, 2]", "a whole number from 1 to 100"]),
        ("image_transport", "theora", ["'theora'", "one of raw, compressed"]),
        ("providers", "[NoSuchProvider]", ["NoSuchProvider"]),
        ("models_dir", "/nonexistent/models", ["/nonexistent/models"]),
    ],
)
def test_bad_parameter_refuses_to_start(name: str, setting: str, words: list[str]) -> None:
    assert_start_fails(["[FATAL]", *words], *running.parameters(**{name: setting}))


def test_missing_params_file_refuses_to_start() -> None:
    assert_start_fails(["/nonexistent/pose.yaml"], "--params-file", "/nonexistent/pose.yaml")


def test_bad_params_file_refuses_to_start(tmp_path: Path) -> None:
    file = tmp_path / "pose.yaml"
    file.write_text("pose: {ros__parameters: {min_visibility: [}}")
    assert_start_fails([str(file)], "--params-file", str(file))


def test_bad_value_in_a_params_file_refuses_to_start(tmp_path: Path) -> None:
    file = tmp_path / "pose.yaml"
    file.write_text("/**: {ros__parameters: {min_visibility: 7.5}}")
    words = ["[FATAL]", "min_visibility is 7.5", "a number from 0.0 to 1.0"]
    assert_start_fails(words, "--params-file", str(file))


def test_autostart_with_a_bad_value_refuses_to_start_also_for_a_manager() -> None:
    words = ["[FATAL]", "qos_depth is 0"]
    assert_start_fails(words, *running.parameters(autostart=False, qos_depth=0))


# Models

MODEL = MODELS["upper_body"].file


def remove(folder: Path) -> None:
    (folder / MODEL).unlink()


def truncate(folder: Path) -> None:
    with (folder / MODEL).open("rb+") as file:
        file.truncate(1_000_000)


def flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)


def fill_with_nonsense(folder: Path) -> None:
    """Nonsense, with a manifest that vouches for it."""
    (folder / MODEL).write_bytes(b"no model at all")
    vouch(folder)


def swap_models(folder: Path) -> None:
    """The detector under the landmark model's name, with a manifest that vouches for it."""
    shutil.copyfile(folder / MODELS["upper_body"].detector.file, folder / MODEL)
    vouch(folder)


def vouch(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[MODEL]["sha256"] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def remove_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def break_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


def empty_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{}")


DAMAGES: dict[Callable[[Path], None], list[str]] = {
    remove: [MODEL, "cannot be read"],
    truncate: [MODEL, "damaged", "sha256"],
    flip_a_bit: [MODEL, "damaged", "sha256"],
    fill_with_nonsense: [MODEL],
    swap_models: [MODEL],
    remove_manifest: [MANIFEST, "cannot be read"],
    break_manifest: [MANIFEST, "not valid JSON"],
    empty_manifest: [MANIFEST, "no sha256"],
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
def test_damaged_models_refuse_to_start(models_dir: Path, damage: Callable[[Path], None]) -> None:
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


def test_model_whose_file_is_missing_is_refused_while_another_runs(models_dir: Path) -> None:
    with running.node_and_client(*running.parameters(models_dir=models_dir)) as client:
        result = client.set(model="lite")
        assert not result.successful
        assert str(models_dir) in result.reason
        assert client.get("model") == "upper_body"
        assert client.landmarks(running.image(PERSON)).points.shape == (1, 25)
