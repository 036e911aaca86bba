"""A number of a spreadsheet as its cell shows it: `25`, `3.5%`, `2026-05-01`.

Format codes are those of ECMA-376 part 1, 18.8.31, which older files of Excel use as well. Dates are written with the
year first, so that nobody confuses day and month, and with the parts that the code shows. Other numbers are written as
the code says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

# Codes that files refer to by number only (ECMA-376 part 1, 18.8.30), and those of Chinese Excel (27-36, 50-58).
BUILT_IN: Mapping[int, str] = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 48: "##0.0E+0", 49: "@"},
    **{14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM"},
    **{20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss"},
    **{37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)"},
    **dict.fromkeys((27, 36, 50, 52, 57), "yyyy-mm"),
    **dict.fromkeys((28, 29, 51, 53, 54, 58), "m-d"),
    **dict.fromkeys((30, 31), "yyyy-mm-dd"),
    **dict.fromkeys((32, 34, 55), "h:mm"),
    **dict.fromkeys((33, 35, 56), "h:mm:ss"),
}
_SECTION = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*')
_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[(?P<bracket>[^\]]*)\]|[_*].|(?P<other>.)', re.DOTALL)
# Digits as a code writes them, with optional thousands, decimals and exponent.
_DIGITS = re.compile(r"[0#?][0#?,]*(?:\.[0#?]*,*)?(?:[eE][+-]0+)?|\.[0#?]+")
# Spreadsheets store 15 significant digits.
_EXACT = 1e15
_EPOCH = datetime(1899, 12, 30)
_EPOCH_1904 = datetime(1904, 1, 1)
# The day after the last that a spreadsheet can store, 9999-12-31.
_LAST_DAY = 2_958_466


def format_cell(value: float, code: str = "", *, epoch_1904: bool = False) -> str:
    """The number as text. `code` is its format code, '' for none; a date is a number of days since 1900, or 1904."""
    if is_date(code):
        return _date(value, code, epoch_1904)
    sections = _sections(code)
    if code.strip().lower() in {"", "general", "@"} or not sections:
        return _general(value)
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    text = _with_literals(abs(value), section)
    return f"-{text}" if value < 0 and re.search(r"[1-9]", text) else text


@lru_cache(maxsize=1024)
def is_date(code: str) -> bool:
    """True when the code shows a date or a time: day, month, year, hour or second outside of literal text."""
    if re.search(r"\[(h+|m+|s+)\]", code, re.IGNORECASE):
        return True
    plain = "".join(match["other"] or "" for match in _TOKEN.finditer(code))
    return "general" not in plain.lower() and re.search(r"[dmyhs]", plain, re.IGNORECASE) is not None


@lru_cache(maxsize=1024)
def _sections(code: str) -> list[str]:
    return [match for match in _SECTION.findall(code) if match]


def _general(value: float) -> str:
    if abs(value) < _EXACT and value == int(value):
        return str(int(value))
    return f"{value:.12g}"


def _date(value: float, code: str, epoch_1904: bool) -> str:
    plain = re.sub(r'"[^"]*"|\\.', "", code).lower()
    if not 0 <= value < _LAST_DAY:
        return _general(value)
    elapsed = re.search(r"\[(h+|m+|s+)\]", plain)
    seconds = round((value % 1) * 86400)
    if elapsed:
        return _elapsed(int(value) * 86400 + seconds, elapsed[1][0], plain[elapsed.end() :])
    plain = re.sub(r"\[[^\]]*\]|am/pm|a/p", "", plain)
    if epoch_1904:
        moment = _EPOCH_1904 + timedelta(days=int(value), seconds=seconds)
    else:  # day 1 is 1900-01-01; day 60 is 29 February 1900, which did not exist, as in Lotus 1-2-3
        moment = _EPOCH + timedelta(days=int(value) + (1 if 0 < value < 60 else 0), seconds=seconds)
    clock = "" if not re.search(r"[hs]", plain) else "%H:%M:%S" if "s" in plain and moment.second else "%H:%M"
    if "y" in plain and "d" not in plain:
        day = "%Y-%m"
    elif "d" in plain or "y" in plain or not clock:
        day = "%Y-%m-%d"
    else:
        day = ""
    if value >= 1 and day == "%Y-%m-%d" and clock and not seconds:
        clock = ""
    return moment.strftime(f"{day} {clock}".strip())


def _elapsed(seconds: int, unit: str, smaller_units: str) -> str:
    """A duration in hours, minutes or seconds; `smaller_units` is the part of the code after `unit`."""
    if unit == "s":
        return str(seconds)
    parts = [f"{seconds % 60:02}"] if "s" in smaller_units else []
    if unit == "m":
        return ":".join([str(seconds // 60), *parts])
    return ":".join([str(seconds // 3600), *([f"{seconds // 60 % 60:02}"] if "m" in smaller_units else []), *parts])


def _with_literals(value: float, section: str) -> str:
    """The section of the code filled with digits. Currency signs are text; colours, conditions and padding are not."""
    parts: list[tuple[str, bool]] = []
    for match in _TOKEN.finditer(section):
        if match["quoted"] is not None or match["escaped"] is not None:
            parts.append((match["quoted"] or match["escaped"] or "", False))
        elif match["bracket"] is not None:
            currency = re.match(r"\$([^-]*)", match["bracket"])
            parts.append((currency[1] if currency else "", False))
        elif match["other"] is not None:
            if parts and parts[-1][1]:
                parts[-1] = (parts[-1][0] + match["other"], True)
            else:
                parts.append((match["other"], True))
    code = "".join(text for text, is_code in parts if is_code)
    if "/" in code and "?" in code:  # a fraction is written as a decimal number
        return _general(value)
    places = sum(len(_DIGITS.findall(text)) for text, is_code in parts if is_code)
    if places > 1 and "." not in code:
        return _masked(value, parts)
    value *= 100 ** code.count("%")
    return "".join(_DIGITS.sub(lambda digits: _digits(value, digits[0]), t) if is_code else t for t, is_code in parts)


def _masked(value: float, parts: list[tuple[str, bool]]) -> str:
    """Digits between fixed marks, as in telephone and identity numbers, filled in from the right."""
    width = sum(len(re.findall("[0#?]", text)) for text, is_code in parts if is_code)
    digits = str(round(value)).rjust(width, "0")
    extra, left = digits[: len(digits) - width], iter(digits[len(digits) - width :])
    text = "".join(re.sub("[0#?]", lambda _: next(left), t) if is_code else t for t, is_code in parts)
    return extra + text


def _digits(value: float, code: str) -> str:
    if set(code) <= {"?"} and value == 0:
        return ""
    if "e" in code.lower():
        places = len(re.sub(r"[eE].*", "", code).partition(".")[2])
        return f"{value:.{places}E}"
    # Each comma at the end divides by a thousand.
    whole, _, fraction = code.rstrip(",").partition(".")
    value /= 1000 ** (len(code) - len(code.rstrip(",")))
    if value >= _EXACT:
        return _general(value)
    # Halves are rounded up, as people do; to 15 digits first, because the float 1.005 is slightly less than 1.005.
    exact = Decimal(f"{value:.15g}").quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP)
    integer, _, decimals = f"{exact:f}".partition(".")
    integer = integer.rjust(whole.count("0"), "0") if whole.count("0") > 1 else integer
    if "," in whole:
        integer = re.sub(r"(?<=\d)(?=(\d{3})+$)", ",", integer)
    if integer == "0" and "0" not in whole and decimals.strip("0"):
        integer = ""
    shown = decimals[: fraction.count("0")] + decimals[fraction.count("0") :].rstrip("0")
    return f"{integer}.{shown}" if shown else integer
