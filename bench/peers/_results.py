"""What was measured on this machine: bench/results/<machine>.json, one entry a task."""

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
    """Put a task's result into this machine's file; what other tasks measured stays."""
    name = processor()
    path = FOLDER / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".json")
    FOLDER.mkdir(exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    known["processor"] = name
    known[task] = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        **result,
    }
    path.write_text(_brief(json.dumps(known, indent=2)) + "\n")
    return path


def _brief(text: str) -> str:
    """Put each innermost object of indented JSON on a line of its own."""
    return re.sub(r"\{[^{}\[\]]*\}", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
