"""What the commands share: exit codes and tables of text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["BAD_INPUT", "INTERRUPTED", "REFUSED", "RESEARCH_USE", "aligned"]

RESEARCH_USE = "Research software, not a medical device."
BAD_INPUT = 3
REFUSED = 4
INTERRUPTED = 130


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of one length as text in columns.

    Examples
    --------
    >>> print(aligned([("gain", "0.25"), ("noise", "2")]))
    gain   0.25
    noise  2
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
