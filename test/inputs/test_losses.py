"""Images that are lost on their way are noticed, and nothing else is taken for it."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest
import running
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hypothesis import given
from hypothesis import strategies as st
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from timed_camera import timed_camera

from pose_ros.inputs.losses import Counts, LossCheck, gap_share, loss_evidence

PERIODS_NS = st.sampled_from([8_333_333, 33_333_333, 66_666_667, 200_000_000])
SEEDS = st.integers(0, 10**6)
SECONDS = 10.0
SMALL = running.black()


def stamps(period_ns: int, seed: int, count: int, kept: float, jitter: float) -> list[int]:
    """The stamps of images of which some share arrives; jitter is in periods."""
    rng = random.Random(seed)
    return [
        round(period_ns * (number + rng.uniform(-jitter, jitter)))
        for number in range(count)
        if rng.random() < kept
    ]


# Stamps


@given(PERIODS_NS, SEEDS, st.floats(0.25, 0.6))
def test_a_regular_camera_of_which_images_are_lost_has_gaps(
    period_ns: int, seed: int, kept: float
) -> None:
    found = gap_share(stamps(period_ns, seed, 300, kept, jitter=0.02))
    assert found == pytest.approx(1 - kept, abs=0.2)


@given(PERIODS_NS, SEEDS, st.floats(0.0, 0.15))
def test_a_camera_that_loses_nothing_has_no_gaps(period_ns: int, seed: int, jitter: float) -> None:
    assert gap_share(stamps(period_ns, seed, 100, 1.0, jitter)) == 0


@given(SEEDS)
def test_images_at_random_times_are_no_gaps(seed: int) -> None:
    rng = random.Random(seed)
    times = sorted(rng.sample(range(10**9), 300))
    assert gap_share(times) < 0.3


@given(st.lists(st.integers(-(2**31), 2**62), max_size=40))
def test_any_stamps_have_a_share_of_gaps(values: list[int]) -> None:
    assert 0 <= gap_share(values) <= 1


# Counts


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_counts_decide(images: int, infos: int, lost: int) -> None:
    evidence = loss_evidence(Counts(images, infos, lost), [], SECONDS)
    is_lost = images + lost >= 20 and 10 * lost >= images + lost
    is_rare = images > 0 and infos >= 20 and 2 * infos >= 3 * images
    assert (evidence is not None) == (is_lost or is_rare)


@pytest.mark.parametrize("has_infos", [False, True])
def test_gaps_decide_with_and_without_camera_info(has_infos: bool) -> None:
    gaps = stamps(33_333_333, 1, 300, 0.5, 0.02)
    counts = Counts(len(gaps), len(gaps) * has_infos, 0)
    assert "multiples" in str(loss_evidence(counts, gaps, SECONDS))
    assert loss_evidence(counts, stamps(66_666_667, 1, 150, 1.0, 0.02), SECONDS) is None


@given(st.floats(1, 30), st.integers(20, 40))
def test_a_report_ends_ten_seconds_after_its_evidence(loss_s: float, later_s: int) -> None:
    check = LossCheck()
    check.evidence(0.0, Counts(0, 0, 0))
    lossy = Counts(100, 0, 900)
    check.evidence(loss_s, lossy)
    found = [
        check.evidence(loss_s + second, Counts(100 + 30 * second, 0, 900))
        for second in range(later_s + 1)
    ]
    assert found[-1] is None


def test_evidence_that_comes_and_goes_is_one_report() -> None:
    """Images are lost in one second of fifteen."""
    check = LossCheck()
    found = [
        check.evidence(float(second), Counts(30 * second, 0, 400 * (second // 15)))
        for second in range(90)
    ]
    assert [item is None for item in found] == [True] * 15 + [False] * 75


def test_nothing_is_decided_in_the_first_ten_seconds_or_after_a_reset() -> None:
    check = LossCheck()
    totals = [Counts(10 * second, 0, 90 * second) for second in range(12)]
    found = [check.evidence(float(second), counts) for second, counts in enumerate(totals)]
    assert [item is None for item in found] == [True] * 10 + [False] * 2
    check.reset()
    assert check.evidence(12.0, totals[-1]) is None


# The running node


QUEUE = running.parameters(qos_depth=100)  # where a busy machine would lose some, too


def camera_without_profile(patch: pytest.MonkeyPatch) -> None:
    """Let the processes that start from now on use Fast DDS as it comes."""
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        patch.delenv(name, raising=False)


def test_large_images_that_fast_dds_loses_are_reported_with_its_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the node has the profile; the camera needs it too."""
    with running.node_and_client(image_topic="/elsewhere") as client:
        client.subscribe("landmarks")
        camera_without_profile(monkeypatch)
        words = ("--size", "1920", "1080", "--rate", "15", "--reliability", "best_effort")
        with timed_camera(client.process.domain_id, tmp_path, *words):
            status = client.status(lambda found: "lost on the way" in found.message, "lost images")
            assert "camera needs" in status.message
            assert "config/fastdds_shm.xml" in status.message
            lost = re.search(r"lost on the way: (\d+) of (\d+) in 1\d s", status.message)
            assert lost is not None, status.message
            assert int(lost[1]) > 0.3 * int(lost[2])
            client.spin(3.0)
            client.status(lambda found: "lost on the way" in found.message, "lost images")
        assert len(client.process.lines("lost on the way")) == 1


PERIOD_NS = 50_000_000
KEPT = (True, True, False, True, False)
EVIDENCE = {"camera_info twice as often": "camera_info at", "gaps of stamps": "multiples"}


@pytest.mark.parametrize("kind", EVIDENCE)
def test_a_stream_that_shows_losses_is_reported_once(kind: str) -> None:
    """The camera sends what would have arrived of small images, so that it is exact."""
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    with running.node_and_client(*QUEUE, image_topic="/elsewhere") as client:
        images = client.node.create_publisher(Image, "/image", best_effort)
        infos = client.node.create_publisher(CameraInfo, "/camera_info", best_effort)
        client.subscribe("landmarks")
        numbers = itertools.count()

        def status() -> DiagnosticStatus | None:
            number = next(numbers)
            has_gaps = kind == "gaps of stamps"
            is_kept = KEPT[number % len(KEPT)] if has_gaps else number % 2
            if is_kept:
                images.publish(running.image(SMALL, running.FIRST_NS + number * PERIOD_NS))
            if is_kept or not has_gaps:
                infos.publish(CameraInfo(width=64, height=48))
            client.spin(PERIOD_NS / 1e9)
            found = (report.status[0] for report in reports)
            return next((item for item in found if "lost on the way" in item.message), None)

        reports = client.subscribe("/diagnostics", DiagnosticArray)
        found = client.until(status, "a report of lost images")
        assert found.level == DiagnosticStatus.WARN
        assert EVIDENCE[kind] in found.message
        assert "config/fastdds_shm.xml" in found.message
        for _ in range(40):
            status()
        assert len(client.process.lines("lost on the way")) == 1


def test_small_images_are_not_reported_as_lost(tmp_path: Path) -> None:
    with running.node_and_client(*QUEUE, image_topic="/elsewhere") as client:
        clouds = client.subscribe("landmarks")
        words = ("--size", "64", "48", "--rate", "10", "--reliability", "best_effort")
        with timed_camera(client.process.domain_id, tmp_path, *words):
            client.until(lambda: len(clouds) > 130, "13 seconds of landmarks")
        assert not client.process.lines("lost on the way")
