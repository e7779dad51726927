"""What was measured on this machine: bench/results/<machine>/<task>.json."""

import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "results"


def processor() -> str:
    """Return the processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def save(task: str, result: dict[str, Any]) -> Path:
    """Write a task's result into this machine's folder; what other tasks measured stays."""
    name = processor()
    path = FOLDER / _slug(name) / f"{_slug(task)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "processor": name,
        "task": task,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        **result,
    }
    path.write_text(_brief(json.dumps(entry, indent=2)) + "\n")
    return path


def _slug(text: str) -> str:
    """Return a text as a file name: what is no letter, digit or _ becomes a hyphen."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")


def _brief(text: str) -> str:
    """Put each innermost object of indented JSON on a line of its own."""
    return re.sub(r"\{[^{}\[\]]*\}", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
