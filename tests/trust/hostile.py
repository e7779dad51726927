"""The bad inputs that are held against firth and its peers, to firth alone.

    python tests/trust/hostile.py [--mutations N] [--kills N]

Each is asked in a process of its own, which must answer with a typed error or the defined result.
``bench/peers/hostile.py`` has the peers beside it.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from trust._cases import CASES, FIRTH, JUDGE, MANY, wanted
from trust._report import Row, save


def main():
    """Ask firth, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=1000, help="of each format")
    parser.add_argument("--kills", type=int, default=40)
    options = parser.parse_args()
    begun = time.monotonic()
    rows: dict[str, Row] = {}

    def told(what, unit, sound, name, found, seconds, words):
        row = rows.setdefault(what, Row(what, 0, unit))
        row.tried += 1
        if found not in sound:
            row.failures.append(f"{name}: {found} in {seconds:.1f} s: {words}")

    for case, *found in JUDGE.answers(CASES, FIRTH.WAYS):
        told(case.group, "cases", wanted(case), case.name, *found)
    for group, seed, *found in MANY.mutations(FIRTH.WAYS, options.mutations):
        # What has no checksums may be changed into another file that is as good as the first.
        sound = ("error", "ignored") if group == MANY.OWN else ("error", "ignored", "wrong")
        told(f"{group}, damaged", "mutations", sound, f"mutation {seed}", *found)
    for case, *found in MANY.caps(FIRTH.WAYS):
        told(f"{case.group} in little memory", "bounds", ("right", "error"), case.name, *found)
    ends = MANY.kills(FIRTH.OWN, options.kills)
    lost = ["neither the old vectors nor the new"] * ends["lost"]
    rows["kills"] = Row("killed while it saves", sum(ends.values()), "kills", lost)
    save("hostile", list(rows.values()), time.monotonic() - begun)


if __name__ == "__main__":
    main()
