"""Errors that the pose pipeline raises. Each message names the bad value and what is allowed."""

_MAX_QUOTED = 100


def quote(value: object) -> str:
    """Return a value from outside for a message: on one line, and not too long."""
    text = repr(value)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."


class PoseError(Exception):
    """Base of all errors raised by the pose pipeline."""


class ModelFileError(PoseError):
    """A model file or its manifest is missing, damaged, or not the file that was published."""


class ModelShapeError(PoseError):
    """A model has other inputs or outputs than its row in the MODELS table says."""


class OptionError(PoseError):
    """An option has a value of the wrong type or outside its range."""


class ImageError(PoseError):
    """An image cannot be used: wrong shape, type, size or content."""


class CameraError(PoseError):
    """A camera calibration cannot be used."""
