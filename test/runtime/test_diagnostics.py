"""What the node reports of its health, and why it is silent."""

from __future__ import annotations

import signal
from pathlib import Path

import clock
import pytest
import running
from builtin_interfaces.msg import Time
from clock import Clock
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from running import Client

from pose_ros.runtime import active_warnings
from pose_ros.runtime import diagnostics as diagnostics_module
from pose_ros.runtime.active_warnings import ActiveWarnings
from pose_ros.runtime.diagnostics import STAGES, Diagnostics, PeopleCounts
from pose_ros.runtime.endpoints import NAME_S, UNNAMED
from pose_ros.runtime.report import node_status

(PERSON,) = running.person()


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return clock.install(monkeypatch, diagnostics_module)


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


def test_counts_are_those_since_the_last_report_and_totals_stay(steady: Clock) -> None:
    diagnostics = Diagnostics()
    for _ in range(3):
        diagnostics.received()
    diagnostics.dropped()
    diagnostics.rejected("bad image")
    diagnostics.processed(PeopleCounts((1,), detector_runs=1), age_ns=40_000_000)
    steady.advance(2.0)
    first = report(diagnostics)
    assert first.level == DiagnosticStatus.WARN
    assert first.message == "images rejected: 1 (bad image)"
    found = values(first)
    assert found["dropped"] == found["rejected: bad image"] == found["persons"] == "1"
    assert (found["input rate Hz"], found["processed rate Hz"]) == ("1.5", "0.5")
    assert found["image age ms mean"] == found["image age ms p95"] == "40.00"
    second = report(diagnostics)
    assert second.level == DiagnosticStatus.OK
    found = values(second)
    assert found["dropped"] == found["persons"] == "0"
    assert float(found["input rate Hz"]) == 0
    assert found["dropped total"] == found["rejected total"] == "1"
    assert "rejected: bad image" not in found
    assert "image age ms mean" not in found
    assert found["model"] == "upper_body"


def test_rejected_gives_the_total_of_all_reasons() -> None:
    diagnostics = Diagnostics()
    assert [diagnostics.rejected(reason) for reason in ("a", "b", "a")] == [1, 2, 3]
    status = report(diagnostics)
    assert status.message == "images rejected: 3 (a)"
    assert diagnostics.rejected("b") == 4


def test_rejected_depth_is_no_rejected_image() -> None:
    diagnostics = Diagnostics()
    assert [diagnostics.rejected_depth("a") for _ in range(2)] == [1, 2]
    status = report(diagnostics)
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "depth rejected: 2 (a)")
    found = values(status)
    assert (found["depth rejected total"], found["rejected total"]) == ("2", "0")


def test_more_dropped_than_processed_is_too_slow() -> None:
    diagnostics = Diagnostics()
    for _ in range(5):
        diagnostics.received()
    for _ in range(3):
        diagnostics.dropped()
    diagnostics.processed(PeopleCounts(()), age_ns=0)
    status = report(diagnostics)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "too slow: 3 of 5 images dropped for newer ones"


def test_what_the_node_knows_goes_before_the_counts() -> None:
    diagnostics = Diagnostics()
    diagnostics.rejected("bad image")
    status = report(diagnostics, (DiagnosticStatus.OK, "disabled by ~/enable"))
    assert (status.level, status.message) == (DiagnosticStatus.OK, "disabled by ~/enable")


def test_stages_are_timed_in_milliseconds(steady: Clock) -> None:
    diagnostics = Diagnostics()
    for number, name in enumerate(STAGES):
        with diagnostics.stage(name):
            steady.advance(number / 1000)
    found = values(report(diagnostics))
    for number, name in enumerate(STAGES):
        assert found[f"{name} ms mean"] == found[f"{name} ms p95"] == f"{number}.00"


def test_mean_and_95th_percentile_are_those_of_the_values() -> None:
    diagnostics = Diagnostics()
    for age_ms in (*[10] * 39, 400):
        diagnostics.processed(PeopleCounts((1,)), age_ns=age_ms * 10**6)
    found = values(report(diagnostics))
    assert found["image age ms mean"] == "19.75"  # one outlier lifts it above the percentile
    assert found["image age ms p95"] == "10.00"


def test_an_unknown_age_is_left_out() -> None:
    diagnostics = Diagnostics()
    diagnostics.processed(PeopleCounts((1,)), age_ns=None)
    assert "image age ms mean" not in values(report(diagnostics))


