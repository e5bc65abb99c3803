"""Fuzzed messages and parameters: a result or a one-line message, and nothing else.

`make fuzz` sends 20,000 messages from a random start; the plain tests some hundred, the same ones
each time. `--fuzz-messages` and `--fuzz-seed` set both.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import re
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fuzzing
import numpy as np
import pytest
import rclpy
import running
from detections import Found
from hypothesis import strategies as st
from inputs.test_boxes import detection, read
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from running import Message
from sensor_msgs.msg import CameraInfo, Image

from pose_ros.blazepose.datatypes import ImageSize, size_of
from pose_ros.blazepose.errors import ImageError, OptionError
from pose_ros.client import people_from_msg
from pose_ros.geometry.depth import DepthImage
from pose_ros.inputs import compressed_images
from pose_ros.inputs.depth import check_registered, depth_from_image
from pose_ros.node import PoseNode
from pose_ros.outputs.clouds import people
from pose_ros.outputs.following import Following
from pose_ros.outputs.markers import markers, roi_markers
from pose_ros.outputs.messages import OUTPUTS, TARGET_OUTPUTS
from pose_ros.outputs.motions import Motions
from pose_ros.parameters import NodeOptions, parameter_specs, with_parameters
from pose_ros.processing import FrameProcessor
from pose_ros.runtime.diagnostics import Diagnostics
from pose_ros.runtime.worker import NewestWorker

MODELS_DIR = Path(__file__).resolve().parents[2] / "models"
BATCH = 500
MAX_PROCESSING_S = 2 * running.TIMEOUT_S  # of CPU it takes a tenth of a second
MAX_GROWTH_MIB = 128
MAX_DECODED_PIXELS = 2**22
MIB = 2**20

messages = st.one_of(fuzzing.images(), fuzzing.compressed_images())
infos = st.none() | fuzzing.camera_infos()
depths = st.none() | fuzzing.images(fuzzing.DEPTH_ENCODINGS) | fuzzing.seeds
"""No depth, a depth image of any kind, or the start of random depths that fit the image."""


# Messages


@dataclasses.dataclass
class Tally:
    """What became of the messages."""

    processed: int = 0
    persons: int = 0
    rejected_depths: int = 0
    rejected: Counter[str] = dataclasses.field(default_factory=Counter)
    slowest_s: float = 0.0
    grown_mib: float = 0.0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.processed + self.rejected.total()

    def __str__(self) -> str:
        rows = [
            ("messages", f"{self.sent} ({self.sent / self.seconds:.0f} per second)"),
            ("processed", f"{self.processed} ({self.persons} with a person)"),
            ("depth images rejected", f"{self.rejected_depths}"),
            ("rejected", f"{self.rejected.total()}"),
            *((f"  {reason}", str(times)) for reason, times in self.rejected.most_common()),
            ("slowest", f"{self.slowest_s * 1e3:.0f} ms"),
            ("peak memory growth", f"{self.grown_mib:.0f} MiB"),
        ]
        return "\n".join(f"{name:<72} {value}" for name, value in rows)


def kind_of(text: str) -> str:
    """A refusal without its values and its list of what is allowed."""
    plain = re.sub(r"'[^']*\.\.\.", "_", text)
    plain = re.sub(r"\(format .*, \d+ bytes\)", "_", plain)
    plain = re.sub(r"'(\\.|[^'\\])*'|\"[^\"]*\"|\([^()]*\)|\d+", "_", plain)
    return plain.partition(";")[0].partition(", supported")[0][:70]


class Worker:
    """Processes messages one at a time in a worker's thread, as the node does."""

    def __init__(self, options: NodeOptions, with_masks: bool = False) -> None:
        self._processor = FrameProcessor(options, Diagnostics())
        self._motions, self._following = Motions(), Following()
        self._with_masks = with_masks
        self._outcomes: queue.SimpleQueue[int | str | BaseException] = queue.SimpleQueue()
        self._worker = NewestWorker(self._process, "fuzz_worker")
        self.rejected_depths = 0

    def close(self) -> None:
        self._worker.release()

    def ask(
        self, message: Message, info: CameraInfo | None, depth: Image | int | None = None
    ) -> int | str:
        """Return the number of people, or why the message was rejected."""
        assert not self._worker.offer((message, info, depth))
        outcome = self._outcomes.get(timeout=MAX_PROCESSING_S)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _process(self, item: tuple[Message, CameraInfo | None, Image | int | None]) -> None:
        try:
            self._outcomes.put(self._outcome(*item))
        except ImageError as error:
            self._outcomes.put(str(error))
        except BaseException as error:
            self._outcomes.put(error)

    def _find(self, depth: Image | int | None, size: ImageSize) -> DepthImage | None:
        """Return the depth image as the node would; random depths for a number."""
        if isinstance(depth, int):
            values = np.random.default_rng(depth).integers(0, 5000, (size[1], size[0]), np.uint16)
            return DepthImage(values, 0.001)
        try:
            if depth is not None:
                check_registered(depth, size, depth.header.frame_id)
                return depth_from_image(depth)
        except ImageError as error:
            fuzzing.assert_is_one_line(str(error))
            self.rejected_depths += 1
        return None

    def _outcome(
        self, message: Message, info: CameraInfo | None, depth: Image | int | None
    ) -> int:
        frame = self._processor.track(message, info, self._with_masks)
        assert frame.has_masks == self._with_masks
        frame = self._processor.locate(frame, self._find(depth, size_of(frame.image)))
        frame = self._following.apply(self._motions.apply(frame), self._motions.find, 2.0)
        for output in (*OUTPUTS, *TARGET_OUTPUTS):
            message = output.build(frame)
            if message is not None:
                serialize_message(message)
        found = people_from_msg(people(frame))
        is_known = np.isfinite(found.xyz).all(axis=1)
        for vectors in (found.xyz_std, found.velocity, found.velocity_std):
            assert (np.isfinite(vectors).all(axis=1) == is_known).all()
        shown = [*markers(frame).markers, *roi_markers(frame).markers]
        points = [[p.x, p.y, p.z] for marker in shown for p in marker.points]
        assert np.isfinite(points).all()
        return len(frame.people)


