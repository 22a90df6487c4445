"""Programs that link pyicg as others would, built in a clean folder from what is installed: the digits of Python.

They are built from the installed package, and from a copy, at another place, of the prefix of a `cmake --install` that
``PYICG_PREFIX`` names.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import pyicg
from pyicg import _capi

REPO = Path(__file__).resolve().parents[2]
SOURCES = REPO / "src"
CONSUMERS = REPO / "tests" / "consumer"


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def told(flag: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pyicg", flag], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


@pytest.fixture(scope="module", params=["package", "prefix"])
def library_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the libraries, with the CMake package and the pkg-config file under it."""
    need("cc", "c++")
    if request.param == "package":
        folder = Path(told("--pkgconfig-dir")).parent
        assert Path(told("--cmake-dir")) == folder / "cmake" / "pyicg"
        assert told("--includes") == "-I" + shlex.quote(str(folder.parent / "include"))
        return folder
    prefix = os.environ.get("PYICG_PREFIX")
    if prefix is None:
        pytest.skip("PYICG_PREFIX names no prefix of a cmake --install")
    moved = tmp_path_factory.mktemp("moved") / "with a space"
    shutil.copytree(prefix, moved, symlinks=True)
    return next(moved.glob("lib*/pkgconfig")).parent


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Folder with the sources of the consumers and nothing else of the repository."""
    return shutil.copytree(CONSUMERS, tmp_path / "consumer")


def frames() -> list[tuple[npt.NDArray[np.uint16], int]]:
    """Return frames with their bits per pixel: a simulated one, and a real one where there are any."""
    section = pyicg.phantom.section_stack(margins_mm=(1.5,), shape=None, n_slices=3)
    found = [(np.ascontiguousarray(section.stack[1], np.uint16), 12)]
    shared = Path(os.environ.get("PYICG_DATA", REPO.parent / "shared" / "data"))
    if shared.is_dir():
        whole = pyicg.read_stack(shared / "spheroids" / "983b_D10_10000_2.tif", axes="CYX", channel=2)[0]
        found.append((whole[200:824, 200:824].astype(np.uint16), 8))
    return found


def expected(pixels: npt.NDArray[np.uint16], bits: int) -> list[str]:
    """Say what a program should print of a frame."""
    profile = pyicg.CameraProfile.identity(pixels.shape, bit_depth=bits)
    score = pyicg.Scorer(profile, shape=pixels.shape, view="section").score(pixels)
    assert len(score.lesions) > 0
    numbers = [
        ("background", score.background.level),
        ("sbr", score.contrast.sbr.value),
        ("focus", score.quality.focus),
        ("lesions", len(score.lesions)),
        *(("thickness", lesion.thickness.value) for lesion in score.lesions),
    ]
    return [f"{name} {value:.17g}" for name, value in numbers]


def check(programs: list[Path], folder: Path) -> None:
    """Compare what programs print of each frame with what Python says, digit by digit."""
    for pixels, bits in frames():
        raw = folder / "frame.raw"
        pixels.tofile(raw)
        height, width = pixels.shape
        for program in programs:
            printed = run(program, raw, str(height), str(width), str(2**bits - 1), cwd=folder)
            assert printed.splitlines() == expected(pixels, bits), program


def check_needs(programs: list[Path]) -> None:
    """Only the program that was linked to the shared library asks for it when it runs."""
    need("readelf")
    for program in programs:
        needed = run("readelf", "-d", program, cwd=program.parent)
        assert ("libpyicg.so.1" in needed) == (program.name == "score_c"), program


def check_camera(program: Path, folder: Path) -> None:
    """A simulated camera that is slow enough for any machine: every frame is scored or counted as dropped."""
    told = run(program, "2", "20", "120", "160", "2", cwd=folder)
    assert "Research software" in told
    numbers = dict(re.findall(r"^(\w+) (\d+)$", told, re.MULTILINE))
    assert int(numbers["scored"]) + int(numbers["dropped"]) == 40
    assert numbers["fluorescent"] == numbers["scored"] != "0"
    assert re.search(r"^latency ms: p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, worst [\d.]+$", told, re.MULTILINE)


def check_soak(program: Path, folder: Path) -> None:
    """Memory does not grow; a sanitizer keeps memory of its own, and is slow."""
    if sys.platform != "linux":
        return
    sanitized = "sanitize" in os.environ.get("CFLAGS", "")
    frames = 1000 if sanitized else 20000
    numbers = dict(re.findall(r"^(\w+) (-?\d+)$", run(program, str(frames), cwd=folder), re.MULTILINE))
    # Of 7 kinds of frames the larger 5 glow, of 10 frames one is refused.
    assert int(numbers["fluorescent"]) == sum(k % 10 != 9 and k % 7 >= 2 for k in range(frames))
    assert sanitized or int(numbers["growth_kb"]) < 1024


def packages() -> Path:
    """Folder of a pyicg that holds capi.pxd: the one that is imported, or of an editable install the source tree."""
    imported = Path(_capi.__file__).parent
    return imported.parent if (imported / "capi.pxd").is_file() else SOURCES


def check_extension(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "score_raw", raising=False)  # of another folder
    score_raw = importlib.import_module("score_raw")
    assert Path(score_raw.__file__ or "").parent == folder
    for pixels, bits in frames():
        assert score_raw.score(pixels, 2.0**bits - 1) == expected(pixels, bits)
    with pytest.raises(RuntimeError, match=r"error_input: .*5000"):
        score_raw.score(np.full((32, 32), 5000, np.uint16), 4095.0)


def test_cmake(library_folder: Path, clean: Path, tmp_path: Path) -> None:
    need("cmake")
    programs = []
    for project in ("cmake", "cmake_c"):
        build = tmp_path / project
        found = f"-Dpyicg_DIR={library_folder / 'cmake' / 'pyicg'}"
        run("cmake", "-S", clean / project, "-B", build, "-DCMAKE_BUILD_TYPE=Release", found, cwd=clean)
        run("cmake", "--build", build, cwd=clean)
        programs += sorted(build.glob("score_*"))
    assert len(programs) == 5
    check(programs, tmp_path)
    check_needs(programs)
    check_camera(tmp_path / "cmake" / "live_camera", tmp_path)
    check_soak(tmp_path / "cmake" / "soak", tmp_path)
    printed = run(tmp_path / "cmake" / "read_score", cwd=tmp_path)
    assert f"```text\n{printed}```" in (REPO / "docs" / "linking.md").read_text()


def test_pkgconfig(library_folder: Path, clean: Path, tmp_path: Path) -> None:
    need("make", "pkg-config")
    folder = clean / "pkgconfig"
    run("make", "all", cwd=folder, PKG_CONFIG_PATH=str(library_folder / "pkgconfig"))
    programs = sorted(folder.glob("score_*"))
    assert len(programs) == 3
    check(programs, tmp_path)
    check_needs(programs)


def test_cython(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extension that links nothing: its functions come from the table of the pyicg that is imported."""
    need("cc")
    folder = clean / "cython"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    run(sys.executable, "-m", "cython", "-3", "-Werror", "-I", packages(), "score_raw.pyx", cwd=folder)
    flags = [*shlex.split(told("--includes")), "-I" + sysconfig.get_path("include")]
    run("cc", "-O1", "-shared", "-fPIC", *flags, "score_raw.c", "-o", f"score_raw{suffix}", cwd=folder)
    check_extension(folder, monkeypatch)


