"""Fuzzed messages and parameters: an answer or one sentence, and nothing else.

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
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fuzzing
import numpy as np
import pytest
import rclpy
import running
from hypothesis import strategies as st
from rclpy.exceptions import ParameterNotDeclaredException
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from running import Message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose_ros import pictures
from pose_ros.blazepose.datatypes import DepthImage, ImageSize
from pose_ros.blazepose.errors import ImageError, OptionError
from pose_ros.depth_input import check_registered, depth_from_image
from pose_ros.diagnostics import Diagnostics
from pose_ros.markers import markers, roi_markers
from pose_ros.messages import OUTPUTS
from pose_ros.node import PoseNode
from pose_ros.parameters import NodeOptions, parameter_specs, with_parameters
from pose_ros.processing import FrameProcessor
from pose_ros.worker import NewestWorker

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
BATCH = 500
MAX_ANSWER_S = 10.0
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

    answered: int = 0
    persons: int = 0
    refused_depths: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    slowest_s: float = 0.0
    grown_mib: float = 0.0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.answered + self.refused.total()

    def __str__(self) -> str:
        rows = [
            ("messages", f"{self.sent} ({self.sent / self.seconds:.0f} per second)"),
            ("answered", f"{self.answered} ({self.persons} with a person)"),
            ("depth images refused", f"{self.refused_depths}"),
            ("refused", f"{self.refused.total()}"),
            *((f"  {reason}", str(times)) for reason, times in self.refused.most_common()),
            ("slowest", f"{self.slowest_s * 1e3:.0f} ms"),
            ("peak memory growth", f"{self.grown_mib:.0f} MiB"),
        ]
        return "\n".join(f"{name:<72} {value}" for name, value in rows)


def kind_of(sentence: str) -> str:
    """A refusal without its values and its list of what is allowed."""
    plain = re.sub(r"'[^']*\.\.\.", "_", sentence)
    plain = re.sub(r"\(format .*, \d+ bytes\)", "_", plain)
    plain = re.sub(r"'(\\.|[^'\\])*'|\"[^\"]*\"|\([^()]*\)|\d+", "_", plain)
    return plain.partition(";")[0].partition(", supported")[0][:70]


class Answerer:
    """Answers messages one at a time in a worker's thread, as the node does."""

    def __init__(self, options: NodeOptions, has_mask: bool = False) -> None:
        self._processor = FrameProcessor(options, MODELS_DIR, Diagnostics())
        self._processor.want_mask(has_mask)
        self._outcomes: queue.SimpleQueue[int | str | BaseException] = queue.SimpleQueue()
        self._worker = NewestWorker(self._process, "fuzz_worker")
        self.refused_depths = 0

    def close(self) -> None:
        self._worker.stop()

    def ask(
        self, message: Message, info: CameraInfo | None, depth: Image | int | None = None
    ) -> int | str:
        """Return the number of people, or why the message was refused."""
        assert not self._worker.offer((message, info, depth))
        outcome = self._outcomes.get(timeout=MAX_ANSWER_S)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _process(self, item: tuple[Message, CameraInfo | None, Image | int | None]) -> None:
        try:
            self._outcomes.put(self._answer(*item))
        except ImageError as error:
            self._outcomes.put(str(error))
        except BaseException as error:
            self._outcomes.put(error)

    def _find(self, depth: Image | int | None, _: Header, size: ImageSize) -> DepthImage | None:
        """Return the depth image as the node would; random depths for a number."""
        if isinstance(depth, int):
            values = np.random.default_rng(depth).integers(0, 5000, (size[1], size[0]), np.uint16)
            return DepthImage(values, 0.001)
        try:
            if depth is not None:
                check_registered(depth, size, depth.header.frame_id)
                return depth_from_image(depth)
        except ImageError as error:
            fuzzing.assert_is_sentence(str(error))
            self.refused_depths += 1
        return None

    def _answer(self, message: Message, info: CameraInfo | None, depth: Image | int | None) -> int:
        frame = self._processor.answer(message, info, partial(self._find, depth))
        for output in OUTPUTS:
            built = output.build(frame)
            assert (built is None) == (output.needs_mask and not frame.has_mask)
            if built is not None:
                serialize_message(built)
        shown = [*markers(frame).markers, *roi_markers(frame).markers]
        points = [[p.x, p.y, p.z] for marker in shown for p in marker.points]
        assert np.isfinite(points).all()
        return len(frame.poses)


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
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def assert_names_a_value(sentence: str, message: Message) -> None:
    """It names the encoding or format, or a size."""
    text = getattr(message, "encoding", None) or getattr(message, "format", "")
    assert repr(text)[:8] in sentence or re.search(r"\d", sentence), sentence


