"""The projective map between a square and four corners, in fixed float64 steps.

OpenCV computes it with its own elimination, whose last bits differ between processors: with fused
multiply-add, as on ARM, they move a few pixels of a crop. Python's floats round after every
operation, so the steps of OpenCV on x86 give the same bits everywhere.
ref: getPerspectiveTransform, LU and invert of OpenCV 4.10.
"""

from __future__ import annotations

import numpy as np

from pose_ros.blazepose.datatypes import Float32Array, Float64Array

_UNKNOWNS = 8
_SINGULAR = 100 * float(np.finfo(float).eps)


def image_from_square(corners_px: Float32Array, side_px: int) -> Float64Array:
    """Return the projective map (3, 3) of a square's px onto corners (4, 2) in image px.

    The corners are those of (0, side), (0, 0), (side, 0) and (side, side). The map is all zero if
    they are too close to a line or a point, as OpenCV's is.
    """
    side = float(side_px)
    square = ((0.0, side), (0.0, 0.0), (side, 0.0), (side, side))
    corners = [(float(x), float(y)) for x, y in corners_px]
    solution = _solve(_equations(corners, square))
    if solution is None:
        return np.zeros((3, 3))
    a, b, c, d, e, f, g, h = solution
    return _inverse(((a, b, c), (d, e, f), (g, h, 1.0)))


def _equations(
    points: list[tuple[float, float]], targets: tuple[tuple[float, float], ...]
) -> list[list[float]]:
    """Return the rows (8, 9) of the linear equations of a projective map; last is the right side.

    First come the four equations of the targets' x, then the four of their y.
    """
    pairs = list(zip(points, targets, strict=True))
    rows = [[x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u, u] for (x, y), (u, _) in pairs]
    return rows + [[0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v, v] for (x, y), (_, v) in pairs]


def _solve(rows: list[list[float]]) -> list[float] | None:
    """Solve linear equations (8, 9) by elimination with row pivoting; None if they are singular.

    The rows are used up.
    """
    for step in range(_UNKNOWNS):
        pivot = max(range(step, _UNKNOWNS), key=lambda row: abs(rows[row][step]))
        rows[step], rows[pivot] = rows[pivot], rows[step]
        used = rows[step]
        if abs(used[step]) < _SINGULAR:
            return None
        factor = -1.0 / used[step]
        for index in range(step + 1, _UNKNOWNS):
            row = rows[index]
            if row[step]:
                weight = row[step] * factor
                for column in range(step, _UNKNOWNS + 1):
                    row[column] += weight * used[column]
    solution = [0.0] * _UNKNOWNS
    for step in reversed(range(_UNKNOWNS)):
        rest = rows[step][_UNKNOWNS]
        for column in range(step + 1, _UNKNOWNS):
            rest -= rows[step][column] * solution[column]
        solution[step] = rest / rows[step][step]
    return solution


def _inverse(matrix: tuple[tuple[float, float, float], ...]) -> Float64Array:
    """Return the inverse of a matrix (3, 3) by its adjugate."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return np.array(rows) * (1.0 / determinant if determinant else 0.0)
