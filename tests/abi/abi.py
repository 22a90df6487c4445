"""The binary interface of libpyicg: functions, constants, and size and place of every member of every struct.

``python tests/abi/abi.py`` prints how the installed pyicg differs from the list beside this file, and fails if it does;
with ``--update`` it writes the list anew. A build tree is looked at with ``--include src/cpp/include --library
build/release/src/cpp/libpyicg.so``. Needs a C compiler (``$CC``, else ``cc``) and ``nm``.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

STORED = Path(__file__).with_name("libpyicg.txt")
HEAD = "# Written by tests/abi/abi.py --update. Structs: offset, size and type of each member, with 8-byte pointers.\n"


def interface(include: Path, library: Path) -> str:
    """Describe the interface of a header and the library that belongs to it, one line per thing."""
    code = plain((include / "pyicg" / "pyicg.h").read_text())
    functions = re.findall(r"PYICG_API ([^;]*?) ?PYICG_NOEXCEPT;", code)
    declared = {re.search(r"(\w+)\(", function).group(1): function for function in functions}  # type: ignore[union-attr]
    exported = set(exports(library))
    if exported != set(declared):
        raise SystemExit(f"{library} and its header differ in {sorted(exported ^ set(declared))}")
    types = re.findall(r"typedef (?!struct \w+ ?\{|enum )([^;]*);", code)
    return "".join(
        f"{line}\n"
        for line in (
            *(f"function {declared[name]}" for name in sorted(declared)),
            *(f"type {text}" for text in types),
            *measured(include, probe(code)),
        )
    )


def plain(header: str) -> str:
    """Return the declarations without comments, directives and line breaks."""
    code = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    code = re.sub(r"^#(?:.*\\\n)*.*$", "", code, flags=re.MULTILINE)
    return re.sub(r"\s+", " ", code)


def exports(library: Path) -> list[str]:
    """Return what a shared library shows."""
    done = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in done.stdout.splitlines()]


def probe(code: str) -> str:
    """Write a C program that prints constants and layouts."""
    lines = ['printf("constant PYICG_ABI_VERSION %lld\\n", (long long)PYICG_ABI_VERSION);']
    for body in re.findall(r"enum \w* ?\{([^}]*)\}", code):
        for name in re.findall(r"PYICG_\w+(?= ?[=,]|\s*$)", body):
            lines.append(f'printf("constant {name} %lld\\n", (long long){name});')
    for struct, body in re.findall(r"typedef struct (\w+) ?\{([^}]*)\}", code):
        lines.append(f'printf("struct {struct} size %zu\\n", sizeof({struct}));')
        for member, kind in (pair for declaration in body.split(";") for pair in members(declaration.strip())):
            where = f"offsetof({struct}, {member}), sizeof((({struct}*)0)->{member})"
            lines.append(f'printf("  %4zu %4zu  {kind} {member}\\n", {where});')
    body = "\n  ".join(lines)
    return f"#include <pyicg/pyicg.h>\n#include <stdio.h>\n\nint main(void) {{\n  {body}\n  return 0;\n}}\n"


def members(declaration: str) -> list[tuple[str, str]]:
    """Return (name, type) of the members of one declaration: ``double a, b[3]``, or one pointer to a function."""
    if callback := re.search(r"\(\*(\w+)\)", declaration):
        return [(callback[1], declaration.replace(callback[0], "(*)"))]
    if not declaration:
        return []
    found = re.fullmatch(r"(.*?[ *])((?:[A-Za-z_]\w*(?:\[\w+\])?(?:, )?)+)", declaration)
    if found is None:
        raise SystemExit(f"a declaration that is not understood: {declaration}")
    kind, names = found[1].strip(), found[2].split(", ")
    return [(name.partition("[")[0], kind + "".join(name.partition("[")[1:])) for name in names]


def measured(include: Path, program: str) -> list[str]:
    """Compile and run a C program."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "probe.c"), Path(folder, "probe")
        source.write_text(program)
        subprocess.run([*compiler, "-std=c99", "-I", include, source, "-o", binary], check=True)
        return subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines()


def installed() -> tuple[Path, Path]:
    """Return header folder and library of the pyicg that this Python imports."""
    from pyicg import _linking

    (library,) = _linking.cmake_dir().parents[1].glob("libpyicg.so.*")
    return _linking.include_dir(), library


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--include", type=Path)
    parser.add_argument("--library", type=Path)
    told = parser.parse_args(arguments)
    if (told.include is None) != (told.library is None):
        parser.error("--include and --library belong together")
    include, library = (told.include, told.library) if told.include else installed()
    found = HEAD + interface(include, library)
    if told.update:
        STORED.write_text(found)
        return 0
    stored = STORED.read_text()
    sys.stdout.writelines(difflib.unified_diff(stored.splitlines(True), found.splitlines(True), "stored", "found", n=0))
    return int(found != stored)


if __name__ == "__main__":
    sys.exit(main())
