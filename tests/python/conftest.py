from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images that nobody here made; tests that need it skip where it is absent."""
    told = os.environ.get("PYICG_DATA")
    folder = Path(told) if told else Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set PYICG_DATA to the folder that holds them")
    return folder
