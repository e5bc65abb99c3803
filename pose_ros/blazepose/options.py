"""Options of the pose pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from pose_ros.blazepose.errors import OptionError
from pose_ros.blazepose.models import MODELS, MOVENET
from pose_ros.blazepose.option_fields import Options, option
from pose_ros.blazepose.smoothing import PoseSmoother


@dataclass(frozen=True)
class ModelOptions(Options):
    """Options that shape the networks: a change loads them again."""

    model: str = option(
        "full",
        "Landmark model.",
        choices=tuple(MODELS),
    )
    person_detector: str = option(
        "blazepose",
        "What finds people: MediaPipe's detector (blazepose), MoveNet and that one in turn "
        "(movenet), or another one, whose boxes come on detections (topic).",
        choices=("blazepose", "movenet", "topic"),
    )
    inference: str = option(
        "auto",
        "What runs the landmark model: the engine of the native library where it can (auto), "
        "which takes less time for an image but more to load, or always onnxruntime.",
        choices=("auto", "onnxruntime"),
    )
    intra_op_threads: int = option(
        0,
        "Threads of one inference; 0 chooses (one thread).",
        minimum=0,
        maximum=64,
    )
    providers: tuple[str, ...] = option(
        ("CPUExecutionProvider",),
        "onnxruntime execution providers, the preferred one first.",
    )
    allow_unverified_models: bool = option(
        False,
        "Load model files without checking them against their manifest.json.",
        fixed=True,
    )
    heatmap_kernel: int = option(
        7,
        "Side of the heatmap window that refines a landmark: 7 as designed, 9 as MediaPipe's "
        "plain Python package runs it.",
        choices=(7, 9),
        parameter=False,
    )

    @property
    def model_files(self) -> tuple[str, ...]:
        """The graphs that may be loaded."""
        others = (MOVENET.file,) if self.person_detector == "movenet" else ()
        return (*MODELS[self.model].files, *others)


@dataclass(frozen=True)
class PeopleOptions(Options):
    """Options of tracking several people."""

    max_persons: int = option(
        1,
        "Most people that are tracked at once.",
        minimum=1,
        maximum=16,
    )
    hold_time_s: float = option(
        2.0,
        "A person who is not seen for longer is lost; one who is seen before keeps the id. Only "
        "with several people.",
        minimum=0.0,
        maximum=60.0,
    )
    landmark_interval_s: float = option(
        0.0,
        "With several people, the landmark model runs for one of them on every image, and for the "
        "others only every so many seconds of stamps; 0: for all on every image. That one is the "
        "target, else whom select prefers, or with sticky who was tracked first.",
        minimum=0.0,
        maximum=0.5,
    )
    select: str = option(
        "sticky",
        "Who is tracked if there are more than max_persons: those who are already (sticky), or "
        "those who are clearly larger (largest), nearer to the camera (nearest; the largest while "
        "positions are unknown) or nearer to the center of the image (center) for a second.",
        choices=("sticky", "largest", "nearest", "center"),
    )
    detect_regions: str = option(
        "auto",
        "Whether squares of the image are searched for people who are too small in the whole "
        "image: auto (with several people, never in static image mode) or off.",
        choices=("auto", "off"),
    )
    roi_limits: tuple[float, ...] = option(
        (0.0, 0.0, 1.0, 1.0),
        "Part of the image in which people are detected: x_min, y_min, x_max, y_max, as fractions "
        "of its width and height.",
        minimum=0.0,
        maximum=1.0,
    )

    people_threads: int = option(
        0,
        "Threads that share the people of an image; 0 chooses: the node takes two if it may use "
        "two cores for them, else one.",
        minimum=0,
        maximum=16,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        x_min, y_min, x_max, y_max = self.roi_limits
        if x_min >= x_max or y_min >= y_max:
            raise OptionError(
                f"roi_limits is {list(self.roi_limits)}; allowed are x_min below x_max and "
                "y_min below y_max"
            )


@dataclass(frozen=True)
class PoseTrackerOptions(ModelOptions, PeopleOptions):
    """Options of PoseTracker, with MediaPipe Pose's names and defaults where it has them.

    Raises OptionError for a value of the wrong type or outside its range.
    """

    static_image_mode: bool = option(
        False,
        "Treat every image as unrelated to the one before: detect each time, no smoothing.",
    )
    min_detection_confidence: float = option(
        0.5,
        "Smallest score of the person detector that counts as a detection.",
        minimum=0.0,
        maximum=1.0,
    )
    min_tracking_confidence: float = option(
        0.5,
        "The landmark model's pose score must be above this, else the pose counts as lost.",
        minimum=0.0,
        maximum=1.0,
    )
    smooth_landmarks: bool = option(
        True,
        "Filter landmarks over time to reduce jitter; never in static image mode.",
    )
    smoothing_min_cutoff: float = option(
        0.0,
        "Cutoff frequency in Hz of the filter of landmarks at rest: lower is steadier. 0 means "
        "the model's own, 0.05. World landmarks are filtered in proportion. Not for upper_body.",
        minimum=0.0,
        maximum=100.0,
    )
    smoothing_beta: float = option(
        0.0,
        "How much the cutoff frequency grows with the speed: higher lags less. 0 means the "
        "model's own, 80. World landmarks are filtered in proportion. Not for upper_body.",
        minimum=0.0,
        maximum=10000.0,
    )
    mirrored_input: bool = option(
        False,
        "The image is a mirror image (selfie view): left and right landmarks are given as the "
        "person's own.",
    )
    smooth_segmentation: bool = option(
        True,
        "Blend the mask with the one before where it is uncertain; never in static image mode.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("smoothing_min_cutoff", "smoothing_beta"):
            value = getattr(self, name)
            if value and not MODELS[self.model].smoothing.is_tunable:
                raise OptionError(
                    f"{name} is {value}; allowed is 0: {self.model} has another kind of filter"
                )

    @property
    def is_smoothing(self) -> bool:
        """Whether landmarks are filtered over time."""
        return self.smooth_landmarks and not self.static_image_mode

    @property
    def smoother(self) -> PoseSmoother:
        """The filters of a person not seen yet."""
        own = MODELS[self.model].smoothing
        tuned = own.tuned(self.smoothing_min_cutoff, self.smoothing_beta)
        return tuned.switched(self.is_smoothing)
