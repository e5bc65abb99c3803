"""CPU time of people who walk apart, with landmarks on each image and every 0.066 s, in turn.

`python test/benchmark/interval.py` takes a minute; the two trackers see each image one after the
other.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from people.subject import Subject, options_of

from benchmark.people import images_of

_INTERVALS_S = (0.0, 0.066)
_IMAGES = 110
_RATE_HZ = 30.0


def main() -> int:
    """Print the CPU time an image with both intervals, and their ratio; return 0."""
    print("people  CPU ms an image, every image  every 0.066 s  ratio")
    for people in (2, 4):
        each, seldom = cpu_ms(people)
        print(f"{people:>6}  {each:>28.1f}  {seldom:>13.1f}  {seldom / each:.2f}", flush=True)
    return 0


def cpu_ms(people: int) -> list[float]:
    """Return the CPU time an image with each interval."""
    subjects = [
        Subject(options_of("full", people, "blazepose", landmark_interval_s=interval_s))
        for interval_s in _INTERVALS_S
    ]
    for subject in subjects:
        subject.reset(_RATE_HZ)
    for image in itertools.islice(itertools.cycle(images_of(people)), _IMAGES):
        subjects.reverse()
        for subject in subjects:
            subject.track(image)
    subjects.sort(key=lambda subject: subject.options.landmark_interval_s)
    return [subject.costs.cpu_ms_per_image for subject in subjects]


if __name__ == "__main__":
    sys.exit(main())
