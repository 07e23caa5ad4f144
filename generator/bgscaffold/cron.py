"""Cron expressions: five fields, minute hour day month weekday."""

import re

from bgscaffold.errors import BadCron

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS: dict[str, tuple[int, int, dict[str, int]]] = {
    "minute": (0, 59, {}),
    "hour": (0, 23, {}),
    "day": (1, 31, {}),
    "month": (1, 12, {name: number for number, name in enumerate(MONTHS, 1)}),
    "weekday": (0, 6, {name: number for number, name in enumerate(DAYS)}),
}
PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?", re.ASCII)


def check(expression: str) -> str:
    """Return a cron expression with single blanks, or refuse it."""
    fields = expression.split()
    if len(fields) != len(FIELDS):
        raise BadCron(expression, f"{len(fields)} fields instead of 5")
    for name, field in zip(FIELDS, fields, strict=True):
        if not all(is_part(part, *FIELDS[name]) for part in field.split(",")):
            raise BadCron(expression, f"{name} {field!r}")
    return " ".join(fields)


def is_part(part: str, lowest: int, highest: int, names: dict[str, int]) -> bool:
    """Tell whether one part of a field means something."""
    found = PART.fullmatch(part)
    if found is None or (found["step"] and not is_step(found, highest)):
        return False
    given = [word for word in (found["first"], found["last"]) if word]
    numbers = [names.get(word.lower(), int(word) if word.isdecimal() else -1) for word in given]
    return numbers == sorted(numbers) and all(lowest <= number <= highest for number in numbers)


def is_step(found: re.Match[str], highest: int) -> bool:
    """Tell whether the step of a part counts through a range, and is not wider than it can be."""
    return (found["first"] is None or found["last"] is not None) and 1 <= int(
        found["step"]
    ) <= highest
