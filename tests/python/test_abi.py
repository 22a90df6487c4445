"""The binary interface of the installed C library is the stored one."""

from __future__ import annotations

import shutil
import struct
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


def test_the_binary_interface_is_the_stored_one(abi: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        include, library = abi.installed()
    except pyicg.PyicgError as error:
        pytest.skip(str(error))
    differs = abi.main(["--include", str(include), "--library", str(library)])
    assert not differs, capsys.readouterr().out + "If that is meant: python tests/abi/abi.py --update"


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
