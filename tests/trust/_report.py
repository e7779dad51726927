"""What the parts of ``make trust`` have found: a file of rows for each part, and how it is printed.

A part tries something many times (``tried``), and names every time that its promise was not kept
(``failures``). ``figure`` is what was measured meanwhile, such as the worst time.
"""

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("FIRTH_TRUST", ROOT / "build" / "trust"))
_SHOWN = 5  # failures of a row that the table prints


@dataclass
class Row:
    """One line of the table: what was tried, how often, and every time that it failed."""

    what: str
    tried: int
    unit: str = "cases"
    failures: list[str] = field(default_factory=list)
    figure: str = ""

    @property
    def kept(self) -> bool:
        """Whether anything was tried, and nothing failed."""
        return self.tried > 0 and not self.failures


def save(part: str, rows: list[Row], seconds: float) -> None:
    """Keep the rows of a part, print them, and end the process with 1 if a promise was not kept."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {
        "part": part,
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
        "rows": [asdict(row) for row in rows],
    }
    (FOLDER / f"{part}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(table(part, rows))
    if not all(row.kept for row in rows):
        sys.exit(1)


def load(part: str) -> tuple[dict[str, object], list[Row]]:
    """Return what a part has kept: its head and its rows."""
    found = json.loads((FOLDER / f"{part}.json").read_text())
    return found, [Row(**row) for row in found.pop("rows")]


def table(part: str, rows: list[Row]) -> str:
    """Return the rows as lines of text, failures below their row."""
    lines = []
    for row in rows:
        failed = f"{len(row.failures)} failed" if row.failures else "0 failed"
        lines.append(
            f"{part:11} {row.what:44} {row.tried:>12,} {row.unit:11} {failed:>10}  {row.figure}"
        )
        lines += [f"{'':11}   {text[:200]}" for text in row.failures[:_SHOWN]]
    return "\n".join(lines)


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