@contextmanager
def memory_limit(mib: int) -> Iterator[None]:
    """Let every allocation fail that goes beyond the present size by so much."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * os.sysconf("SC_PAGE_SIZE") + mib * MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def peak_mib() -> float:
    """Return the peak of the memory in use since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # ref: proc(5)


def assert_names_a_value(reason: str, message: Message) -> None:
    """It names the encoding or format, or a size."""
    text = getattr(message, "encoding", None) or getattr(message, "format", "")
    assert repr(text)[:8] in reason or re.search(r"\d", reason), reason


def send_batch(worker: Worker, number: int, start: int, tally: Tally) -> None:
    def send(message: Message, info: CameraInfo | None, depth: Image | int | None) -> None:
        start_s = time.perf_counter()
        outcome = worker.ask(message, info, depth)
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - start_s)
        if isinstance(outcome, str):
            fuzzing.assert_is_one_line(outcome)
            assert_names_a_value(outcome, message)
            assert "llocate" not in outcome, outcome  # cv2's word for: beyond the memory limit
            tally.rejected[kind_of(outcome)] += 1
        else:
            tally.processed += 1
            tally.persons += outcome

    fuzzing.draw_each(number, start, send, messages, infos, depths)


def test_every_message_is_processed_or_rejected_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, fuzz_messages: int, fuzz_seed: int
) -> None:
    # a picture of the size that is allowed would hide in its memory what gets past the checks
    monkeypatch.setattr(compressed_images, "MAX_DECODED_PIXELS", MAX_DECODED_PIXELS)
    several: Any = {"max_persons": 4, "publish_held": True, "mask_labels": True}
    workers = [
        Worker(NodeOptions()),
        Worker(NodeOptions(model="lite", mirrored_input=True, **several), with_masks=True),
    ]
    tally = Tally()
    warm = running.image(running.black())
    for worker in workers:
        worker.ask(warm, None)
    # hypothesis makes large tables of its own for the first messages that it draws
    fuzzing.draw_each(20, fuzz_seed, lambda _, __, ___: None, messages, infos, depths)
    forget_peak()
    start_mib, start_s = peak_mib(), time.monotonic()
    with memory_limit(4 * MAX_GROWTH_MIB):
        for number, done in enumerate(range(0, fuzz_messages, BATCH)):
            size = min(BATCH, fuzz_messages - done)
            # half of a batch each, so that few messages see both models too
            for at, worker in enumerate(workers):
                part = (size + at) // 2
                send_batch(worker, part, fuzz_seed + 2 * number + at, tally)
    for worker in workers:
        worker.close()
        tally.rejected_depths += worker.rejected_depths
    tally.grown_mib, tally.seconds = peak_mib() - start_mib, time.monotonic() - start_s
    print(tally)
    assert tally.sent == fuzz_messages
    assert min(tally.processed, tally.persons, tally.rejected.total()) > fuzz_messages / 40
    assert tally.grown_mib < MAX_GROWTH_MIB


