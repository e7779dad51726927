"""Counts of company and GloVe: firth, SciPy and the programs of GloVe's authors on the same text.

Usage: python bench/peers/glove.py [TEXT] [--stanford FOLDER] [--only count|train|quality]
           [--rounds R] [--window W ...] [--epochs E] [--epochs-timed N] [--threads T]
           [--data FOLDER] [--seeds S ...] [--stanford-vectors FILE ...] [--save]

FOLDER has the programs vocab_count, cooccur, shuffle and glove. Who is not there is left out;
without TEXT it is the one bundled with the tests.

count: from ids to counts by firth and by SciPy, from text to counts on the disk by firth and by the
programs. All counts must be the same, to 1e-6, before anything is timed. One core, in turn, medians
of CPU seconds; bytes an entry are what a process needs at its peak, beside the ids. Then firth with
memory= a tenth of that, and on several threads, by the clock on the wall.

train: from text to vectors, one run each, with the first window. Of the programs --epochs-timed
epochs are run, less a run of none, and what they would take for all is told.

quality: vectors of firth, trained here with each seed, and of the programs: those in
--stanford-vectors, else trained here, on the files in --data (wordsim/ and analogy/ in it).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import _glove_peers as peers  # noqa: E402
import numpy as np  # noqa: E402
from _measure import imported, in_turn, peak, way  # noqa: E402
from _results import save  # noqa: E402
from _texts import bundled  # noqa: E402

import firth  # noqa: E402

PARTS = ("count", "train", "quality")
SETTINGS = {"dim": 100, "x_max": 100.0, "alpha": 0.75, "lr": 0.05}
PAIRS = {"WordSim-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
LEAST_MEMORY = 16 << 20  # that is asked for, however small the text


def short(value):
    """Return a number with four digits."""
    return float(f"{value:.4g}")


def count(job, options):
    """Measure counting with one window."""
    stanford = peers.Stanford(options.stanford, job) if options.stanford else None
    ours = peers.counted(job, dtype=np.float64)
    wanted, many, tokens = peers.entries(ours), ours.nnz, len(job.corpus.ids)
    memory = {"firth": peak(lambda: peers.counted(job))}
    ways = {"firth": way(lambda: peers.counted(job))}
    if imported("scipy.sparse"):
        peers.check("SciPy", peers.entries(peers.by_scipy(job)), wanted)
        memory["SciPy"] = peak(lambda: peers.by_scipy(job))
        ways["SciPy"] = way(lambda: peers.by_scipy(job))
    ways["firth, text to disk"] = way(lambda: peers.to_disk(job))
    if stanford:
        stanford.vocab_count()
        memory["cooccur"] = stanford.cooccur().peak
        peers.check("cooccur", stanford.entries(), wanted)
        ways["vocab_count"] = lambda: stanford.vocab_count().cpu
        ways["cooccur"] = lambda: stanford.cooccur().cpu
    del ours, wanted
    spent = in_turn(ways, options.rounds, warm=False)
    if stanford:
        spent["both programs"] = spent["vocab_count"] + spent["cooccur"]
    print(f"window {job.window}: {many} entries of {tokens} tokens; firth is: from ids, from text")
    print(f"{'':<22}{'CPU s':>9}{'M tokens/s':>12}{'firth is':>10}{'text':>9}{'bytes':>8}")
    report = {"entries": many}
    for name, seconds in spent.items():
        ids, text = (seconds / spent[first] for first in ("firth", "firth, text to disk"))
        row = {"cpu_s": short(seconds), "tokens/s": short(tokens / seconds)}
        if name in memory:
            row["bytes an entry"] = short(memory[name] / many)
        report[name] = row
        figures = f"{ids:>9.2f}x{text:>8.2f}x{row.get('bytes an entry', ''):>8}"
        print(f"{name:<22}{seconds:>9.2f}{tokens / seconds / 1e6:>12.2f}{figures}", flush=True)
    report["little memory"] = little_memory(job, memory["firth"], options)
    return report


def little_memory(job, usual, options):
    """Measure counting with a tenth of the usual memory, the rest of the work being on the disk."""
    memory = max(usual // 10, LEAST_MEMORY)
    every, other = peers.counted(job), peers.counted(job, memory=memory)
    for name in ("indptr", "indices", "data"):
        if not np.array_equal(getattr(every, name), getattr(other, name)):
            sys.exit(f"glove: with memory={memory} {name} differ")
    del every, other
    tasks = {"all": lambda: peers.counted(job), "little": lambda: peers.counted(job, memory=memory)}
    report = {"bytes": memory, "bytes usually": usual}
    for unit, clock in {
        "CPU seconds": time.process_time,
        "wall seconds": time.perf_counter,
    }.items():
        ways = {name: way(task, clock=clock) for name, task in tasks.items()}
        spent = in_turn(ways, options.rounds, warm=False)
        report[f"times the {unit}"] = ratio = short(spent["little"] / spent["all"])
        print(f"memory={memory}, not {usual}: the same counts in {ratio} times the {unit}")
    return report


def count_by_threads(job, options):
    """Measure by the clock what more threads give."""
    ways = {
        f"{threads} threads": way(
            lambda threads=threads: peers.counted(job, threads), clock=time.perf_counter
        )
        for threads in (1, options.most)
    }
    spent = in_turn(ways, options.rounds, warm=False)
    one, more = spent.values()
    print(f"window {job.window}: {options.most} threads are {one / more:.2f} times as fast as one")
    return {name: short(seconds) for name, seconds in spent.items()}


def train(job, options):
    """Measure from text to vectors, and an epoch."""
    threads, epochs = options.threads, options.epochs
    ticks = peers.trained(job.text, settings(job, options), threads=threads)[1]
    took = np.diff(ticks, axis=0)  # the first has what comes before it, and the last comes after
    epoch = np.median(took[1:epochs], axis=0) if epochs > 1 else took[0]
    rows = {"firth": (ticks[-1] - ticks[0], epoch)}
    report = settings(job, options) | {"threads": threads}
    if options.stanford:
        timed = min(options.epochs_timed or epochs, epochs)
        steps, epoch = peers.Stanford(options.stanford, job).timed(SETTINGS, timed, threads)
        rows["programs"] = sum(steps.values()) + epochs * epoch, epoch
        report["programs, steps"] = {name: short(step[0]) for name, step in steps.items()}
        report["programs, epochs timed"] = timed
        print(f"{timed} of {epochs} epochs of the programs were run, the time of all is reckoned")
    print(f"dim {SETTINGS['dim']}, window {job.window}, {epochs} epochs, {threads} threads")
    print(f"{'':<12}{'CPU s':>10}{'wall s':>10}{'epoch CPU s':>13}{'epoch wall s':>14}")
    for name, (whole, epoch) in rows.items():
        print(f"{name:<12}{whole[0]:>10.1f}{whole[1]:>10.1f}{epoch[0]:>13.2f}{epoch[1]:>14.2f}")
        report[name] = {"cpu_s": short(whole[0]), "wall_s": short(whole[1])}
        report[name] |= {"epoch, cpu_s": short(epoch[0]), "epoch, wall_s": short(epoch[1])}
    if len(rows) > 1:
        clock = 0 if threads == 1 else 1
        whole, epoch = (
            theirs[clock] / mine[clock]
            for mine, theirs in zip(rows["firth"], rows["programs"], strict=True)
        )
        print(f"firth is {whole:.1f} times as fast, an epoch {epoch:.1f} times", flush=True)
    return report


def settings(job, options):
    """Return the settings of GloVe."""
    return SETTINGS | {"epochs": options.epochs, "window": job.window}


def quality(job, options):
    """Evaluate vectors of all seeds."""
    report = settings(job, options)
    counts = firth.Counts.of(job.corpus, window=job.window)
    found = {"firth": [], "programs": []}
    for seed in options.seeds:
        emb = peers.trained(counts, settings(job, options), seed, options.most)[0]
        found["firth"].append(scores(emb, options.data))
        shown(f"firth, seed {seed}", found["firth"][-1])
    paths = options.stanford_vectors
    if not paths and options.stanford:
        stanford = peers.Stanford(options.stanford, job)
        stanford.vocab_count(), stanford.cooccur(), stanford.shuffle()
        for seed in options.seeds:
            stanford.glove(SETTINGS, options.epochs, seed, options.most)
        paths = [job.folder / f"v{seed}.txt" for seed in options.seeds]
    for path in paths:
        found["programs"].append(scores(peers.opened(path), options.data))
        shown(f"programs, {Path(path).name}", found["programs"][-1])
    for name, rows in found.items():
        if not rows:
            continue
        report[name] = {key: short(statistics.mean(row[key] for row in rows)) for key in rows[0]}
        report[name]["seeds"] = len(rows)
        report[f"{name}, each"] = [{key: short(row[key]) for key in row} for row in rows]
        shown(f"{name}, mean of {len(rows)}", {key: report[name][key] for key in rows[0]})
    return report


def scores(emb, folder):
    """Return how well vectors do."""
    result = {
        name: firth.evaluate.word_pairs(emb, folder / "wordsim" / file).spearman
        for name, file in PAIRS.items()
    }
    found = firth.evaluate.analogies(emb, folder / "analogy" / "questions-words.txt", threads=1)
    return {**result, "analogies": found.accuracy}


def shown(name, figures):
    """Print how well vectors do."""
    row = "".join(f"{key:>14} {value:.4f}" for key, value in figures.items())
    print(f"{name:<24}{row}", flush=True)


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", help="default: the text bundled with the tests")
    parser.add_argument("--stanford", type=Path, metavar="FOLDER", help="the programs, built")
    parser.add_argument("--only", choices=PARTS, help="default: all; quality if there is --data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, nargs="+", default=[10, 15])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--epochs-timed", type=int, help="of the programs; default: all")
    parser.add_argument("--threads", type=int, default=1, help="that train; one: on one core")
    parser.add_argument("--core", type=int, help="run on this one; default: the last allowed")
    parser.add_argument("--data", type=Path, help="wordsim/ and analogy/ are in it")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--stanford-vectors", type=Path, nargs="+", metavar="FILE", default=[])
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    options = parser.parse_args()
    if options.only == "quality" and not options.data:
        parser.error("--only quality needs --data")
    usual = PARTS if options.data else PARTS[:2]
    options.parts = (options.only,) if options.only else usual
    return options


def main():
    """Check, measure, print; write only if asked to."""
    options = arguments()
    cores = os.sched_getaffinity(0)
    core = {max(cores) if options.core is None else options.core}
    options.most = max(2, len(cores))
    text = Path(options.text or bundled()).absolute()
    corpus = firth.Corpus.read(text, threads=1)
    print(f"firth {firth.__version__}, {text.name}, {len(corpus.ids)} tokens, ", end="")
    print(f"{len(corpus.vocabulary)} words")
    about = {"text": text.name, "tokens": len(corpus.ids), "words": len(corpus.vocabulary)}
    with tempfile.TemporaryDirectory(prefix="firth-") as name:
        jobs = [peers.Job(text, corpus, Path(name), window) for window in options.window]
        for part in options.parts:
            report = {**about, "rounds": options.rounds} if part == "count" else dict(about)
            if part == "count":
                os.sched_setaffinity(0, core)
                report |= {f"window {job.window}": count(job, options) for job in jobs}
                os.sched_setaffinity(0, cores)
                for job in jobs:
                    report[f"window {job.window}, wall_s"] = count_by_threads(job, options)
            elif part == "train":
                os.sched_setaffinity(0, core if options.threads == 1 else cores)
                report |= train(jobs[0], options)
                os.sched_setaffinity(0, cores)
            else:
                report |= quality(jobs[0], options)
            if options.save:
                print(f"written to {save(f'glove {part}, {text.name}', report)}")


if __name__ == "__main__":
    main()
