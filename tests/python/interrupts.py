"""Ctrl-C while a command works."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path


def interrupt(*arguments: str | Path) -> None:
    """Run ``pyicg`` on long work, send it SIGINT, and assert exit code 130 and a word instead of a traceback."""
    # A shell that starts the tests in the background has them ignore SIGINT, and their children with them.
    # Large libraries are there before: Python drops an interrupt that comes while it lets go of an import's lock.
    program = (
        "import matplotlib.pyplot, scipy.optimize, scipy.stats, sklearn.linear_model, sklearn.metrics; "
        "import statsmodels.api; "
        "import pyicg.cli, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "print('started', flush=True); pyicg.cli.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            time.sleep(1)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted" in error
    assert "Traceback" not in error
