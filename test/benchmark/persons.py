"""What room for more people costs with one tracked: `python test/benchmark/persons.py`.

One person stands and walks in an empty room, 1280x720 at 30 Hz. Trackers with different
`max_persons` process each image in turn; printed are the mean CPU times of all threads, and their
ratio to that of `max_persons` 1.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from people.rendering import render
from people.scenes import RATE_HZ, SCENES

from pose_ros.blazepose import PoseTracker, PoseTrackerOptions

SCENE = "small_1"


def main() -> int:
    """Measure, and print a line for each value."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="of the video (default: 60)")
    parser.add_argument("--max-persons", type=int, nargs="+", default=[2, 4], metavar="N")
    asked = parser.parse_args()
    numbers = [1, *asked.max_persons]
    costs_ms, runs = measure(numbers, asked.seconds * RATE_HZ)
    for number, cost_ms, run in zip(numbers, costs_ms, runs, strict=True):
        print(
            f"max_persons {number}: {cost_ms:.2f} ms a frame, x{cost_ms / costs_ms[0]:.2f}, "
            f"{run:.2f} detector runs a frame"
        )
    return 0


def measure(numbers: list[int], count: int) -> tuple[list[float], list[float]]:
    """Return for each number of people the mean CPU time in ms and detector runs of an image."""
    trackers = [PoseTracker(PoseTrackerOptions(max_persons=number)) for number in numbers]
    images = [image for image, _ in render(SCENES[SCENE])]
    played = itertools.cycle([*images, *images[-2:0:-1]])  # back and forth, without a jump
    costs_ms, runs = np.zeros((2, count, len(trackers)))
    for index, image in enumerate(itertools.islice(played, count)):
        order = range(len(trackers))
        for which in order if index % 2 else reversed(order):
            start_s = time.process_time()
            poses = trackers[which].track(image, round((index + 1) * 1e9 / RATE_HZ))
            costs_ms[index, which] = 1000 * (time.process_time() - start_s)
            runs[index, which] = poses.detector_runs
    return costs_ms.mean(axis=0).tolist(), runs.mean(axis=0).tolist()


if __name__ == "__main__":
    sys.exit(main())
