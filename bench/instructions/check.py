"""Count the instructions of each stage under callgrind and compare them with those on record.

Times of a shared machine come and go; the number of instructions of one build on one input does not. It says nothing of
caches or of vector width, but a loop that is run twice or no longer becomes vector instructions shows.

    cmake --preset release && cmake --build --preset release --target instruction_stages
    python bench/instructions/check.py build/release            # --update writes counts.txt
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

COUNTS = Path(__file__).with_name("counts.txt")
TOLERANCE = 0.03


def count(program: Path) -> tuple[str, dict[str, int]]:
    """Return the compiler that built the program and the instructions of each of its stages."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        # Setting up lies outside the stages and is not counted.
        options = ["--tool=callgrind", "--toggle-collect=stage_*", f"--callgrind-out-file={out}"]
        compiler = _run("valgrind", *options, str(program)).splitlines()[0]
        listing = _run("callgrind_annotate", "--inclusive=yes", "--threshold=100", str(out))
    found = re.findall(r"^ *([\d,]+) .*:stage_(\w+)", listing, re.MULTILINE)
    return compiler, {stage: int(number.replace(",", "")) for number, stage in sorted(found, key=lambda pair: pair[1])}


def _run(*command: str) -> str:
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stdout}{run.stderr}")
    return run.stdout


def read() -> tuple[str, dict[str, int]]:
    """Return the compiler and the counts on record."""
    lines = [line for line in COUNTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return lines[0], {name: int(number) for name, number in (line.split() for line in lines[1:])}


def write(compiler: str, counts: dict[str, int]) -> None:
    lines = [
        "# Instructions of one frame of 160 x 192 pixels, baseline kernels, release build, by callgrind: see check.py.",
        compiler,
        *(f"{stage:20} {number:12}" for stage, number in counts.items()),
    ]
    COUNTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("build", type=Path, help="folder of a release build with the target instruction_stages")
    parser.add_argument("--update", action="store_true", help="put what is counted on record")
    arguments = parser.parse_args()
    program = arguments.build / "bench" / "instructions" / "instruction_stages"
    if not program.exists():
        raise SystemExit(f"no {program}; build the target instruction_stages in release mode first")
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 0
    compiler = _run(str(program)).splitlines()[0]
    if not arguments.update and compiler != read()[0]:
        print(f"skipped: built by {compiler}, the counts on record are of {read()[0]}; --update makes new ones")
        return 0
    compiler, counts = count(program)
    expected = read()[1] if COUNTS.exists() else {}
    off = []
    for stage, number in counts.items():
        change = number / expected[stage] - 1 if stage in expected else None
        print(f"{stage:20} {number:12}  {'new' if change is None else f'{change:+.1%}'}")
        if change is None or abs(change) > TOLERANCE:
            off.append(stage)
    if arguments.update:
        write(compiler, counts)
        return 0
    missing = sorted(expected.keys() - counts.keys())
    if off or missing:
        print(f"off by more than {TOLERANCE:.0%}: {', '.join(off + missing)}; if that is meant, run with --update")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
