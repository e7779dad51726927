"""What ``make trust`` does: every campaign, one after the other, then the table of what they found.

``table.py [PART ...]`` runs some parts; ``--print`` only prints what was found last; ``--save``
keeps it in bench/results. It ends with 1 if any promise was broken or a part has tried nothing.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parents[2] / "bench" / "peers"))

from trust._report import ROOT, load, table

HERE = Path(__file__).parent
# Part -> what runs it, and what it promises.
PARTS = {
    "fuzz-cpp": [HERE / "fuzz_cpp.py"],
    "fuzz": [HERE / "fuzz.py"],
    "address": [HERE / "sanitize.py", "address"],
    "thread": [HERE / "sanitize.py", "thread"],
    "valgrind": [HERE / "valgrind.py"],
    "kills": [HERE / "kills.py"],
    "faults": [HERE / "faults.py"],
    "interrupts": [HERE / "interrupts.py"],
    "arithmetic": [HERE / "arithmetic.py"],
    "hostile": [HERE / "hostile.py"],
    "soak": [HERE / "soak.py"],
}


def run(parts: list[str]) -> None:
    """Run parts one after the other; what one finds does not keep the next from running."""
    for part in parts:
        print(f"--- {part}", flush=True)
        subprocess.run([sys.executable, *map(str, PARTS[part])], cwd=ROOT, check=False)


def show(parts: list[str]) -> tuple[bool, dict[str, object]]:
    """Print the table; return whether all promises were kept, and all that it says."""
    kept, found = True, {}
    for part in parts:
        try:
            head, rows = load(part)
        except FileNotFoundError:
            print(f"{part:11} has not run")
            kept = False
            continue
        print(table(part, rows))
        kept = kept and all(row.kept for row in rows)
        found[part] = {
            **head,
            "rows": [{**vars(row), "failures": len(row.failures)} for row in rows],
        }
    return kept, found


def main() -> None:
    """Do what the flags say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--print", action="store_true", help="run nothing")
    parser.add_argument("--save", action="store_true", help="keep the table in bench/results")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    if not options.print:
        run(parts)
    kept, found = show(parts)
    if options.save:
        from _results import save

        print(f"saved as {save('trust', found)}")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
