"""Videos as other programs write them, made of the test clip with FFmpeg."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import media
import pytest

RATE_HZ = 25
_HALF_SPEED_AFTER_1_S = "select='lt(t,1)+not(mod(n,5))*gte(t,1)'"
_JITTER = "settb=1/1000,setpts='N*40+mod(N*7,25)'"
_ARGUMENTS = {
    # as a browser records: jittered times, no rate in the header
    "browser.webm": [
        *("-vf", _JITTER, "-fps_mode", "passthrough", "-enc_time_base", "1:1000"),
        *("-c:v", "libvpx", "-live", "1"),
    ],
    "stream.mjpeg": ["-c:v", "mjpeg"],
    "animated.gif": ["-vf", "scale=160:-2"],
    "animated.png": ["-vf", "scale=160:-2", "-f", "apng"],
    "b_frames.avi": ["-c:v", "libx264", "-bf", "3"],
    "raw.h264": ["-c:v", "libx264", "-bf", "3"],
    "slow_motion.mp4": ["-vf", "setpts=N/240/TB", "-r", "240", "-c:v", "libx264"],
    "high_speed.mp4": ["-vf", "setpts=N/1000/TB", "-r", "1000", "-c:v", "libx264"],
    "variable.mp4": ["-vf", _HALF_SPEED_AFTER_1_S, "-fps_mode", "vfr", "-c:v", "libx264"],
    "plain.mp4": ["-c:v", "libx264", "-movflags", "+faststart"],
}
NAMES = tuple(_ARGUMENTS)


def video(name: str, folder: Path, seconds: float = 2.0) -> Path:
    """Encode the first seconds of the clip; named after the encoding."""
    path = folder / name
    source = ["-t", str(seconds), "-i", str(media.path("person"))]
    command = [_ffmpeg(), "-v", "error", "-y", *source, "-an", *_ARGUMENTS[name], str(path)]
    subprocess.run(command, check=True)
    if name == "browser.webm":
        path.write_bytes(_without_default_duration(path.read_bytes()))
    return path


def _without_default_duration(webm: bytes) -> bytes:
    """Make the element with the duration of a frame void (Matroska, DefaultDuration)."""
    start = webm.find(b"\x23\xe3\x83")
    if start < 0:
        return webm
    size = 4 + (webm[start + 3] & 0x7F)
    void = bytes([0xEC, 0x80 | (size - 2), *bytes(size - 2)])
    return webm[:start] + void + webm[start + size :]


@cache
def _ffmpeg() -> str:
    """Return the program; skip the test without one, or fail where nothing may be missing."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        program = shutil.which("ffmpeg")
    else:
        program = str(imageio_ffmpeg.get_ffmpeg_exe())
    if program is None:
        reason = "no FFmpeg to encode with: pip install imageio-ffmpeg"
        (pytest.fail if os.environ.get("POSE_ROS_REQUIRE_MEDIA") == "1" else pytest.skip)(reason)
    return program
