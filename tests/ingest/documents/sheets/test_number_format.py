"""Numbers as spreadsheets show them."""

from __future__ import annotations

import pytest

from ingest.documents.sheets.number_format import BUILT_IN, format_cell, is_date


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (25.0, "", "25"),
        (25.5, "General", "25.5"),
        (0.1 + 0.2, "", "0.3"),
        (1e300, "0", "1e+300"),
        (0.035, "0.0%", "3.5%"),
        (0.25, BUILT_IN[9], "25%"),
        (1234567.891, BUILT_IN[4], "1,234,567.89"),
        (-81, "#,##0;(#,##0)", "(81)"),
        (-3.5, "0.0", "-3.5"),
        (-0.001, "0.0", "0.0"),
        (1.005, "0.00", "1.01"),
        (1234.5, "#,##0.##", "1,234.5"),
        (12, "00000", "00012"),
        (1500, '"$"#,##0.00', "$1,500.00"),
        (1500, "[$€-407] #,##0", "€ 1,500"),
        (1500, '#,##0"元"', "1,500元"),
        (35, '0 "days"', "35 days"),
        (3, "[Red]0;[Blue]-0", "3"),
        (0, '_-* #,##0_-;-* #,##0_-;_-* "-"??_-;_-@_-', "-"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (12345678, '0.0,,"M"', "12.3M"),
        (12.5, "# ?/?", "12.5"),
        (0.0001, "0.00E+00", "1.00E-04"),
    ],
)
def test_numbers(value: float, code: str, text: str) -> None:
    """Decimals, thousands, percentages, currencies, units and signs are those of the format code."""
    assert format_cell(value, code) == text


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (46143, "dd/mm/yyyy", "2026-05-01"),
        (46143, '[$-804]yyyy"年"m"月"d"日"', "2026-05-01"),
        (46143, BUILT_IN[31], "2026-05-01"),
        (46143.5, "m/d/yy h:mm", "2026-05-01 12:00"),
        (46143, "mmm-yy", "2026-05"),
        (0.75, "h:mm", "18:00"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (1.75, "[h]:mm", "42:00"),
        (0.5, "[mm]:ss", "720:00"),
        (0.001, "[s]", "86"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-5, "yyyy-mm-dd", "-5"),
        (1e9, "yyyy-mm-dd", "1000000000"),
    ],
)
def test_dates(value: float, code: str, text: str) -> None:
    """Dates are written year first, with the parts that the code shows; values that are no dates stay numbers."""
    assert format_cell(value, code) == text


def test_other_epoch() -> None:
    """Workbooks of old Macs count days from 1904."""
    assert format_cell(44681, "yyyy-mm-dd", epoch_1904=True) == "2026-05-01"


def test_is_date() -> None:
    """Letters in literal text and in colours do not make a code a date."""
    assert is_date("yyyy")
    assert is_date("[mm]:ss")
    assert not is_date('0 "days"')
    assert not is_date("[Red]0")
    assert not is_date("General")
    assert not is_date("0\\d")