def test_people_are_looked_for_in_boxes_of_any_kind(fuzz_seed: int) -> None:
    options = NodeOptions(model="lite", person_detector="topic", detection_class="", max_persons=4)
    processor, outcomes = FrameProcessor(options, Diagnostics()), Counter[bool]()
    (person,) = running.person()

    def look(found: list[Found]) -> None:
        image = running.image(person)
        boxes = read(*(detection(*one[:4], one.theta) for one in found), detection_class="")
        in_image = boxes.in_image(size_of(person))
        frame = processor.track(image, None, find_boxes=lambda *_: in_image)
        assert len(frame.people) <= 4
        assert np.isfinite([one.pose.landmarks_px for one in frame.people]).all()
        problem = boxes.problem(size_of(person))
        outcomes[problem is None] += 1
        if problem is not None:
            fuzzing.assert_is_one_line(problem)

    fuzzing.draw_each(300, fuzz_seed, look, fuzzing.detections())
    assert min(outcomes.values()) > 20


def test_a_burst_is_processed_or_is_dropped_and_the_worker_lives(fuzz_seed: int) -> None:
    processor = FrameProcessor(NodeOptions(), Diagnostics())
    processed: list[Message] = []
    dropped: list[Message] = []

    def process(message: Message) -> None:
        with suppress(ImageError):
            processor.track(message, None)
        processed.append(message)

    worker = NewestWorker(process, "fuzz_worker")

    def offer(message: Message) -> None:
        if worker.offer(message):
            dropped.append(message)

    fuzzing.draw_each(200, fuzz_seed, offer, messages)
    running.until(lambda: len(processed) + len(dropped) == 200, "all messages to be done with")
    worker.release()
    assert processed


# Parameters


@pytest.fixture(params=["unconfigured", "active"])
def node(request: pytest.FixtureRequest) -> Iterator[PoseNode]:
    with running.domain() as number:
        rclpy.init(domain_id=number)
        made = PoseNode()
        if request.param == "active":
            made.bring_up()
        yield made
        made.destroy_node()
        rclpy.shutdown()


def options_of(node: PoseNode) -> NodeOptions:
    """The options that the node's parameters make; OptionError if one is not allowed."""
    return with_parameters(NodeOptions(), map(node.get_parameter, parameter_specs()))


def test_parameters_change_together_or_are_rejected_with_a_reason(
    node: PoseNode, fuzz_seed: int
) -> None:
    outcomes: Counter[bool] = Counter()

    def change(wanted: list[Parameter]) -> None:
        before = options_of(node)
        try:
            result = node.set_parameters_atomically(wanted)
        except ParameterNotDeclaredException:
            assert {item.name for item in wanted} - set(parameter_specs())
            assert options_of(node) == before
            return
        outcomes[result.successful] += 1
        if result.successful:
            assert options_of(node) == with_parameters(before, wanted)
        else:
            fuzzing.assert_is_one_line(result.reason)
            assert options_of(node) == before

    some = st.lists(fuzzing.parameters, min_size=1, max_size=3)
    fuzzing.draw_each(500, fuzz_seed, change, some)
    assert outcomes[True]
    assert outcomes[False]


def test_values_that_ros_could_not_even_send_are_rejected_with_a_reason(fuzz_seed: int) -> None:
    names = st.sampled_from(tuple(parameter_specs()))

    def change(name: str, value: Any) -> None:
        parameter: Any = SimpleNamespace(name=name, value=value)
        try:
            with_parameters(NodeOptions(), [parameter])
        except OptionError as error:
            fuzzing.assert_is_one_line(str(error))

    fuzzing.draw_each(500, fuzz_seed, change, names, fuzzing.nested_values)


# Depth images


def test_every_depth_image_is_read_or_rejected_with_a_reason(fuzz_seed: int) -> None:
    outcomes: Counter[bool] = Counter()

    def read(message: Image) -> None:
        try:
            found = depth_from_image(message)
        except ImageError as error:
            fuzzing.assert_is_one_line(str(error))
            outcomes[False] += 1
        else:
            assert found.size == (message.width, message.height)
            outcomes[True] += 1

    fuzzing.draw_each(500, fuzz_seed, read, fuzzing.images(fuzzing.DEPTH_ENCODINGS))
    assert outcomes[True] > 50
    assert outcomes[False] > 50
