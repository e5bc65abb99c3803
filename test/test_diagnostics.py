"""What the node tells of its health, and why it is silent."""

from __future__ import annotations

import time

import running
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from running import Client

from pose_ros.diagnostics import STAGES, Diagnostics, Troubles

(PERSON,) = running.person()


def report(diagnostics: Diagnostics, state: tuple[bytes, str] | None = None) -> DiagnosticStatus:
    message = diagnostics.report(Time(sec=7), "/robot/pose", state, {"model": "upper_body"})
    assert message.header.stamp == Time(sec=7)
    (status,) = message.status
    assert status.name == "/robot/pose: pose"
    return status


def values(status: DiagnosticStatus) -> dict[str, str]:
    assert len({item.key for item in status.values}) == len(status.values)
    return {item.key: item.value for item in status.values}


# The collector


def test_counts_are_those_since_the_last_report_and_totals_stay() -> None:
    diagnostics = Diagnostics()
    for _ in range(3):
        diagnostics.received()
    diagnostics.dropped()
    diagnostics.refused("bad image")
    diagnostics.answered(persons=1, detector_runs=1, age_ns=40_000_000)
    first = report(diagnostics)
    assert first.level == DiagnosticStatus.WARN
    assert first.message == "images refused: 1 (bad image)"
    found = values(first)
    assert found["dropped"] == found["refused: bad image"] == found["persons"] == "1"
    assert float(found["input rate Hz"]) > float(found["processed rate Hz"]) > 0
    assert found["image age ms mean"] == found["image age ms p95"] == "40.00"
    second = report(diagnostics)
    assert second.level == DiagnosticStatus.OK
    found = values(second)
    assert found["dropped"] == found["persons"] == "0"
    assert float(found["input rate Hz"]) == 0
    assert found["dropped total"] == found["refused total"] == "1"
    assert "refused: bad image" not in found
    assert "image age ms mean" not in found
    assert found["model"] == "upper_body"


def test_refused_gives_the_total_of_all_reasons() -> None:
    diagnostics = Diagnostics()
    assert [diagnostics.refused(reason) for reason in ("a", "b", "a")] == [1, 2, 3]
    status = report(diagnostics)
    assert status.message == "images refused: 3 (a)"
    assert diagnostics.refused("b") == 4


def test_more_dropped_than_answered_is_too_slow() -> None:
    diagnostics = Diagnostics()
    for _ in range(5):
        diagnostics.received()
    for _ in range(3):
        diagnostics.dropped()
    diagnostics.answered(persons=0, detector_runs=0, age_ns=0)
    status = report(diagnostics)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "too slow: 3 of 5 images gave way to newer ones"


def test_what_the_node_knows_goes_before_the_counts() -> None:
    diagnostics = Diagnostics()
    diagnostics.refused("bad image")
    status = report(diagnostics, (DiagnosticStatus.OK, "disabled by ~/enable"))
    assert (status.level, status.message) == (DiagnosticStatus.OK, "disabled by ~/enable")


def test_stages_are_timed_in_milliseconds() -> None:
    diagnostics = Diagnostics()
    for name in STAGES:
        with diagnostics.stage(name):
            pass
    found = values(report(diagnostics))
    for name in STAGES:
        assert 0 <= float(found[f"{name} ms mean"]) <= float(found[f"{name} ms p95"]) < 100


def test_an_unknown_age_is_left_out() -> None:
    diagnostics = Diagnostics()
    diagnostics.answered(persons=1, detector_runs=0, age_ns=None)
    assert "image age ms mean" not in values(report(diagnostics))


def test_how_long_nobody_was_there_is_told_until_somebody_comes() -> None:
    diagnostics = Diagnostics()
    diagnostics.answered(persons=1, detector_runs=0, age_ns=0)
    time.sleep(1.0)
    diagnostics.answered(persons=0, detector_runs=1, age_ns=0)
    status = report(diagnostics)
    assert (status.level, status.message) == (DiagnosticStatus.OK, "persons: 0, nobody for 1 s")
    diagnostics.answered(persons=1, detector_runs=1, age_ns=0)
    assert report(diagnostics).message == "persons: 1"


def test_a_trouble_is_told_once_and_again_after_it_has_ended() -> None:
    told: list[str] = []
    troubles = Troubles(told.append)
    states = ["a", "a", "b", None, None, "a"]
    assert [troubles.follow("silence", state) for state in states] == states
    assert told == ["a", "a"]
    assert troubles.follow("clock", "c") == "c"
    assert told == ["a", "a", "c"]


# The running node


def test_report_of_a_node_at_work(pose: Client) -> None:
    def at_work(status: DiagnosticStatus) -> bool:
        pose.publish(running.image(PERSON))
        return bool(status.message == "persons: 1")

    status = pose.status(at_work, "images answered")
    assert status.level == DiagnosticStatus.OK
    found = values(status)
    assert float(found["input rate Hz"]) >= float(found["processed rate Hz"]) > 0
    for stage in STAGES:
        assert 0 < float(found[f"{stage} ms mean"]) <= float(found[f"{stage} ms p95"])
    assert {"input rate Hz", "dropped", "detector runs per s", "persons", "refused total"} <= {
        *found
    }
    assert (found["model"], found["providers"]) == ("upper_body", "CPUExecutionProvider")


def test_silence_is_told_once_with_the_topic_in_full_and_in_diagnostics() -> None:
    arguments = ["-r", "__ns:=/robot", "-r", "image:=front", "-p", "no_image_timeout_s:=0.5"]
    with running.node_and_client(
        *arguments, name="/robot/pose", image_topic="/elsewhere"
    ) as client:
        sentence = "no image on /robot/front for 0.5 s: nobody publishes there"
        for _ in range(2):
            status = client.status(lambda status: sentence == status.message, "silence")
            assert status.level == DiagnosticStatus.ERROR
        assert len(client.process.lines(sentence)) == 1


def test_silence_ends_with_an_image_and_is_told_again_after_it() -> None:
    with running.node_and_client(*running.parameters(no_image_timeout_s=1.0)) as client:

        def silence(status: DiagnosticStatus) -> bool:
            return bool(status.level == DiagnosticStatus.ERROR)

        client.status(silence, "silence")
        client.listen("landmarks")

        def answered(status: DiagnosticStatus) -> bool:
            client.publish(running.image(PERSON))
            return bool(status.message == "persons: 1")

        client.status(answered, "an answered image")
        client.status(silence, "silence")
        assert len(client.process.lines("no image on /image for 1 s")) == 2


def test_no_image_timeout_of_zero_never_warns() -> None:
    with running.node_and_client(*running.parameters(no_image_timeout_s=0.0)) as client:
        for _ in range(3):
            status = client.status(lambda status: True, "any state")
            assert status.message == "idle: nobody subscribed"
        assert not client.process.lines("no image")


def test_an_inactive_node_does_not_report_silence() -> None:
    arguments = running.parameters(no_image_timeout_s=0.2, autostart=False)
    with running.node_and_client(*arguments) as client:
        assert client.state == "unconfigured"
        received = client.subscribe("/diagnostics", DiagnosticArray)
        client.spin(1.5)
        assert not received
        assert not client.process.lines("no image")
