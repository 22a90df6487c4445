"""A margin model as a JSON file: schema, version, content, and a digest that tells when somebody edited it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyicg.errors import InputError

__all__ = ["digest_of", "read_model", "write_model"]


def write_model(path: str | Path, schema: str, version: int, content: Mapping[str, Any]) -> Path:
    """Write a model under a temporary name, then rename it; return the path.

    Raises
    ------
    InputError
        The file cannot be written, or `content` holds what JSON cannot.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        sealed = {"schema": schema, "schema_version": version, "content": content}
        text = json.dumps({**sealed, "digest": digest_of(schema, version, content)}, indent=1, allow_nan=False) + "\n"
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except (OSError, TypeError, ValueError) as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write the model to {target}: {error}; choose a file you may write to") from error
    return target


def read_model(path: str | Path, schema: str, version: int) -> dict[str, Any]:
    """Return the content of a model file that `write_model` wrote under this schema and version.

    Raises
    ------
    InputError
        The file cannot be read, is another schema or version, or does not fit its digest.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        digest, content = found.pop("digest"), found["content"]
        named = (found["schema"], found["schema_version"])
        if not isinstance(content, dict):
            raise TypeError("its content is no mapping")
        whole = digest_of(*named, content) == digest
    except (OSError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no model file ({error}); give a file that the model's save wrote") from error
    if named != (schema, version):
        raise InputError(f"{path} has schema {named}, expected {(schema, version)}; save the model again")
    if not whole:
        raise InputError(f"{path} does not fit its digest: it was edited or damaged; restore or save it again")
    return content


def digest_of(schema: str, version: int, content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: keys sorted, no blanks, floats by their shortest exact form."""
    sealed = {"schema": schema, "schema_version": version, "content": content}
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