def send_batch(answerer: Answerer, number: int, start: int, tally: Tally) -> None:
    def send(message: Message, info: CameraInfo | None, depth: Image | int | None) -> None:
        start_s = time.perf_counter()
        outcome = answerer.ask(message, info, depth)
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - start_s)
        if isinstance(outcome, str):
            fuzzing.assert_is_sentence(outcome)
            assert_names_a_value(outcome, message)
            assert "llocate" not in outcome, outcome  # cv2's word for: beyond the memory limit
            tally.refused[kind_of(outcome)] += 1
        else:
            tally.answered += 1
            tally.persons += outcome

    fuzzing.draw_each(number, start, send, messages, infos, depths)


def test_every_message_is_answered_or_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, fuzz_messages: int, fuzz_seed: int
) -> None:
    # a picture of the size that is allowed would hide in its memory what gets past the checks
    monkeypatch.setattr(pictures, "MAX_DECODED_PIXELS", MAX_DECODED_PIXELS)
    answerers = [
        Answerer(NodeOptions()),
        Answerer(NodeOptions(model="lite", mirrored_input=True), has_mask=True),
    ]
    tally = Tally()
    warm = running.image(running.black())
    for answerer in answerers:
        answerer.ask(warm, None)
    start_mib, start_s = peak_mib(), time.monotonic()
    with memory_limit(4 * MAX_GROWTH_MIB):
        for number, done in enumerate(range(0, fuzz_messages, BATCH)):
            size = min(BATCH, fuzz_messages - done)
            # half of a batch each, so that few messages see both models too
            for at, answerer in enumerate(answerers):
                part = (size + at) // 2
                send_batch(answerer, part, fuzz_seed + 2 * number + at, tally)
    for answerer in answerers:
        answerer.close()
        tally.refused_depths += answerer.refused_depths
    tally.grown_mib, tally.seconds = peak_mib() - start_mib, time.monotonic() - start_s
    print(tally)
    assert tally.sent == fuzz_messages
    assert min(tally.answered, tally.persons, tally.refused.total()) > fuzz_messages / 40
    assert tally.grown_mib < MAX_GROWTH_MIB


def test_a_burst_is_answered_or_gives_way_and_the_worker_lives(fuzz_seed: int) -> None:
    processor = FrameProcessor(NodeOptions(), MODELS_DIR, Diagnostics())
    processed: list[Message] = []
    dropped: list[Message] = []

    def process(message: Message) -> None:
        with suppress(ImageError):
            processor.answer(message, None)
        processed.append(message)

    worker = NewestWorker(process, "fuzz_worker")

    def offer(message: Message) -> None:
        if worker.offer(message):
            dropped.append(message)

    fuzzing.draw_each(200, fuzz_seed, offer, messages)
    running.until(lambda: len(processed) + len(dropped) == 200, "all messages to be done with")
    worker.stop()
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


def test_parameters_change_together_or_are_refused_in_a_sentence(
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
            fuzzing.assert_is_sentence(result.reason)
            assert options_of(node) == before

    some = st.lists(fuzzing.parameters, min_size=1, max_size=3)
    fuzzing.draw_each(500, fuzz_seed, change, some)
    assert outcomes[True]
    assert outcomes[False]


def test_values_that_ros_could_not_even_send_are_refused_in_a_sentence(fuzz_seed: int) -> None:
    names = st.sampled_from(tuple(parameter_specs()))

    def change(name: str, value: Any) -> None:
        parameter: Any = SimpleNamespace(name=name, value=value)
        try:
            with_parameters(NodeOptions(), [parameter])
        except OptionError as error:
            fuzzing.assert_is_sentence(str(error))

    fuzzing.draw_each(500, fuzz_seed, change, names, fuzzing.nested_values)


# Depth images


def test_every_depth_image_is_read_or_refused_in_a_sentence(fuzz_seed: int) -> None:
    outcomes: Counter[bool] = Counter()

    def read(message: Image) -> None:
        try:
            found = depth_from_image(message)
        except ImageError as error:
            fuzzing.assert_is_sentence(str(error))
            outcomes[False] += 1
        else:
            assert found.size == (message.width, message.height)
            outcomes[True] += 1

    fuzzing.draw_each(500, fuzz_seed, read, fuzzing.images(fuzzing.DEPTH_ENCODINGS))
    assert outcomes[True] > 50
    assert outcomes[False] > 50