def test_how_long_nobody_was_there_is_reported_until_somebody_comes(steady: Clock) -> None:
    diagnostics = Diagnostics()
    diagnostics.processed(PeopleCounts((1,)), age_ns=0)
    steady.advance(1.0)
    diagnostics.processed(PeopleCounts((), detector_runs=1), age_ns=0)
    status = report(diagnostics)
    assert (status.level, status.message) == (DiagnosticStatus.OK, "persons: 0, nobody for 1 s")
    diagnostics.processed(PeopleCounts((1,), detector_runs=1), age_ns=0)
    assert report(diagnostics).message == "persons: 1 (id 1)"


def test_people_are_reported_by_id_and_by_state() -> None:
    diagnostics = Diagnostics()
    diagnostics.processed(PeopleCounts((3, 12)), age_ns=None)
    diagnostics.processed(PeopleCounts((3,), tentative=2, held=1, detector_runs=1), age_ns=None)
    status = report(diagnostics)
    assert status.message == "persons: 1 (id 3), held: 1"
    found = values(status)
    assert (found["persons"], found["persons tentative"], found["persons held"]) == tuple("121")
    assert found["ids given"] == "12"
    diagnostics.processed(PeopleCounts((3, 4)), age_ns=None)
    assert report(diagnostics).message == "persons: 2 (ids 3, 4)"


def test_cost_of_a_person_is_that_of_tracking_without_the_detector(steady: Clock) -> None:
    diagnostics = Diagnostics()
    for ids in ((), (1,), (1, 2, 3)):
        with diagnostics.stage("track"):
            steady.advance(0.01 * len(ids))
            with diagnostics.stage("detect"):
                steady.advance(0.05)
        diagnostics.processed(PeopleCounts(ids), age_ns=None)
    assert values(report(diagnostics))["ms per person"] == "10.00"
    diagnostics.processed(PeopleCounts(), age_ns=None)
    assert "ms per person" not in values(report(diagnostics))


def test_a_warning_is_logged_once_and_again_after_it_has_ended() -> None:
    logged: list[str] = []
    warnings = ActiveWarnings(logged.append)
    for state in ["a", "a", "b", None, None, "a"]:
        warnings.update("no image", state)
    assert logged == ["a", "a"]
    warnings.update_all({"clock": "c", "depth": None})
    assert logged == ["a", "a", "c"]


def test_a_warning_is_logged_when_its_nodes_have_names_or_some_time_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steady = clock.install(monkeypatch, active_warnings)
    logged: list[str] = []
    warnings = ActiveWarnings(logged.append)
    nameless = f"2 publishers: {UNNAMED}"
    for text in (nameless, nameless, "2 publishers: /a", nameless):
        warnings.update("publishers", text)
        assert warnings.get("publishers") == text
    assert logged == ["2 publishers: /a"]
    warnings.update("publishers", None)
    warnings.update("publishers", nameless)
    steady.advance(NAME_S - 1.0)
    warnings.update("publishers", nameless)
    assert len(logged) == 1
    steady.advance(2.0)
    for _ in range(2):
        warnings.update("publishers", nameless)
    assert logged == ["2 publishers: /a", nameless]


def test_all_active_warnings_are_reported_the_oldest_first() -> None:
    warnings = ActiveWarnings(lambda text: None)
    assert warnings.texts() == []
    warnings.update_all({"publishers": "a", "clock": "c"})
    warnings.update("publishers", "b")
    assert warnings.texts() == ["b", "c"]
    assert warnings.texts("clock", "outputs") == ["c"]
    assert node_status(warnings, None) == (DiagnosticStatus.WARN, "b; c")
    assert node_status(warnings, "idle") == (DiagnosticStatus.WARN, "idle; c")
    warnings.update("clock", None)
    assert node_status(warnings, "idle") == (DiagnosticStatus.OK, "idle")
    warnings.update("publishers", None)
    assert node_status(warnings, None) is None


def test_where_no_image_comes_the_reason_is_reported_with_it() -> None:
    warnings = ActiveWarnings(lambda text: None)
    warnings.update_all({"clock": "c", "lost images": "all are lost", "no image": "none comes"})
    assert node_status(warnings, None) == (DiagnosticStatus.ERROR, "none comes; all are lost")
    warnings.update("lost images", None)
    assert node_status(warnings, "idle") == (DiagnosticStatus.ERROR, "none comes")


# The running node


def test_report_of_a_node_at_work(pose: Client) -> None:
    counts = ("input rate Hz", "processed rate Hz")
    times = (f"{stage} ms {kind}" for stage in STAGES for kind in ("mean", "p95"))
    positive = {*counts, *times}

    def at_work(status: DiagnosticStatus) -> bool:
        """Tell if a window has all of an image: another may begin while one is processed."""
        pose.reset()  # else the detector runs for the first image only
        pose.landmarks(running.image(PERSON))
        found = values(status)
        is_whole = all(float(found.get(key, 0)) > 0 for key in positive)
        return status.message.startswith("persons: 1 (id ") and is_whole

    status = pose.status(at_work, "images processed")
    assert status.level == DiagnosticStatus.OK
    found = values(status)
    assert {"input rate Hz", "dropped", "detector runs per s", "persons", "rejected total"} <= {
        *found
    }
    assert (found["model"], found["providers"]) == ("upper_body", "CPUExecutionProvider")


