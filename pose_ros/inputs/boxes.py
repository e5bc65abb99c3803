"""Boxes of people from a message of another detector.

The message has the fields of `Detection2DArray` of vision_msgs 4, whatever its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pose_ros.blazepose.boxes import visible_boxes
from pose_ros.blazepose.datatypes import Float64Array, ImageSize

_MOST_CLASSES = 5
_UNKNOWN_SCORE = -1.0


class PersonBoxes(NamedTuple):
    """The boxes (B, 4) of people in a message, xmin, ymin, xmax, ymax in px, the surest first.

    They are NaN where the message has none. `classes` are those of its detections, a few at most.
    """

    boxes_px: Float64Array
    classes: tuple[str, ...]

    def in_image(self, image_size: ImageSize) -> Float64Array:
        """Return the boxes that show a part of an image."""
        is_visible = np.isfinite(visible_boxes(self.boxes_px, image_size)).all(axis=1)
        boxes_px: Float64Array = self.boxes_px[is_visible]
        return boxes_px

    def problem(self, image_size: ImageSize) -> str | None:
        """Return what is wrong with boxes that show no part of an image; None if all do."""
        bad_px = self.boxes_px[np.isnan(visible_boxes(self.boxes_px, image_size)[:, 0])]
        if not len(bad_px):
            return None
        first = ", ".join(f"{value:g}" for value in bad_px[0])
        width, height = image_size
        return (
            f"{len(bad_px)} of {len(self.boxes_px)} boxes cannot be used, such as ({first}); "
            "allowed are finite values, sides of 1 px or more, and a part in the image of "
            f"{width} x {height}"
        )


def boxes_from_detections(message: Any, detection_class: str) -> PersonBoxes:  # noqa: ANN401
    """Return the boxes of all detections of a class; of all there are if that is empty.

    A detection has several hypotheses or none; the surest of the class counts. A rotated box
    becomes the upright one around it.
    """
    rows, classes = [], dict[str, None]()
    for detection in message.detections:
        found = {str(item.hypothesis.class_id): None for item in detection.results}
        classes |= found if len(classes) < _MOST_CLASSES else {}
        if not detection_class or detection_class in found:
            scores = _scores(detection, detection_class)
            rows.append((*_box(detection.bbox), max(scores, default=_UNKNOWN_SCORE)))
    values = np.array(rows, np.float64).reshape(-1, 6)
    surest_first = np.argsort(-np.nan_to_num(values[:, 5], nan=_UNKNOWN_SCORE), kind="stable")
    return PersonBoxes(_upright(values[surest_first, :5]), tuple(classes)[:_MOST_CLASSES])


def _scores(detection: Any, detection_class: str) -> Iterator[float]:  # noqa: ANN401
    for item in detection.results:
        if not detection_class or str(item.hypothesis.class_id) == detection_class:
            yield float(item.hypothesis.score)


def _box(bbox: Any) -> tuple[float, ...]:  # noqa: ANN401
    """Return center x and y, width, height and rotation."""
    center = bbox.center
    return center.position.x, center.position.y, bbox.size_x, bbox.size_y, center.theta


def _upright(values: Float64Array) -> Float64Array:
    """Return boxes (B, 4) from center, sizes, rotation (B, 5); NaN if a size is not positive."""
    centers, sizes, thetas = values[:, :2], values[:, 2:4].copy(), values[:, 4:]
    sizes[(sizes <= 0).any(axis=1)] = np.nan
    with np.errstate(invalid="ignore"):  # of infinite values
        cos, sin = abs(np.cos(thetas)), abs(np.sin(thetas))
        halves = (cos * sizes + sin * sizes[:, ::-1]) / 2
        return np.concatenate([centers - halves, centers + halves], axis=1)
