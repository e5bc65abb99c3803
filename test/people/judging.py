"""How well a tracker follows several people: recall, IDF1, ghosts, id switches, merged people.

Pure: no models, no files. A frame is the people who are truly there and the rows that the tracker
gives. Rows are matched to people one to one, greedily by falling similarity, at `MATCHED` or more:
first to the people who count (at least `COUNTED_SHARE` visible), then what is left to the others.
A row matched to one of those is ignored; a row matched to nobody is a ghost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pose_ros.blazepose.topology import FULL_BODY

Points = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

COUNTED_SHARE = 0.6
MATCHED = 0.5
MERGED_SHARE = 1 / 3

# Standard deviations of the annotated joints of COCO per square root of the person's area, one for
# both sides. ref: cocodataset.org/#keypoints-eval.
_SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
_JOINTS = {
    index: _SIGMAS[name.rpartition("_")[2]]
    for index, name in enumerate(FULL_BODY.names)
    if name.rpartition("_")[2] in _SIGMAS
}
JOINTS = np.array(list(_JOINTS))
SIGMAS = np.array(list(_JOINTS.values()))


@dataclass(frozen=True, slots=True, eq=False)
class TruePerson:
    """One person who is there: `landmarks_px` (33, 2), and which of them (33,) are labeled.

    `area_px` is that of the person's silhouette, hidden parts included; `visible_share` of it is
    inside the image and not hidden by others.
    """

    identity: int
    landmarks_px: Points
    is_labeled: Flags
    area_px: float
    visible_share: float

    @property
    def counts(self) -> bool:
        """Whether the person is visible enough to be missed."""
        return self.visible_share >= COUNTED_SHARE


class Row(NamedTuple):
    """One tracked person: the id, and landmarks (N, 2) in px, N = 25 or 33."""

    person_id: int
    landmarks_px: Points


class Frame(NamedTuple):
    """One image: the people who are there, and the rows that the tracker gives for it."""

    people: Sequence[TruePerson]
    rows: Sequence[Row]


Similarity = Callable[[TruePerson, Row], float]


def joint_similarities(person: TruePerson, row: Row) -> tuple[Points, Flags]:
    """Return the similarity (J,) in [0, 1] of each joint of COCO, and which (J,) are labeled.

    Joints that the row does not have are not labeled.
    """
    is_known = len(row.landmarks_px) > JOINTS
    joints = np.where(is_known, JOINTS, 0)
    distances_px = np.linalg.norm(row.landmarks_px[joints] - person.landmarks_px[joints], axis=1)
    tolerances_px = 2 * SIGMAS * np.sqrt(person.area_px)
    similarities = np.exp(-((distances_px / tolerances_px) ** 2) / 2)
    return similarities, is_known & person.is_labeled[joints]


def oks(person: TruePerson, row: Row) -> float:
    """Object keypoint similarity in [0, 1], over the labeled joints; 0 if there are none."""
    similarities, is_labeled = joint_similarities(person, row)
    return float(similarities[is_labeled].mean()) if is_labeled.any() else 0.0


class Matches(NamedTuple):
    """What became of the rows of one frame: of each person that is found the id of the row."""

    ids: dict[int, int]
    ghosts: int


def match(frame: Frame, similarity: Similarity = oks) -> Matches:
    """Match the rows of a frame to its people."""
    counted = [person for person in frame.people if person.counts]
    others = [person for person in frame.people if not person.counts]
    ids, left = _match_greedily(counted, frame.rows, similarity)
    _, ghosts = _match_greedily(others, left, similarity)
    return Matches(ids, len(ghosts))


def _match_greedily(
    people: Sequence[TruePerson], rows: Sequence[Row], similarity: Similarity
) -> tuple[dict[int, int], list[Row]]:
    """Return the id of the row of each person who has one, and the rows of nobody."""
    pairs = [(similarity(person, row), person.identity, row) for person in people for row in rows]
    ids: dict[int, int] = {}
    left = list(rows)
    for value, identity, row in sorted(pairs, key=lambda pair: -pair[0]):
        if value >= MATCHED and identity not in ids and any(row is other for other in left):
            ids[identity] = row.person_id
            left = [other for other in left if other is not row]
    return ids, left


@dataclass(frozen=True)
class Figures:
    """Sums over frames; the figures of two scenes are added.

    `rows` is of all frames, `changes` the frames with more or fewer rows than the one before.
    `people` and `counted` are the people who ever count and in how many images; in `found` of
    these they have a row. `identified` is `found` under the best one-to-one choice of one id for
    each person. `switches` counts the images in which a person has another id than the last time.
    `merged_frames` is the longest run of images in which one id takes joints from the same two
    people.
    """

    frames: int = 0
    rows: int = 0
    changes: int = 0
    people: int = 0
    counted: int = 0
    found: int = 0
    identified: int = 0
    ghosts: int = 0
    switches: int = 0
    ids: int = 0
    merged_frames: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            frames=self.frames + other.frames,
            rows=self.rows + other.rows,
            changes=self.changes + other.changes,
            people=self.people + other.people,
            counted=self.counted + other.counted,
            found=self.found + other.found,
            identified=self.identified + other.identified,
            ghosts=self.ghosts + other.ghosts,
            switches=self.switches + other.switches,
            ids=self.ids + other.ids,
            merged_frames=max(self.merged_frames, other.merged_frames),
        )

    @property
    def rows_per_frame(self) -> float:
        """Rows in an image."""
        return self.rows / max(self.frames, 1)

    @property
    def recall(self) -> float:
        """Share of the people, summed over images, who have a row."""
        return self.found / max(self.counted, 1)

    @property
    def idf1(self) -> float:
        """Harmonic mean of the shares of people and of rows with the right id."""
        return 2 * self.identified / max(self.counted + self.found + self.ghosts, 1)

    @property
    def ghosts_per_frame(self) -> float:
        """Rows of nobody in an image."""
        return self.ghosts / max(self.frames, 1)

    @property
    def switches_per_person(self) -> float:
        """Id switches of a person."""
        return self.switches / max(self.people, 1)


def judge(frames: Iterable[Frame], similarity: Similarity = oks) -> Figures:
    """Return the figures of one sequence of frames."""
    figures = Figures()
    last_ids: dict[int, int] = {}
    overlaps: Counter[tuple[int, int]] = Counter()
    seen: set[int] = set()
    ids: set[int] = set()
    runs: Counter[tuple[int, int, int]] = Counter()
    rows: int | None = None
    for frame in frames:
        matches = match(frame, similarity)
        overlaps.update(matches.ids.items())
        runs = Counter({key: runs[key] + 1 for key in merged(frame)})
        counted = {person.identity for person in frame.people if person.counts}
        figures += Figures(
            frames=1,
            rows=len(frame.rows),
            changes=rows not in (None, len(frame.rows)),
            counted=len(counted),
            found=len(matches.ids),
            ghosts=matches.ghosts,
            switches=sum(last_ids.get(who, now) != now for who, now in matches.ids.items()),
            merged_frames=max(runs.values(), default=0),
        )
        rows = len(frame.rows)
        last_ids |= matches.ids
        seen |= counted
        ids |= {row.person_id for row in frame.rows}
    return figures + Figures(people=len(seen), ids=len(ids), identified=best_overlap(overlaps))


def best_overlap(overlaps: Mapping[tuple[int, int], int]) -> int:
    """Return the largest sum of overlaps of (person, id) with each person and id used once."""
    people = sorted({person for person, _ in overlaps})
    best = {frozenset[int](): 0}
    for person_id in {person_id for _, person_id in overlaps}:
        for taken, total in list(best.items()):
            for person in people:
                if person not in taken and (person, person_id) in overlaps:
                    key = taken | {person}
                    value = total + overlaps[person, person_id]
                    best[key] = max(best.get(key, 0), value)
    return max(best.values())


def merged(frame: Frame) -> Iterator[tuple[int, int, int]]:
    """Give the id of each row that takes joints from two people who count, and the two people.

    At least a third of the joints are near to those of the one person and far from those of the
    other, and another third the other way round; near is a similarity of 0.5.
    """
    counted = [person for person in frame.people if person.counts]
    for row in frame.rows:
        joints = [(person.identity, *joint_similarities(person, row)) for person in counted]
        for (one, near_one, labeled_one), (other, near_other, labeled_other) in combinations(
            joints, 2
        ):
            is_labeled = labeled_one & labeled_other
            if _takes_from_both(
                near_one[is_labeled] >= MATCHED, near_other[is_labeled] >= MATCHED
            ):
                yield row.person_id, one, other


def _takes_from_both(of_one: Flags, of_other: Flags) -> bool:
    """Whether enough joints (J,) are of the one alone, and enough of the other alone."""
    fewest = min(np.sum(of_one & ~of_other), np.sum(of_other & ~of_one))
    return bool(fewest >= MERGED_SHARE * max(len(of_one), 1))