def test_no_image_is_reported_once_with_the_topic_in_full_and_in_diagnostics() -> None:
    arguments = ["-r", "__ns:=/robot", "-r", "image:=front", "-p", "no_image_timeout_s:=0.5"]
    with running.node_and_client(
        *arguments, name="/robot/pose", image_topic="/elsewhere"
    ) as client:
        text = "no image on /robot/front for 0.5 s: nobody publishes there"
        for _ in range(2):
            status = client.status(lambda status: text == status.message, "no image")
            assert status.level == DiagnosticStatus.ERROR
        assert len(client.process.lines(text)) == 1


def test_the_warning_ends_with_an_image_and_is_reported_again_after_it() -> None:
    with running.node_and_client(*running.parameters(no_image_timeout_s=1.0)) as client:

        def has_no_image(status: DiagnosticStatus) -> bool:
            return bool(status.level == DiagnosticStatus.ERROR)

        client.status(has_no_image, "no image")
        silent = "no image on /image for 1 s"
        client.process.wait_for_line(silent)  # later, when the publisher has a name
        client.listen("landmarks")

        def processed(status: DiagnosticStatus) -> bool:
            client.publish(running.image(PERSON))
            return bool(status.message.startswith("persons: 1 (id "))

        client.status(processed, "a processed image")
        before = len(client.process.lines(silent))
        client.status(has_no_image, "no image")
        client.until(lambda: len(client.process.lines(silent)) > before, "its line")
        assert len(client.process.lines(silent)) == before + 1


def test_no_image_timeout_of_zero_never_warns() -> None:
    with running.node_and_client(*running.parameters(no_image_timeout_s=0.0)) as client:
        for _ in range(3):
            status = client.status(lambda status: True, "any state")
            assert status.message == "idle: nobody subscribed"
        assert not client.process.lines("no image")


def test_a_node_that_is_not_active_says_so_and_misses_no_images() -> None:
    arguments = running.parameters(no_image_timeout_s=0.2, autostart=False)
    with running.node_and_client(*arguments) as client:
        for state in ("unconfigured", "inactive"):
            client.spin(1.5)
            status = client.status(lambda status: True, "any state")
            assert (status.level, status.message) == (DiagnosticStatus.OK, state)
            assert client.change_state(Transition.TRANSITION_CONFIGURE) == (state != "inactive")
        assert client.change_state(Transition.TRANSITION_INACTIVE_SHUTDOWN)
        client.status(lambda status: status.message == "finalized", "the last state")
        assert not client.process.lines("no image")


def test_an_idle_node_names_its_input_topics() -> None:
    remaps = [word for topic in ("image", "depth") for word in ("-r", f"{topic}:=/front/{topic}")]
    arguments = running.parameters(image_transport="compressed")
    with running.node_and_client(
        *arguments, *remaps, "-r", "__ns:=/robot", name="/robot/pose"
    ) as (client):
        status = client.status(lambda status: status.message.startswith("idle"), "nothing to do")
    found = values(status)
    assert found["image topic"] == "/front/image/compressed"
    assert found["depth topic"] == "/front/depth"
    assert found["camera_info topic"] == "/robot/camera_info"


SECOND = {
    "the same name": [],
    "another name": ["-r", "__node:=other", "-r", "~/landmarks:=/pose/landmarks"],
}


@pytest.mark.parametrize("case", SECOND)
def test_a_second_node_on_the_same_outputs_is_reported(case: str, tmp_path: Path) -> None:
    words = ("-m", "pose_ros.node", "--ros-args", *running.MODEL, *SECOND[case])
    name = "/other" if SECOND[case] else "/pose"
    with running.node_and_client() as client:
        second = running.Process(client.process.domain_id, tmp_path, *words)
        try:
            line = client.process.wait_for_line("2 nodes publish")
            assert "/pose/" in line
            assert ", ".join(sorted(["/pose", name])) in line

            def is_reported(status: DiagnosticStatus) -> bool:
                return "2 nodes publish" in status.message

            assert client.status(is_reported, "a second node").level == DiagnosticStatus.WARN
            assert len(client.process.lines("2 nodes publish")) == 1
            second.signal(signal.SIGINT)
            assert second.wait() == 0
            client.status(lambda status: not is_reported(status), "the end of the second node")
        finally:
            second.kill()
