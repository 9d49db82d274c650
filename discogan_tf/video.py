"""A video of images in order, by ffmpeg."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from discogan_tf.errors import ConfigError

_FFMPEG = "ffmpeg"


def require_ffmpeg() -> None:
    """Raises a ConfigError if ffmpeg is not installed."""
    if shutil.which(_FFMPEG) is None:
        raise ConfigError(
            "--video needs ffmpeg, which is not installed (on Debian: apt install ffmpeg)"
        )


def write_video(frames: list[Path], target: Path, frames_per_second: int) -> None:
    """Writes an H.264 video.

    Args:
      frames: Image files in order. Those of other sizes are scaled to that of the first.
      target: An .mp4 file.
      frames_per_second: Its speed.

    Raises:
      OSError: if ffmpeg fails; the message is its last line.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", errors="surrogateescape") as listing:
        for frame in frames:
            quoted = str(frame.resolve()).replace("'", r"'\''")
            listing.write(f"file '{quoted}'\nduration {1 / frames_per_second}\n")
        listing.flush()
        done = subprocess.run(
            [
                _FFMPEG, "-y", "-loglevel", "error", "-f", "concat", "-safe", "0",
                "-i", listing.name, "-r", str(frames_per_second),
                # H.264 needs even sides.
                "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(target),
            ],
            capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise OSError(f"ffmpeg failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