def test_cython_with_setuptools(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same extension as a package: cython finds capi.pxd in pyicg, which names the header's folder."""
    need("cc")
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("no setuptools here")
    assert told("--includes") == "-I" + shlex.quote(pyicg.get_include())
    folder = clean / "cython"
    path = os.pathsep.join(filter(None, [str(packages()), os.environ.get("PYTHONPATH")]))
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=folder, PYTHONPATH=path)
    check_extension(folder, monkeypatch)


def test_a_camera_profile_has_the_names_of_the_c_struct() -> None:
    header = (SOURCES / "cpp" / "include" / "pyicg" / "pyicg.h").read_text()
    body = re.search(r"typedef struct pyicg_profile_data \{(.*?)\} pyicg_profile_data;", header, re.DOTALL)
    assert body is not None
    code = re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.DOTALL)
    members = {name for line in code.split(";") for name in re.findall(r"(\w+)(?:\[\d+\])?\s*(?:,|$)", line.strip())}
    told = pyicg.CameraProfile.identity((2, 3)).core_arguments()
    assert members - {"struct_size", "linearity_table_size"} == set(told)


def test_the_flags_together_and_with_a_command() -> None:
    together = [sys.executable, "-m", "pyicg", "--pkgconfig-dir", "--cmake-dir", "info"]
    printed = subprocess.run(together, capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    assert printed == [told("--cmake-dir"), told("--pkgconfig-dir")]  # and no command is run


@pytest.mark.parametrize(
    ("version", "fits"), [("0.1", True), ("0.1.0", True), ("0.0", False), ("0.2", False), ("1", False)]
)
def test_versions_that_cmake_takes(library_folder: Path, tmp_path: Path, version: str, fits: bool) -> None:
    need("cmake")
    script = tmp_path / "version.cmake"
    file = library_folder / "cmake" / "pyicg" / "pyicg-config-version.cmake"
    major, minor, patch = [*version.split("."), "0", "0"][:3]
    script.write_text(
        f"set(PACKAGE_FIND_VERSION {version})\nset(PACKAGE_FIND_VERSION_MAJOR {major})\n"
        f"set(PACKAGE_FIND_VERSION_MINOR {minor})\nset(PACKAGE_FIND_VERSION_PATCH {patch})\n"
        f'include("{file}")\nif(PACKAGE_VERSION_COMPATIBLE AND NOT PACKAGE_VERSION_UNSUITABLE)\n'
        '  message(STATUS "fits")\nendif()\n'
    )
    assert ("fits" in run("cmake", "-P", script, cwd=tmp_path)) is fits


@pytest.mark.parametrize(("components", "fits"), [("core c c_static", True), ("core cuda", False)])
def test_components_that_cmake_finds(library_folder: Path, tmp_path: Path, components: str, fits: bool) -> None:
    need("cmake")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(sdk LANGUAGES C CXX)\n"
        f"find_package(pyicg 0.1 REQUIRED COMPONENTS {components})\n"
    )
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-Dpyicg_DIR={library_folder / 'cmake' / 'pyicg'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is fits, done.stderr
    assert ("pyicg has no component cuda" in " ".join(done.stderr.split())) is not fits


def test_a_subdirectory_of_a_parent_in_c_alone(clean: Path, tmp_path: Path) -> None:
    """It is linked as C, with the library of C++ named; nothing is compiled here."""
    need("cmake", "make", "cc", "c++")
    project = clean / "subdirectory"
    (project / "pyicg").symlink_to(REPO)
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(sdk LANGUAGES C)\nadd_subdirectory(pyicg)\n"
        "add_executable(score_c ../c/score_raw.c)\ntarget_link_libraries(score_c PRIVATE pyicg::c)\n"
    )
    run("cmake", "-G", "Unix Makefiles", "-S", project, "-B", tmp_path / "build", cwd=tmp_path)
    line = (tmp_path / "build" / "CMakeFiles" / "score_c.dir" / "link.txt").read_text()
    assert re.search(r"libpyicg\.a .*-lstdc\+\+ -lm|libpyicg\.a .*-lc\+\+ -lm", line), line


