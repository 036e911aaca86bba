"""References of cells such as 'B4' (ECMA-376 part 1, 18.18.62) as row and column, and back."""

from __future__ import annotations

import re
from functools import lru_cache

REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")


def cell_position(reference: str) -> tuple[int, int] | None:
    """(row, column) of the reference at the beginning of the text, counted from 0; None when there is none."""
    match = REFERENCE.match(reference)
    return (int(match[2]) - 1, column_index(match[1])) if match else None


@lru_cache(maxsize=20_000)
def column_index(letters: str) -> int:
    """0 for 'A', 26 for 'AA'."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def cell_name(row: int, column: int) -> str:
    """'B4' for the second column of the fourth row."""
    letters, number = "", column + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"
