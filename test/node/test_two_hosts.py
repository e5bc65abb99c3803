"""Camera, node and viewer on two hosts: rates and latencies over a good and a bad network.

`pytest -rP test/node/test_two_hosts.py` as root prints the figures.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import running
import two_hosts
from running import Process
from two_hosts import Figures, Host, Rig, figures, reported
from two_hosts_peers import RATE_HZ

LANDMARKS = "/pose/landmarks"
DIAGNOSTICS = "/diagnostics"
RAW, JPEG = "/pose/annotated_image", "/pose/annotated_image/compressed"
VGA, HD = (640, 480), (1280, 720)
MEASURED_S = 4.0
DOWN_S = 5.0
LOSS = "numgen random mod 100 < 5"
SLOW = ("tbf", "rate", "20mbit", "burst", "32k", "latency", "200ms")
DELAY = ("netem", "delay", "50ms", "10ms")


@pytest.fixture(autouse=True)
def _two_hosts() -> None:
    two_hosts.require()


@dataclass
class Measured:
    """A camera, the node and a viewer beside it, and what they reported within some seconds."""

    camera: Process
    node: Process
    viewer: Process

    def is_connected(self) -> bool:
        """Whether the camera knows the node, and the viewer has heard of it."""
        sent = reported(self.camera, "sent")
        return bool(sent and sent[-1][2] and reported(self.viewer, DIAGNOSTICS))

    def processed(self, start_ns: int, end_ns: int) -> Figures:
        return figures(self.camera, self.viewer, LANDMARKS, start_ns, end_ns)

    def health(self, key: str, start_ns: int) -> list[float]:
        """A diagnostic value of each second since a time."""
        values = [
            content for stamp, _, content in reported(self.viewer, DIAGNOSTICS) if stamp > start_ns
        ]
        return [float(value[key]) for value in values if key in value]

    def stop(self) -> None:
        """End the node, and demand that it ends cleanly."""
        assert self.node.is_running, self.node.output
        self.node.signal(signal.SIGINT)
        assert self.node.wait() == 0, self.node.output
        assert "Traceback" not in self.node.output, self.node.output


def start(
    rig: Rig,
    camera_host: Host,
    node_host: Host,
    transport: str = "raw",
    size: tuple[int, int] = VGA,
    reliability: str = "best_effort",
    **parameters: object,
) -> Measured:
    """Start all three, and wait until they know each other."""
    parameters |= {"image_transport": transport, "qos_reliability": reliability}
    measured = Measured(
        rig.camera(camera_host, transport, size=size, reliability=reliability),
        rig.node(node_host, parameters),
        rig.viewer(node_host, LANDMARKS, DIAGNOSTICS),
    )
    running.until(measured.is_connected, "discovery")
    time.sleep(1.5)
    return measured


def measure(what: str, measured: Measured, rx: Host) -> tuple[Figures, float]:
    """Watch for some seconds, print and return what was processed and what arrived in Hz."""
    start_ns, start_bytes = time.time_ns(), rx.received_bytes
    time.sleep(MEASURED_S)
    end_ns, megabits = time.time_ns(), (rx.received_bytes - start_bytes) * 8 / 1e6
    time.sleep(0.5)
    processed = measured.processed(start_ns, end_ns)
    arrived_hz = float(np.mean(measured.health("input rate Hz", start_ns + 10**9)))
    publish_ms = [ms for stamp, ms, _ in reported(measured.camera, "sent") if stamp > start_ns]
    ((size,),) = reported(measured.camera, "size")
    print(
        f"{what}, {size / 1000:.0f} kB an image: arrived {arrived_hz:.1f} Hz, "
        f"processed {processed}; {megabits / MEASURED_S:.0f} Mbit/s, "
        f"camera's publish up to {max(publish_ms):.1f} ms"
    )
    return processed, arrived_hz


@pytest.mark.parametrize(
    ("transport", "size", "least_share"),
    [("raw", VGA, 0.5), ("compressed", VGA, 0.9), ("compressed", HD, 0.9)],
    ids=["raw 640x480", "compressed 640x480", "compressed 1280x720"],
)
def test_images_of_another_host_are_processed(
    transport: str, size: tuple[int, int], least_share: float
) -> None:
    with two_hosts.rig() as rig:
        measured = start(rig, rig.near, rig.far, transport, size)
        before = rig.far.received_bytes
        processed, arrived_hz = measure(f"{transport} {size}", measured, rig.far)
        ((image_bytes,),) = reported(measured.camera, "size")
        assert rig.far.received_bytes - before > arrived_hz * MEASURED_S * image_bytes * 0.5
        assert arrived_hz >= least_share * RATE_HZ
        assert processed.rate_hz >= 0.5 * arrived_hz
        measured.stop()


@pytest.mark.parametrize(
    ("profile", "transport", "reliability", "least_share"),
    [
        ("shm", "raw", "best_effort", 0.0),
        ("shm", "compressed", "best_effort", 0.0),
        ("shm", "compressed", "reliable", 0.0),
        ("wlan", "compressed", "best_effort", 0.0),
        ("wlan", "compressed", "reliable", 0.6),
    ],
)
def test_one_packet_in_twenty_is_lost(
    profile: str, transport: str, reliability: str, least_share: float
) -> None:
    two_hosts.require(tool="nft")
    with two_hosts.rig(profile) as rig:
        for host in (rig.near, rig.far):
            host.drop(LOSS)
        measured = start(rig, rig.near, rig.far, transport, reliability=reliability)
        what = f"5 % lost, {profile} profile, {transport} {reliability}"
        processed, arrived_hz = measure(what, measured, rig.far)
        assert rig.far.dropped_packets > 0
        assert arrived_hz >= least_share * RATE_HZ
        assert processed.rate_hz >= 0.5 * least_share * RATE_HZ
        measured.stop()


def test_compressed_images_pass_a_slow_network() -> None:
    two_hosts.require(*SLOW)
    with two_hosts.rig() as rig:
        for host in (rig.near, rig.far):
            host.shape(*SLOW)
        measured = start(rig, rig.near, rig.far, "compressed")
        _, arrived_hz = measure("20 Mbit/s, compressed", measured, rig.far)
        assert arrived_hz >= 0.8 * RATE_HZ
        measured.stop()


def test_compressed_images_come_late_over_a_long_way() -> None:
    two_hosts.require(*DELAY)
    with two_hosts.rig() as rig:
        for host in (rig.near, rig.far):
            host.shape(*DELAY)
        measured = start(rig, rig.near, rig.far, "compressed")
        processed, arrived_hz = measure("50 ms delay, compressed", measured, rig.far)
        assert arrived_hz >= 0.8 * RATE_HZ
        assert np.median(processed.latencies_ms) > 40
        measured.stop()


def test_hosts_named_to_each_other_need_no_multicast() -> None:
    two_hosts.require(tool="nft")
    with two_hosts.rig() as rig:
        for host, other in ((rig.near, rig.far), (rig.far, rig.near)):
            host.drop(f"ip saddr {other.address} ip daddr 224.0.0.0/4")
        camera = rig.camera(rig.near, "compressed")
        lonely = rig.node(rig.far, {"image_transport": "compressed"})
        lonely.wait_for_line("no image on /image/compressed for 5 s: nobody publishes there")
        lonely.kill()
        peers = {"ROS_STATIC_PEERS": rig.near.address}
        node = rig.node(rig.far, {"image_transport": "compressed"}, **peers)
        viewer = rig.viewer(rig.far, LANDMARKS, DIAGNOSTICS, **peers)
        measured = Measured(camera, node, viewer)
        running.until(measured.is_connected, "discovery without multicast")
        time.sleep(1.0)
        _, arrived_hz = measure("no multicast, static peers, compressed", measured, rig.far)
        assert arrived_hz >= 0.9 * RATE_HZ
        measured.stop()


def test_the_node_goes_on_when_the_link_was_down() -> None:
    with two_hosts.rig() as rig:
        measured = start(rig, rig.near, rig.far, "compressed", no_image_timeout_s=2.0)
        measure("before the link was down", measured, rig.far)
        rig.near.set_link(up=False)
        down_ns = time.time_ns()
        time.sleep(DOWN_S)
        lifting_ns = time.time_ns()
        rig.near.set_link(up=True)
        up_ns = time.time_ns()

        def first_output_ns() -> Any:
            return next(
                (at for stamp, at, _ in reported(measured.viewer, LANDMARKS) if stamp > up_ns), 0
            )

        recovered_s = (running.until(first_output_ns, "landmarks") - up_ns) / 1e9
        print(f"first landmarks {recovered_s:.2f} s after the link was up")
        _, arrived_hz = measure("after the link was down", measured, rig.far)
        # what was stamped right before the link came up may have left after it
        assert measured.processed(down_ns + 10**9, lifting_ns - 10**8).rate_hz == 0
        (warning,) = measured.node.lines("no image on /image/compressed for 2 s")
        assert "/camera" in warning
        assert recovered_s < 5
        assert arrived_hz >= 0.9 * RATE_HZ
        measured.stop()


# The other way round: the robot has camera and node, somebody watches from another host.


def watch(what: str, measured: Measured, far: Process | None = None, *topics: str) -> Figures:
    """Print what both viewers get; return what the one beside the node does."""
    start_ns = time.time_ns()
    time.sleep(MEASURED_S)
    end_ns = time.time_ns()
    time.sleep(0.5)
    near = measured.processed(start_ns, end_ns)
    publish_ms = measured.health("publish ms p95", start_ns + 10**9)
    print(f"{what}: {LANDMARKS} beside the node {near}; publish p95 {max(publish_ms):.1f} ms")
    if far:
        for topic in topics:
            got = figures(measured.camera, far, topic, start_ns, end_ns)
            print(f"    {topic} on the other host {got}")
    return near


def test_a_viewer_on_another_host_that_vanishes_does_not_slow_the_node() -> None:
    topics = (LANDMARKS, JPEG)
    with two_hosts.rig() as rig:
        measured = start(rig, rig.near, rig.near)
        far = rig.viewer(rig.far, *topics)
        running.until(lambda: reported(far, JPEG), "the annotated image")
        before = watch("watched", measured, far, *topics)
        rig.near.set_link(up=False)
        during = watch("link down", measured, far, *topics)
        rig.near.set_link(up=True)
        up_ns = time.time_ns()
        running.until(lambda: [x for x in reported(far, JPEG) if x[0] > up_ns], "annotated images")
        watch("link up again", measured, far, *topics)
        assert during.rate_hz >= 0.6 * before.rate_hz
        measured.stop()


def test_a_viewer_of_more_than_the_network_carries_does_not_slow_the_node() -> None:
    two_hosts.require(*SLOW)
    with two_hosts.rig() as rig:
        for host in (rig.near, rig.far):
            host.shape(*SLOW)
        measured = start(rig, rig.near, rig.near)
        before = watch("20 Mbit/s, not watched", measured)
        far = rig.viewer(rig.far, RAW)
        sent_bytes = rig.far.received_bytes
        running.until(lambda: rig.far.received_bytes - sent_bytes > 4e6, "images on the cable")
        during = watch("20 Mbit/s, raw annotated image watched", measured, far, RAW)
        assert during.rate_hz >= 0.6 * before.rate_hz
        measured.stop()