def test_a_subdirectory_leaves_its_parent_alone(clean: Path, tmp_path: Path) -> None:
    """No install rule, test, flag or variable of pyicg's in the project that adds it; nothing is compiled here."""
    need("cmake", "cc", "c++")
    project = clean / "subdirectory"
    (project / "pyicg").symlink_to(REPO)
    with (project / "CMakeLists.txt").open("a") as file:
        for name in ("CXX_STANDARD", "CXX_VISIBILITY_PRESET", "C_VISIBILITY_PRESET", "POSITION_INDEPENDENT_CODE"):
            file.write(f'if(DEFINED CMAKE_{name})\n  message(SEND_ERROR "CMAKE_{name} leaks")\nendif()\n')
        file.write(
            "get_directory_property(options COMPILE_OPTIONS)\nget_directory_property(definitions COMPILE_DEFINITIONS)\n"
            'if(options OR definitions OR CMAKE_BUILD_TYPE)\n  message(SEND_ERROR "flags leak")\nendif()\n'
            'if(TARGET pyicg_shared)\n  message(SEND_ERROR "a shared library nobody asked for")\nendif()\n'
        )
    build, prefix = tmp_path / "build", tmp_path / "prefix"
    run("cmake", "-S", project, "-B", build, cwd=tmp_path)
    run("cmake", "--install", build, "--prefix", prefix, cwd=tmp_path)
    assert not prefix.exists()
    assert not list(build.rglob("CTestTestfile.cmake"))
    assert not (build / "compile_commands.json").exists()
