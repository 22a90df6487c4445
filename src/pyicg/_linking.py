"""Where the package's C and C++ files lie: headers, libraries, CMake package, pkg-config file."""

from __future__ import annotations

from pathlib import Path

import pyicg
from pyicg.errors import PyicgError

__all__ = ["cmake_dir", "get_include", "include_dir", "pkgconfig_dir"]


def get_include() -> str:
    """Return the folder that holds ``pyicg/pyicg.h``, for the include path of an extension that calls pyicg from C.

    Returns
    -------
    str
        The folder that ``python -m pyicg --includes`` names as well.

    Raises
    ------
    PyicgError
        When this pyicg was not installed, but is imported from a source tree.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pyicg
    >>> Path(pyicg.get_include(), "pyicg", "pyicg.h").is_file()
    True
    """
    return str(include_dir())


def include_dir() -> Path:
    """Return the folder for the compiler's ``-I``."""
    return _holding("include/pyicg/pyicg.h").parent.parent


def cmake_dir() -> Path:
    """Return the folder that CMake knows as ``pyicg_DIR``."""
    return _holding("lib/cmake/pyicg/pyicg-config.cmake").parent


def pkgconfig_dir() -> Path:
    """Return the folder for ``PKG_CONFIG_PATH``."""
    return _holding("lib/pkgconfig/pyicg.pc").parent


def _holding(name: str) -> Path:
    # An editable install has two places: the source tree, and the one with what was compiled.
    for folder in pyicg.__path__:
        path = Path(folder, name).resolve()
        if path.is_file():
            return path
    raise PyicgError(
        f"{Path(name).name} is not in {', '.join(pyicg.__path__)}: this pyicg was not installed; "
        "`pip install .` in its source tree puts the C and C++ files in place"
    )
