"""From an image message to a frame: decode, track, locate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from pose_ros.blazepose import PoseError, PoseTracker
from pose_ros.blazepose.datatypes import (
    Float64Array,
    ImageArray,
    ImageSize,
    Poses,
    size_of,
)
from pose_ros.blazepose.models import MODELS
from pose_ros.blazepose.options import ModelOptions
from pose_ros.blazepose.topology import Topology
from pose_ros.body.ages import Ages
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import DepthImage
from pose_ros.geometry.floor import Floor
from pose_ros.geometry.located import Position
from pose_ros.geometry.position import PositionEstimator
from pose_ros.inputs.calibration import Calibration
from pose_ros.inputs.headers import HeaderCheck
from pose_ros.inputs.images import rgb_from_compressed, rgb_from_image
from pose_ros.inputs.options import InputOptions
from pose_ros.inputs.shortage import Shortage
from pose_ros.inputs.value_range import ValueRange
from pose_ros.outputs.frame import FRAME_PERIOD_S, Frame, Person
from pose_ros.parameters import NodeOptions, models_path, tracker_options
from pose_ros.runtime.clock import stamp_to_ns
from pose_ros.runtime.diagnostics import Diagnostics
from pose_ros.runtime.memory import release_freed_memory
from pose_ros.runtime.report import Findings

FindBoxes: TypeAlias = Callable[[Header, ImageSize, InputOptions, float], "Float64Array | None"]

_NO_DISTANCES = "select is 'nearest', but positions are unknown: the largest people are tracked"


class FrameProcessor:
    """Makes a frame of each image message; for one thread only.

    `problems` are those of the last image: a text, or None, for each kind. People get ids from
    `first_person_id` on. Raises what PoseTracker raises when the model cannot be loaded.
    """

    def __init__(
        self, options: NodeOptions, diagnostics: Diagnostics, first_person_id: int = 1
    ) -> None:
        self._tracker = PoseTracker(
            tracker_options(options), models_path(options), diagnostics.stage, first_person_id
        )
        release_freed_memory()
        self._estimator = PositionEstimator(options, MODELS[options.model].distance_factor)
        self._calibration, self._headers = Calibration(), HeaderCheck()
        self._value_range = ValueRange()
        self._options = options
        self._diagnostics = diagnostics
        self._ages = Ages()
        self._last_time_ns = 0
        self._mask_problem: str | None = None
        self._distances_m: dict[int, float] = {}
        self._without_distances = Shortage()
        self._asks_for_masks = False

    @property
    def options(self) -> NodeOptions:
        """The options that the next frame is processed with."""
        return self._options

    @property
    def next_person_id(self) -> int:
        """The id of the next person to be found."""
        return self._tracker.next_person_id

    @property
    def topology(self) -> Topology:
        """Names and connections of the landmarks of the model in use."""
        return MODELS[self._options.model].topology

    @property
    def problems(self) -> dict[str, str | None]:
        """What is wrong with the inputs, by kind; None where nothing is."""
        calibration = self._calibration.problem
        masks = self._mask_problem if self._asks_for_masks else None
        nearest = self._options.select == "nearest" and self._without_distances.is_common
        return {
            "inference": self._tracker.network.problem,
            "calibration": calibration,
            "masks": masks,
            "select": _NO_DISTANCES if nearest else None,
            **self._headers.problems,
        }

    @property
    def findings(self) -> Findings:
        """What is to be reported: of the last image, and of what runs the landmark model."""
        runtime = self._tracker.network.runtime
        return Findings(self.problems, self.notice, self._options.model, runtime)

    @property
    def notice(self) -> str | None:
        """What was found out about the images and is worth a line in the log."""
        return self._value_range.notice

    def configure(self, options: NodeOptions) -> None:
        """Change options between two frames; on PoseError nothing has changed."""
        self._tracker.configure(tracker_options(options))
        self._estimator.configure(options, MODELS[options.model].distance_factor)
        if options.model != self._options.model:
            self._mask_problem = None
        old = self._options
        if options.part(ModelOptions) != old.part(ModelOptions):
            release_freed_memory()
        if (old.camera_height_m, old.floor_frame) != (
            options.camera_height_m,
            options.floor_frame,
        ):
            self._estimator.forget_floor()
        self._options = options

    def reset(self) -> None:
        """Forget the people and the time."""
        self._tracker.reset()

    def track(
        self,
        message: Image | CompressedImage,
        info: CameraInfo | None,
        with_masks: bool = False,
        find_boxes: FindBoxes | None = None,
        target_id: int | None = None,
    ) -> Frame:
        """Return the frame of an image message; ImageError if the image cannot be used.

        `find_boxes` gives the boxes of another detector where the options ask for them. The target
        `target_id`, if there is one, has landmarks on every image.
        """
        with self._diagnostics.stage("decode"):
            image = _decode(message, self._value_range)
        self._headers.update(message.header, time.monotonic_ns())
        self._asks_for_masks = with_masks
        has_masks = with_masks and self._can_mask()
        poses = self._poses(image, message.header, has_masks, find_boxes, target_id)
        return Frame(
            header=message.header,
            image=image,
            poses=poses,
            people=self._people(poses),
            topology=self.topology,
            camera=self._camera(message.header, info, size_of(image)),
            options=self._options,
            period_s=self._period_s(poses.time_ns),
            stamp_scale=self._headers.stamp_scale,
            has_masks=has_masks,
        )

    def locate(self, frame: Frame, depth: DepthImage | None, floor: Floor | None = None) -> Frame:
        """Return the frame with the positions of its people, who stand on a floor if given."""
        with self._diagnostics.stage("position"):
            positions = self._estimator.estimate(frame.poses, frame.camera, depth, floor)
        ids = (pose.person_id for pose in frame.poses.everybody)
        position_of = dict(zip(ids, positions, strict=True))
        self._note_distances(position_of)
        people = tuple(
            replace(person, position=position_of[person.pose.person_id]) for person in frame.people
        )
        self._diagnostics.located(position_of[pose.person_id].source for pose in frame.poses)
        return replace(frame, people=people, is_located=True)

    def _poses(
        self,
        image: ImageArray,
        header: Header,
        has_masks: bool,
        find_boxes: FindBoxes | None,
        target_id: int | None,
    ) -> Poses:
        distances_m, self._distances_m = self._distances_m, {}
        boxes_px = None
        if find_boxes is not None and self._options.person_detector == "topic":
            size, scale = size_of(image), self._headers.stamp_scale
            boxes_px = find_boxes(header, size, self._options, scale)
        with self._diagnostics.stage("track"):
            return self._tracker.track(
                image,
                stamp_to_ns(header.stamp),
                with_mask=has_masks,
                boxes_px=boxes_px,
                distances_m=distances_m,
                selected_id=target_id,
            )

    def _note_distances(self, position_of: Mapping[int, Position]) -> None:
        """Keep the distances for the next image, which may select people by them."""
        found_m = {number: position.distance_m for number, position in position_of.items()}
        self._distances_m = {
            number: distance_m for number, distance_m in found_m.items() if distance_m is not None
        }
        if position_of:
            self._without_distances.add(time.monotonic(), lacks=not self._distances_m)

    def _people(self, poses: Poses) -> tuple[Person, ...]:
        """Return the people who go out, by id."""
        known = (*poses, *poses.held)
        self._ages.update((pose.person_id for pose in known), poses.time_ns)
        published = known if self._options.publish_held else poses
        return tuple(
            Person(pose, age_ns=self._ages.age_ns(pose.person_id))
            for pose in sorted(published, key=lambda pose: pose.person_id)
        )

    def _camera(self, header: Header, info: CameraInfo | None, image_size: ImageSize) -> Camera:
        camera = self._calibration.camera(info, header.frame_id, image_size, self._options)
        return replace(camera, is_mirrored=self._options.mirrored_input)

    def _can_mask(self) -> bool:
        """Return whether the model gives masks; it is asked once."""
        try:
            if self._mask_problem is None:
                self._tracker.load_mask()
        except PoseError as error:
            self._mask_problem = f"~/segmentation_mask is not published: {error}"
        return self._mask_problem is None

    def _period_s(self, time_ns: int) -> float:
        """Return the time since the frame before; a usual one after a reset."""
        last_ns, self._last_time_ns = self._last_time_ns, time_ns
        return (time_ns - last_ns) / 1e9 if 0 < last_ns < time_ns else FRAME_PERIOD_S


def _decode(message: Image | CompressedImage, value_range: ValueRange) -> ImageArray:
    if isinstance(message, CompressedImage):
        return rgb_from_compressed(message, value_range)
    return rgb_from_image(message, value_range)
