"""The lines as a table that a terminal and a page show alike."""

from .bars import Line

HEAD = ("must", "what", "figure", "bar", "passed")


def text(lines: list[Line]) -> str:
    rows = [HEAD, *(_cells(line) for line in lines)]
    # The last column ends the line.
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    shown = [_row(row, widths) for row in rows]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|---|")
    return "\n".join([*shown, "", summary(lines)])


def summary(lines: list[Line]) -> str:
    passed, failed = (sum(line.passed is value for line in lines) for value in (True, False))
    return f"{passed} reached, {failed} missed."


def _cells(line: Line) -> tuple[str, ...]:
    passed = {True: "yes", False: "NO", None: ""}[line.passed]
    cells = (str(line.must), line.what, line.figure, line.bar, passed)
    return tuple(" ".join(cell.split()).replace("|", "/") for cell in cells)


def _row(row: tuple[str, ...], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(row, widths)]
    return "| " + " | ".join([*padded, row[-1]]) + " |"
