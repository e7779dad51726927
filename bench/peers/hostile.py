"""Bad inputs to firth and its peers: who says what is wrong, who answers wrongly, hangs or crashes.

    python bench/peers/hostile.py [--peers gensim,firth] [--groups training] [--show wrong]
        [--mutations 1000] [--kills 40] [--caps] [--save]

Each case runs in a process of its own with 4 GiB of addresses and 15 s: a fork of one that has
imported the peer. Peers that are not installed are left out. `_hostile_judge` says how answers are
judged, by one rule for all.
"""

import argparse
import importlib
import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version

import _hostile_bin
import _hostile_many
import _hostile_native
import _hostile_search
import _hostile_text
import _hostile_training
from _hostile_judge import VERDICTS, answers
from _measure import imported
from _results import save

PARTS = (_hostile_bin, _hostile_text, _hostile_native, _hostile_training, _hostile_search)
CASES = [case for part in PARTS for case in part.CASES]
GROUPS = tuple(dict.fromkeys(case.group for case in CASES))
PEERS = ("firth", "gensim", "fasttext", "faiss", "usearch", "model2vec")
PACKAGES = {"fasttext": ("fasttext", "fasttext-wheel"), "faiss": ("faiss-cpu",)}


def ways_of(peer):
    """Return {group: way} of a peer and its own format, or nothing if it is not installed."""
    if peer != "firth" and imported(peer) is None:
        return {}, None
    if peer in ("faiss", "usearch", "model2vec"):
        return getattr(importlib.import_module("_hostile_index"), f"{peer}_ways")()
    module = importlib.import_module(f"_hostile_{peer}")
    return module.WAYS, module.OWN


def version_of(peer):
    """Return the version of a peer's package."""
    for name in PACKAGES.get(peer, (peer,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return imported(peer).__version__


def answered(peer, options):
    """Print one line of JSON for every case and count, as this process of one peer."""
    ways, own = ways_of(peer)
    groups = options.groups.split(",")
    if not ways:
        return
    print(json.dumps({"version": version_of(peer)}), flush=True)
    for case in CASES:
        if case.group in groups and case.group in ways:
            for _, found, seconds, words in answers([case], ways):
                line = [case.group, case.name, found, round(seconds, 2), words]
                print(json.dumps(line), flush=True)
    counts = {}
    for group, _, found, _, _ in _hostile_many.mutations(ways, options.mutations):
        counts.setdefault(f"mutations of {group}", Counter())[found] += 1
    if options.kills:
        counts["kills"] = _hostile_many.kills(own, options.kills)
    for case, found, _, _ in _hostile_many.caps(ways) if options.caps else ():
        counts.setdefault(f"memory caps, {case.group}", Counter())[found] += 1
    print(json.dumps({"counts": counts}), flush=True)


def asked(peer, arguments):
    """Return what is known of a peer, and {(group, case): (verdict, seconds, words)}."""
    command = [sys.executable, __file__, *arguments, "--answer", peer]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    known, found = {}, {}
    for line in map(json.loads, filter(lambda one: one[:1] in "[{", done.stdout.splitlines())):
        if isinstance(line, dict):
            known |= line
        else:
            group, name, *rest = line
            found[group, name] = tuple(rest)
    return known, found


def totals(found, group=None):
    """Return how many cases, but those that are none, came to each verdict."""
    counts = Counter(one[0] for (where, _), one in found.items() if group in (None, where))
    return {verdict: counts[verdict] for verdict in VERDICTS}


def broken(found, groups):
    """Return {group: {case: verdict}} of the cases without a right answer or a clear error."""
    bad = {where: one[0] for where, one in found.items() if one[0] not in ("right", "error", "-")}
    by_group = {
        group: {name: verdict for (where, name), verdict in bad.items() if where == group}
        for group in groups
    }
    return {group: some for group, some in by_group.items() if some}


def table(results, groups):
    """Return the totals as lines of text."""
    lines = [f"{'':24} {'peer':10}" + "".join(f"{verdict:>9}" for verdict in VERDICTS)]
    for group in (*groups, None):
        for peer, found in results.items():
            counts = totals(found, group)
            if sum(counts.values()):
                cells = "".join(f"{number or '-':>9}" for number in counts.values())
                lines.append(f"{group or 'all':24} {peer:10}" + cells)
    return "\n".join(lines)


def main():
    """Ask the peers, print what came of it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--show", default="", help="verdicts whose cases are printed, or all")
    parser.add_argument("--mutations", type=int, default=0, help="of each format")
    parser.add_argument("--kills", type=int, default=0, help="of each peer while it saves")
    parser.add_argument("--caps", action="store_true", help="train and search in little memory")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    groups = options.groups.split(",")
    if options.answer:
        answered(options.answer, options)
        return
    results, known = {}, {}
    for peer in options.peers.split(","):
        about, found = asked(peer, sys.argv[1:])
        if about:
            results[peer], known[peer] = found, about
    shown = VERDICTS if options.show == "all" else options.show.split(",")
    for peer, found in results.items():
        for (group, name), (verdict, seconds, words) in found.items():
            if verdict in shown:
                text = " ".join(words.split())[:160]
                print(f"{peer:9} {verdict:8} {seconds:5.1f} s  {group}: {name}: {text}")
    print(table(results, groups))
    print(f"{len(CASES)} cases")
    for peer, about in known.items():
        for what, counts in about["counts"].items():
            print(f"{what:32} {peer:10} " + ", ".join(f"{n} {k}" for k, n in counts.items()))
    if options.save:
        kept = {
            "cases": len(CASES),
            "versions": {peer: about["version"] for peer, about in known.items()},
            "counts": {peer: about["counts"] for peer, about in known.items()},
            "totals": {peer: totals(found) for peer, found in results.items()},
            "groups": {
                group: {peer: totals(found, group) for peer, found in results.items()}
                for group in groups
            },
            "broken": {peer: broken(found, groups) for peer, found in results.items()},
        }
        print(f"kept in {save('hostile', kept)}")


if __name__ == "__main__":
    main()
