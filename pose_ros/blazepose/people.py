"""The people in a sequence of images: who goes on, who is out of sight, who is new.

A person found anew is tentative, and tracked after three images in a row. One who is lost, mostly
behind somebody else, is held: looked for, and taken up again with the same id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pose_ros.blazepose.datatypes import Pose
from pose_ros.blazepose.options import PoseTrackerOptions
from pose_ros.blazepose.person import PersonState, TrackedPerson
from pose_ros.blazepose.search import Search


@dataclass(frozen=True, slots=True)
class People:
    """All that is remembered of people, and of the search for them."""

    next_person_id: int
    known: tuple[TrackedPerson, ...] = ()
    search: Search = field(default_factory=Search)

    def active(self) -> list[TrackedPerson]:
        """Return the people who were seen when last looked at."""
        return [person for person in self.known if person.state != PersonState.HELD]

    def held(self) -> list[TrackedPerson]:
        """Return the people who were not seen then."""
        return [person for person in self.known if person.state == PersonState.HELD]

    def tracked(self) -> list[TrackedPerson]:
        """Return the people who are tracked."""
        return [person for person in self.known if person.state == PersonState.TRACKED]

    def poses(self, state: PersonState, time_ns: int) -> list[Pose]:
        """Return the last poses, by id, of the people in a state.

        Those who are seen are left out while their poses may be those of others.
        """
        people = [person for person in self.known if person.state == state]
        sure = [one for one in people if state == PersonState.HELD or not one.is_doubtful]
        return sorted((one.pose_at(time_ns) for one in sure), key=lambda pose: pose.person_id)

    def with_fresh_filters(self, options: PoseTrackerOptions) -> People:
        """Return the people as before, but with filters that have seen nothing."""
        return replace(self, known=tuple(one.with_fresh_filter(options) for one in self.known))

    def named(self) -> People:
        """Return the people, with ids for those who are tracked and have none yet."""
        next_id, known = self.next_person_id, []
        for person in self.known:
            if person.state == PersonState.TRACKED and person.person_id == 0:
                known.append(person.named(next_id))
                next_id += 1
            else:
                known.append(person)
        return replace(self, next_person_id=next_id, known=tuple(known))
