"""Writes durations in words, for the terminal and the page."""

from __future__ import annotations


def duration(seconds: float, units: tuple[str, str, str] = ("{} s", "{} min", "{} h")) -> str:
    """'40 s', '4 min' or '2 h 10 min'. `units` are the formats of seconds, minutes and hours in another language."""
    in_seconds, in_minutes, in_hours = units
    if seconds < 60:
        return in_seconds.format(round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return in_minutes.format(minutes)
    return f"{in_hours.format(minutes // 60)} {in_minutes.format(minutes % 60)}"
