"""Does a stack that is larger than memory stay small? A BigTIFF of 20 GB that takes no disk is scored from end to end.

The file is made sparse: but for a patch in every frame it consists of holes, which read as zeros. Printed are its
size, what it takes on the disk, frames and megabytes per second, and the largest resident memory. All is simulated.
Usage: ``python bench/validation/large_stack.py [--gigabytes 20] [--every 1] [--threads 2] [--read-only]``;
``--every 10`` scores each tenth frame.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

import pyicg

SHAPE = (1080, 1920)


def make(path: Path, frames: int) -> None:
    """Write a sparse stack: one bright patch in each frame, which moves."""
    shape = (frames, *SHAPE)
    stack = tifffile.memmap(path, shape=shape, dtype=np.uint16, bigtiff=True, photometric="minisblack")
    for n in range(frames):
        stack[n, 500:502, n % 1800 : n % 1800 + 60] = 900
    stack.flush()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--read-only", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sparse.tif"
        make(path, round(options.gigabytes * 1e9 / (2 * SHAPE[0] * SHAPE[1])))
        told = path.stat()
        print(f"file: {told.st_size / 1e9:.1f} GB, of which {told.st_blocks * 512 / 1e6:.0f} MB on the disk")
        start = time.perf_counter()
        stack = pyicg.read_stack(path)[:: options.every]
        print(f"opened in {time.perf_counter() - start:.2f} s: {len(stack)} frames; {peak_mb():.0f} MB at most so far")
        start = time.perf_counter()
        if options.read_only:
            for frame in stack:
                frame.max()
        else:
            profile = pyicg.CameraProfile.identity(SHAPE)
            pyicg.score_stack(stack, profile=profile, threads=options.threads, progress=True)
        seconds = time.perf_counter() - start
        size = len(stack) * 2 * SHAPE[0] * SHAPE[1] / 1e6
        print(f"{seconds:.1f} s: {len(stack) / seconds:.1f} frames/s, {size / seconds:.0f} MB/s")
        print(f"resident memory: {peak_mb():.0f} MB at most")


if __name__ == "__main__":
    main()
