"""The newest-frame slot: no backlog, one thread, an orderly end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pose_ros.runtime.worker import NewestWorker

TIMEOUT_S = 60.0


class Work:
    """What a worker does: each item waits until the test lets it go on."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.threads: set[str] = set()
        self._begun = threading.Semaphore(0)
        self._allowed = threading.Semaphore(0)

    def __call__(self, item: int) -> None:
        self.items.append(item)
        self.threads.add(threading.current_thread().name)
        self._begun.release()
        assert self._allowed.acquire(timeout=TIMEOUT_S)

    def wait_for_item(self) -> None:
        assert self._begun.acquire(timeout=TIMEOUT_S)

    def go_on(self, count: int = 1) -> None:
        self._allowed.release(count)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def worker(work: Work) -> Iterator[NewestWorker[int]]:
    made = NewestWorker(work, "pose_test_worker")
    yield made
    work.go_on(100)
    made.release()


def test_only_the_newest_of_the_waiting_items_is_processed(
    work: Work, worker: NewestWorker[int]
) -> None:
    assert not worker.offer(1)
    work.wait_for_item()
    assert not worker.offer(2)  # the slot is free while 1 is at work
    assert worker.offer(3)
    assert worker.offer(4)
    work.go_on()
    work.wait_for_item()
    assert work.items == [1, 4]


def test_what_waits_can_be_dropped_and_the_item_at_work_goes_on(
    work: Work, worker: NewestWorker[int]
) -> None:
    worker.offer(1)
    work.wait_for_item()
    worker.offer(2)
    worker.drop()
    work.go_on()
    worker.offer(3)
    work.wait_for_item()
    assert work.items == [1, 3]


def test_all_items_are_processed_in_one_named_thread(
    work: Work, worker: NewestWorker[int]
) -> None:
    for item in range(5):
        worker.offer(item)
        work.wait_for_item()
        work.go_on()
    assert work.items == [0, 1, 2, 3, 4]
    assert work.threads == {"pose_test_worker"}


def test_stop_finishes_the_item_at_work_and_drops_what_waits(work: Work) -> None:
    worker = NewestWorker(work, "pose_test_worker")
    worker.offer(1)
    work.wait_for_item()
    worker.offer(2)
    stopper = threading.Thread(target=worker.release)
    stopper.start()
    stopper.join(0.1)
    assert stopper.is_alive()
    work.go_on()
    stopper.join(TIMEOUT_S)
    assert not stopper.is_alive()
    assert work.items == [1]
    assert "pose_test_worker" not in {thread.name for thread in threading.enumerate()}


def test_stop_before_the_first_item_and_twice_is_fine(work: Work) -> None:
    worker = NewestWorker(work, "pose_test_worker")
    worker.release()
    worker.release()
    assert work.items == []
