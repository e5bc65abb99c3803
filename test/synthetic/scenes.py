"""A person of known geometry in front of a known camera: landmarks, world landmarks, depth image.

The body is a set of landmarks in meters with flesh of spheres along its bones. The landmarks are
on the side of the flesh that the camera sees or, to measure what that is worth, inside of it as
joints are. Everything is in the camera's optical frame: x right, y down, z forward; a person with
heading 0 faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import cycle, product

import numpy as np

from pose_ros.blazepose.datatypes import Float64Array, ImageSize, Pose, Roi
from pose_ros.blazepose.topology import FULL_BODY
from pose_ros.geometry.camera import Camera
from pose_ros.geometry.depth import DepthImage
from pose_ros.geometry.distortion import distortion_from
from synthetic.limbs import HEAD_M, POSES, body_in_pose, heading_and_tilt

NAMES = FULL_BODY.names
RADII_M = {
    "shoulder": 0.06, "elbow": 0.042, "wrist": 0.03, "pinky": 0.013, "index": 0.013,
    "thumb": 0.013, "hip": 0.1, "knee": 0.057, "ankle": 0.042, "heel": 0.03, "foot_index": 0.025,
}  # fmt: skip
NECK_M = 0.055
BONES = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "pinky"), ("wrist", "index"),
    ("wrist", "thumb"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"),
    ("heel", "foot_index"), ("ankle", "foot_index"),
)  # fmt: skip
VISIBLE, OCCLUDED, OUTSIDE = 0.95, 0.2, 0.1

_VGA, _WIDE, _SQUARE = ImageSize(640, 480), ImageSize(640, 576), ImageSize(640, 640)
CAMERAS = {
    "pinhole": Camera(_VGA, 525.0, 525.0, 320.0, 240.0, True),
    "plumb_bob": Camera(
        _VGA, 460.0, 460.0, 325.0, 236.0, True,
        distortion_from("plumb_bob", (-0.3, 0.1, 0.001, -0.001, 0.0)),
    ),
    "rational": Camera(
        _WIDE, 505.0, 505.0, 322.0, 330.0, True,
        distortion_from(
            "rational_polynomial", (0.43, -2.76, 0.0008, -0.0003, 1.6, 0.31, -2.58, 1.53)
        ),
    ),
    "fisheye": Camera(
        _SQUARE, 205.0, 205.0, 320.0, 320.0, True,
        distortion_from("equidistant", (0.02, -0.01, 0.003, -0.0005)),
    ),
}  # fmt: skip
DISTANCES_M = (1.0, 1.75, 2.5, 4.0)
HEADINGS_DEG = (0, 50, 180, -70, 90, -35, 20)
BUILDS = (0.8, 1.0, 1.2)
WALLS_M = (0.3, 1.0, 2.0, 1.0, 0.3)


@dataclass(frozen=True)
class Scene:
    """A person before a wall: joints (33, 3) in m, pixels (33, 2), true z image (H, W)."""

    camera: Camera
    joints_m: Float64Array
    pixels: Float64Array
    z_m: Float64Array
    visibility: Float64Array

    @property
    def mid_hip_m(self) -> Float64Array:
        middle: Float64Array = self.joints_m[[23, 24]].mean(axis=0)
        return middle


def _flesh(body: Float64Array, build: float, inside_flesh: bool) -> Float64Array:
    """Return spheres (n, 4) of centre and radius that fill the body, or lie right behind it.

    The landmarks of the face are on its skin anyway.
    """
    at = dict(zip(NAMES, body, strict=True))
    head = (at["left_ear"] + at["right_ear"]) / 2
    neck = (at["left_shoulder"] + at["right_shoulder"]) / 2
    pelvis = (at["left_hip"] + at["right_hip"]) / 2
    nose = at["nose"] - 0.15 * (at["nose"] - head)
    chest = 0.105 * build
    skull = [(head, head, HEAD_M, HEAD_M), (nose, at["nose"], 0.015, 0.01)]
    bones = [(head, neck, NECK_M, NECK_M), (neck, pelvis, chest, chest)]
    for side in ("left", "right"):
        shoulder, hip = at[f"{side}_shoulder"], at[f"{side}_hip"]
        rib = shoulder + 0.25 * (neck - shoulder) + 0.1 * (pelvis - neck)
        bones.append((rib, hip, 0.09 * build, RADII_M["hip"] * build))
        bones.append((shoulder, neck, RADII_M["shoulder"] * build, NECK_M * build))
        for first, second in BONES:
            ends = at[f"{side}_{first}"], at[f"{side}_{second}"]
            bones.append((*ends, RADII_M[first] * build, RADII_M[second] * build))
    limbs = _spheres(bones)
    if not inside_flesh:
        centers = limbs[:, :3]
        centers *= 1 + limbs[:, 3:] / np.linalg.norm(centers, axis=1, keepdims=True)
    return np.vstack((_spheres(skull), limbs))


def _spheres(bones: list[tuple[Float64Array, Float64Array, float, float]]) -> Float64Array:
    """Return spheres (n, 4) along bones, given by their ends and the radii there."""
    spheres = []
    for start, end, start_m, end_m in bones:
        count = 2 + int(np.linalg.norm(end - start) / (0.4 * min(start_m, end_m)))
        part = np.linspace(0, 1, count)[:, None]
        spheres.append(
            np.hstack((start + part * (end - start), start_m + part * (end_m - start_m)))
        )
    return np.vstack(spheres)


def pixel_rays(camera: Camera) -> Float64Array:
    """Return the rays (H, W, 3) of all pixels."""
    width, height = camera.image_size
    points = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    return camera.rays(points.reshape(-1, 2)).reshape(height, width, 3)


def render_m(
    camera: Camera, rays: Float64Array, spheres: Float64Array, wall_m: float
) -> Float64Array:
    """Return the z (H, W) of what each ray meets first: a sphere, or a wall that is tilted."""
    z_m = wall_m / (rays @ (0.1, 0.05, 1.0))
    z_m[~(z_m > 0)] = np.nan
    corners = np.stack(np.meshgrid((-1, 1), (-1, 1), (-1, 1)), axis=-1).reshape(-1, 3)
    around_m = spheres[:, None, :3] + corners * spheres[:, None, 3:] * 1.1
    boxes = camera.project(around_m.reshape(-1, 3)).reshape(*around_m.shape[:2], 2)
    for (x, y, z, radius), box in zip(spheres, boxes, strict=True):
        center = np.array((x, y, z))
        if not np.isfinite(box).all():
            continue  # partly beside or behind the camera
        (left, top), (right, bottom) = (
            np.clip(edge, 0, camera.image_size).astype(int)
            for edge in (np.floor(box.min(axis=0)), np.ceil(box.max(axis=0)) + 1)
        )
        part = rays[top:bottom, left:right]
        along, square = part @ center, (part * part).sum(axis=-1)
        root = along**2 - square * (center @ center - radius**2)
        with np.errstate(invalid="ignore"):
            hit = np.where(root >= 0, (along - np.sqrt(root)) / square, np.inf)
        z_m[top:bottom, left:right] = np.fmin(z_m[top:bottom, left:right], hit)
    rendered: Float64Array = z_m
    return rendered


def make_scene(
    camera: Camera,
    rays: Float64Array,
    pose: str,
    mid_hip_m: tuple[float, float, float],
    heading_deg: float,
    *,
    build: float = 1.0,
    wall_behind_m: float = 1.0,
    inside_flesh: bool = False,
) -> Scene:
    """Return a person in a pose at a position, with a wall behind; `build` scales the flesh."""
    body = body_in_pose(pose) @ heading_and_tilt(heading_deg, tilt_deg=8).T + mid_hip_m
    wall = mid_hip_m[2] + wall_behind_m
    z_m = render_m(camera, rays, _flesh(body, build, inside_flesh), wall)
    pixels = camera.project(body)
    size = np.array(camera.image_size)
    inside = np.all((pixels >= -0.5) & (pixels < size - 0.5), axis=1)
    x, y = np.rint(np.where(inside[:, None], pixels, 0)).astype(int).T
    flesh_m = np.array([RADII_M.get(name.partition("_")[2], 0.0) for name in NAMES]) * build
    # Hidden is what has more than its own flesh, half as much again and 3 cm before it.
    covered = z_m[y, x] < body[:, 2] - (1.5 if inside_flesh else 0.5) * flesh_m - 0.03
    visibility = np.where(inside, np.where(covered, OCCLUDED, VISIBLE), OUTSIDE)
    return Scene(camera, body, pixels, z_m, visibility)


def all_scenes(inside_flesh: bool = False) -> tuple[Scene, ...]:
    """Return every pose in every camera at every distance; the rest of a scene takes turns."""
    return _rendered(inside_flesh)


@cache
def _rendered(inside_flesh: bool) -> tuple[Scene, ...]:
    turns = zip(cycle(HEADINGS_DEG), cycle(BUILDS), cycle(WALLS_M))  # without end
    scenes = []
    for camera in CAMERAS.values():
        rays = pixel_rays(camera)
        for (pose, distance_m), (heading_deg, build, wall_m) in zip(
            product(POSES, DISTANCES_M), turns, strict=False
        ):
            place_m = (0.1, 0.25, distance_m)
            scenes.append(
                make_scene(
                    camera,
                    rays,
                    pose,
                    place_m,
                    heading_deg,
                    build=build,
                    wall_behind_m=wall_m,
                    inside_flesh=inside_flesh,
                )
            )
    return tuple(scenes)


def observe(
    scene: Scene, rng: np.random.Generator, dtype: type = np.uint16, noise: float = 0.01
) -> DepthImage:
    """Return a depth image with noise relative to the distance, and a tenth of it holes."""
    z_m = scene.z_m * (1 + noise * rng.normal(size=scene.z_m.shape))
    z_m[rng.random(z_m.shape) < 0.05] = 0
    height, width = z_m.shape
    blots = rng.random((height // 16 + 1, width // 16 + 1)) < 0.05
    z_m[np.kron(blots, np.ones((16, 16), bool))[:height, :width]] = 0
    if dtype is np.uint16:
        millimeters = np.nan_to_num(np.rint(z_m * 1000)).clip(0, 65535)
        return DepthImage(millimeters.astype(np.uint16), 0.001)
    z_m[rng.random(z_m.shape) < 0.01] = np.inf
    return DepthImage(np.where(z_m == 0, np.nan, z_m).astype(np.float32), 1.0)


def pose_of(
    scene: Scene,
    rng: np.random.Generator,
    *,
    landmarks: int = 33,
    pixel_noise: float = 1.0,
    world_noise_m: float = 0.0,
    world_scale: float = 1.0,
    person_id: int = 1,
) -> Pose:
    """Return what a model finds of the person: 33 landmarks, or the 25 of the upper body."""
    pixels = scene.pixels + rng.normal(0, pixel_noise, scene.pixels.shape)
    center = pixels[[23, 24]].mean(axis=0) if landmarks == 33 else pixels[[11, 12]].mean(axis=0)
    radius = np.nanmax(np.linalg.norm(pixels[:landmarks] - center, axis=1))
    roi = Roi(center, 2 * radius * (1.25 if landmarks == 33 else 1.5), 0.0)
    world_m = (scene.joints_m - scene.mid_hip_m) * world_scale
    world_m = world_m + rng.normal(0, world_noise_m, world_m.shape)
    return Pose(
        landmarks_px=np.column_stack((pixels, np.zeros(33)))[:landmarks].astype(np.float32),
        visibility=scene.visibility[:landmarks].astype(np.float32),
        presence=np.ones(landmarks, np.float32),
        auxiliary_px=np.zeros((2, 3), np.float32),
        score=0.9,
        roi=roi,
        next_roi=roi,
        person_id=person_id,
        world_landmarks_m=world_m.astype(np.float32) if landmarks == 33 else None,
    )
