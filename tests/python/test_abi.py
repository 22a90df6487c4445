"""The binary interface of the installed C library is the stored one."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pyicg
from pyicg import _linking

from .scripts import load

FOLDER = Path(__file__).parents[1] / "abi"


@pytest.fixture(scope="module")
def abi() -> ModuleType:
    for tool in ("cc", "nm"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        pytest.skip("the stored list is of Linux with 8-byte pointers")
    return load("abi", FOLDER)


def installed(abi: ModuleType) -> tuple[Path, Path]:
    try:
        found: tuple[Path, Path] = abi.installed()
    except pyicg.PyicgError as error:
        pytest.skip(str(error))
    return found


def test_the_binary_interface_is_the_stored_one(abi: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    include, library = installed(abi)
    differs = abi.main(["--include", str(include), "--library", str(library)])
    assert not differs, capsys.readouterr().out + "If that is meant: python tests/abi/abi.py --update"


PRINTS_OR_ENDS = re.compile(
    r"^(abort|_?exit|quick_exit|raise|kill|signal|sigaction|[fvsd]?printf|v?fprintf|puts|fputs|putc\w*|fwrite|write|"
    r"perror|std(in|out|err)|getenv|setenv|f?open|fopen64|dlopen|system|time|rand|srand|setlocale|__assert_fail|"
    r"_ZSt4c(out|err|log))(@|$)"
)


def test_the_library_prints_nothing_ends_nothing_and_looks_nowhere(abi: ModuleType) -> None:
    _, library = installed(abi)
    done = subprocess.run(["nm", "-D", "--undefined-only", library], check=True, capture_output=True, text=True)
    wanted = [line.split()[-1] for line in done.stdout.splitlines()]
    assert len(wanted) > 50
    assert [name for name in wanted if PRINTS_OR_ENDS.match(name)] == []


def test_what_the_library_keeps_between_calls(abi: ModuleType) -> None:
    """The pool of threads, the instruction set in use, and a table of constants: no other variable is written to."""
    _, library = installed(abi)
    archive = library.parent / "libpyicg.a"
    done = subprocess.run(["nm", "-C", "-f", "sysv", archive], check=True, capture_output=True, text=True)
    rows = [[cell.strip() for cell in line.rsplit("|", 6)] for line in done.stdout.splitlines() if line.count("|") > 5]
    written_to = re.compile(r"\.t?(bss|data)\b(?!\.rel\.ro)|\*COM\*")
    places = {row[0] for row in rows if written_to.match(row[-1]) and row[3] not in ("SECTION", "NOTYPE")}
    variables = {name for name in places if not name.startswith("DW.ref.")}  # where an exception's type is found
    assert {name.replace("(anonymous namespace)", "") for name in variables} == {
        "pyicg::::process_pool",
        "pyicg::::ProcessPool::memory_",
        "pyicg::::in_use()::set",
        "guard variable for pyicg::::in_use()::set",
        "pyicg::detail::normal_table()::table",
        "guard variable for pyicg::detail::normal_table()::table",
    }


def test_what_the_list_is_read_from(abi: ModuleType) -> None:
    code = abi.plain("/* no; */ #define X 1\n#define Y \\\n 2\ntypedef struct a { double b, c[3]; const char* d; } a;")
    assert "Y" not in code
    assert abi.members("double b, c[3]") == [("b", "double"), ("c", "double[3]")]
    assert abi.members("const char* d") == [("d", "const char*")]
    assert abi.members("void (*log)(void* user, int level)") == [("log", "void (*)(void* user, int level)")]
    with pytest.raises(SystemExit, match="not understood"):
        abi.members("int bits : 3")
    assert "offsetof(a, c), sizeof(((a*)0)->c)" in abi.probe(code)


def test_the_error_where_the_files_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pyicg, "__path__", [str(tmp_path)])
    for where in (_linking.include_dir, _linking.cmake_dir, _linking.pkgconfig_dir):
        with pytest.raises(pyicg.PyicgError, match=r"was not installed; `pip install \.`"):
            where()
