"""Where the people of a real video are in space, as the node publishes it; `main` plots it.

The video was taken by a camera that nobody calibrated, so a field of view is assumed: distances
are right up to one common factor, their course is what can be judged.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import conftest  # noqa: F401, its settings of ROS
import media
import numpy as np
import numpy.typing as npt
import running
from running import Client
from sensor_msgs.msg import CameraInfo, PointCloud2
from visualization_msgs.msg import MarkerArray

from pose_ros.blazepose.datatypes import ImageArray
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.client import landmarks_from_msg
from pose_ros.runtime.clock import stamp_to_ns
from pose_ros.tools.calibration import camera_info_from_fov
from pose_ros.tools.frames import open_frames

HFOV_DEG = 60.0
START_NS = running.FIRST_NS + 10**13
HIPS = [FULL_BODY.names.index(name) for name in ("left_hip", "right_hip")]
SHOULDERS = [FULL_BODY.names.index(name) for name in ("left_shoulder", "right_shoulder")]


class Trajectory(NamedTuple):
    """What the node published for a video.

    Of R rows, by person and time: times (R,), landmarks (R, N, 3), ids (R,). And all markers.
    """

    times_s: npt.NDArray[np.float64]
    landmarks_m: npt.NDArray[np.float64]
    person_ids: npt.NDArray[np.int64]
    markers: list[MarkerArray]

    @property
    def hips_m(self) -> npt.NDArray[np.float64]:
        """The middle of the hips (R, 3)."""
        return np.asarray(self.landmarks_m[:, HIPS].mean(axis=1))

    @property
    def speeds_m_s(self) -> npt.NDArray[np.float64]:
        """Speeds (n,) of the hips between neighbouring frames that show the same person."""
        steps_m = np.linalg.norm(np.diff(self.hips_m, axis=0), axis=1)
        steps_s, is_same = np.diff(self.times_s), np.diff(self.person_ids) == 0
        is_used = is_same & np.isfinite(steps_m)
        return np.asarray(steps_m[is_used] / steps_s[is_used])


def record(video: str = "sports2d_demo", model: str = "full", max_persons: int = 1) -> Trajectory:
    """Send each image of a video when the one before is processed; return the people found."""
    options = {"model": model, "position_source": "world", "max_persons": max_persons}
    frames = list(open_frames(str(media.path(video))))
    with running.node_and_client(*running.parameters(**options)) as client:
        client.listen("landmarks", "markers")
        _locate(client, frames[len(frames) // 2].image)
        markers = client.subscribe("markers")
        markers.clear()
        clouds = [
            client.ask(running.image(frame.image, START_NS + frame.time_ns)) for frame in frames
        ]
    rows = sorted(
        (row for cloud in clouds for row in rows_of(cloud)), key=lambda row: (row[0], row[1])
    )
    person_ids, stamps_ns, landmarks_m = map(np.array, zip(*rows, strict=True))
    return Trajectory(stamps_ns * 1e-9, landmarks_m.astype(np.float64), person_ids, list(markers))


def _locate(client: Client, rgb: ImageArray) -> None:
    """Send an image with a calibration until the node has that, then let it forget the image."""
    height_px, width_px = rgb.shape[:2]
    info = camera_info_from_fov(width_px, height_px, HFOV_DEG)
    infos = client.node.create_publisher(CameraInfo, "camera_info", 10)

    def is_located() -> bool:
        infos.publish(info)
        return bool(np.isfinite(client.landmarks(running.image(rgb)).xyz).any())

    client.until(is_located, "a position")
    client.reset()


def rows_of(cloud: PointCloud2) -> list[tuple[int, int, npt.NDArray[np.float32]]]:
    """Return the id, the stamp and the landmarks (N, 3) of each person of a message."""
    people, stamp_ns = landmarks_from_msg(cloud), stamp_to_ns(cloud.header.stamp)
    return [
        (int(person_id), stamp_ns, xyz_m)
        for person_id, xyz_m in zip(people.person_id, people.xyz, strict=True)
    ]


def plot(trajectory: Trajectory, file: Path) -> None:
    """Draw the course of hips and shoulders over time, and the hips from above, with the ids."""
    from matplotlib import pyplot

    times_s = trajectory.times_s - trajectory.times_s.min()
    figure, (over_time, above) = pyplot.subplots(1, 2, figsize=(10, 4), width_ratios=(2, 1))
    shoulders_m = trajectory.landmarks_m[:, SHOULDERS].mean(axis=1)
    for person_id in np.unique(trajectory.person_ids):
        is_person = trajectory.person_ids == person_id
        x_m, _, z_m = trajectory.hips_m[is_person].T
        above.text(x_m[0], z_m[0], str(person_id))
        over_time.text(times_s[is_person][0], z_m[0], str(person_id))
        for axis in range(3):
            for points_m, style in ((trajectory.hips_m, "-"), (shoulders_m, ":")):
                course_m = points_m[is_person, axis]
                over_time.plot(times_s[is_person], course_m, style, color=f"C{axis}")
    for axis, name in enumerate(("x (right)", "y (down)", "z (forward)")):
        over_time.plot([], [], color=f"C{axis}", label=name)
    over_time.set(xlabel="time [s]", ylabel="mid-hip (dotted: mid-shoulder) [m]")
    over_time.legend()
    above.scatter(*trajectory.hips_m[:, (0, 2)].T, s=6, c=times_s)
    above.set(xlabel="x [m]", ylabel="z [m]", title="mid-hip from above, with ids")
    above.axis("equal")
    figure.tight_layout()
    figure.savefig(file, dpi=100)


def figures(trajectory: Trajectory) -> dict[str, Any]:
    """Return what the trajectory is judged by."""
    speeds_m_s, z_m = trajectory.speeds_m_s, trajectory.hips_m[:, 2]
    known = np.isfinite(trajectory.landmarks_m).all(axis=2)
    return {
        "frames with a person": len(set(trajectory.times_s.tolist())),
        "people": len(set(trajectory.person_ids.tolist())),
        "rows with a position": int(np.isfinite(z_m).sum()),
        "landmarks that are known": round(float(known.mean()), 4),
        "hips' z m, smallest and largest": np.round([np.nanmin(z_m), np.nanmax(z_m)], 2).tolist(),
        "hips' speed m/s, median": round(float(np.median(speeds_m_s)), 2),
        "hips' speed m/s, p95": round(float(np.percentile(speeds_m_s, 95)), 2),
        "hips' speed m/s, largest": round(float(speeds_m_s.max()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="sports2d_demo")
    parser.add_argument("--model", default="full")
    parser.add_argument("--max-persons", type=int, default=1)
    parser.add_argument("--plot", type=Path, required=True)
    options = parser.parse_args()
    trajectory = record(options.video, options.model, options.max_persons)
    for name, value in figures(trajectory).items():
        print(f"{name}: {value}")
    plot(trajectory, options.plot)


if __name__ == "__main__":
    main()
