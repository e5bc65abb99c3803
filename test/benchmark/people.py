"""What each person costs, by one thread and by two: `python test/benchmark/people.py`.

Images show copies of a woman who walks, every other one mirrored. For each number of people three
trackers process each image in turn: two track them all, by one thread and by two, and one tracks
a single one of them. Images where the detector ran do not count. Two threads need two free cores,
so what other processes use is printed as well.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import media

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions, Roi
from pose_ros.blazepose.datatypes import ImageArray

RATE_HZ = 30
COLUMNS = {2: 2, 4: 2, 8: 4}
WOMAN_FROM_PX = 900  # the other person of the clip is left of it
SCALE = 0.6
FIRST = Roi(np.array((300, 450)), 320, 0.0)  # around the first copy
MOST_OTHERS = 60
"""Images in which the people are not all tracked yet."""
Costs = npt.NDArray[np.float64]


def main() -> int:
    """Measure, and print a line for each number of people."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="full")
    parser.add_argument("--images", type=int, default=60, help="that count (default: 60)")
    parser.add_argument("--people", type=int, nargs="+", default=list(COLUMNS), choices=COLUMNS)
    asked = parser.parse_args()
    print(f"cores {len(os.sched_getaffinity(0))}, load average {os.getloadavg()[0]:.1f}")
    for people in asked.people:
        others = Others()
        line = _line(people, *measure(asked.model, people, asked.images))
        print(f"{line}; others used {others.cores():.2f} cores", flush=True)
    return 0


def _line(people: int, wall_ms: Costs, cpu_ms: Costs) -> str:
    """Return the figures: medians over the images, and of ratios of the same image."""
    wall = np.median(wall_ms, axis=0)
    by_threads = np.median(wall_ms[:, 2] / wall_ms[:, 1])
    cpu_by_threads = np.median(cpu_ms[:, 2] / cpu_ms[:, 1])
    further = np.median((cpu_ms[:, 1] - cpu_ms[:, 0]) / (people - 1) / cpu_ms[:, 0])
    return (
        f"{people} people: wall {wall[1] / people:.1f} ms a person, by two threads "
        f"{wall[2] / people:.1f} (x{by_threads:.2f}, CPU x{cpu_by_threads:.2f}); "
        f"CPU {np.median(cpu_ms[:, 0]):.1f} ms for one, x{further:.2f} for each further one"
    )


def measure(model: str, people: int, count: int) -> tuple[Costs, Costs]:
    """Return wall and CPU times (count, 3) in ms: of one person, of all, of all by two threads."""
    settings = (1, 1), (people, 1), (people, 2)
    trackers = [
        PoseTracker(
            PoseTrackerOptions(model=model, max_persons=max_persons, people_threads=threads)
        )
        for max_persons, threads in settings
    ]
    costs, given = [], itertools.cycle(images_of(people))
    for index, image in enumerate(itertools.islice(given, count + MOST_OTHERS)):
        time_ns = round((index + 1) * 1e9 / RATE_HZ)
        order = range(len(trackers))
        runs = {
            which: _run(trackers[which], image, time_ns, FIRST if index == 0 else None)
            for which in (order if index % 2 else reversed(order))
        }
        if all(runs[which].tracked == settings[which][0] for which in order):
            costs.append([(runs[which].wall_ms, runs[which].cpu_ms) for which in order])
    if len(costs) < count:
        raise SystemExit(f"{people} people were tracked in {len(costs)} images only")
    walls_ms, cpus_ms = np.moveaxis(np.array(costs[-count:]), 2, 0)
    return walls_ms, cpus_ms


class Run(NamedTuple):
    """What an image cost, and how many people were tracked, 0 if the detector ran."""

    wall_ms: float
    cpu_ms: float
    tracked: int


def _run(tracker: PoseTracker, image: ImageArray, time_ns: int, roi: Roi | None) -> Run:
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    poses = tracker.track(image, time_ns, roi)
    wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    return Run(1000 * wall_s, 1000 * cpu_s, 0 if poses.detector_runs else len(poses))


def images_of(people: int, count: int = 28) -> list[ImageArray]:
    """Return images with copies of a person, back and forth without a jump."""
    columns, shown = COLUMNS[people], []
    for frame in itertools.islice(media.frames("walker"), count):
        woman = cv2.resize(frame[:, WOMAN_FROM_PX:], None, fx=SCALE, fy=SCALE)
        row = np.hstack([(woman, woman[:, ::-1])[column % 2] for column in range(columns)])
        shown.append(np.asarray(np.vstack([row] * (people // columns)), np.uint8))
    return [*shown, *shown[-2:0:-1]]


class Others:
    """How much of the machine other processes use from now on."""

    def __init__(self) -> None:
        self._start_s, self._start_cpu_s = time.perf_counter(), self._cpu_s()

    def cores(self) -> float:
        """Return how many cores they have used on average."""
        return (self._cpu_s() - self._start_cpu_s) / (time.perf_counter() - self._start_s)

    def _cpu_s(self) -> float:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields[1:9])
        ticks = user + nice + system + irq + softirq + steal
        return ticks / os.sysconf("SC_CLK_TCK") - time.process_time()


if __name__ == "__main__":
    sys.exit(main())
