"""firth and the program fastText on the same labelled texts with the same settings, in one run.

Usage: python bench/peers/classification.py --data FOLDER [--task NAME ...] [--repeats R] [--save]

FOLDER holds cooking/ (cooking.train.gz, cooking.valid.gz) and sst2/ (train.tsv, dev.tsv). The
program is $FASTTEXT or the `fasttext` on PATH. Both train with one thread and a new seed in each
repeat, in turn; seconds are CPU seconds, medians, so that other work on the machine counts as
little as it can. "whole" is from the text to a classifier (the program also writes it to a file),
"epoch" one epoch alone. P@1 is the mean over the seeds.
"""

import argparse
import gzip
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from _results import save

import firth

TASKS = {
    "cooking softmax": ("cooking", {"lr": 1.0, "epochs": 25, "word_ngrams": 2}),
    "cooking ova": ("cooking", {"lr": 0.5, "epochs": 25, "word_ngrams": 2, "loss": "ova"}),
    "cooking hs": ("cooking", {"lr": 1.0, "epochs": 25, "word_ngrams": 2, "loss": "hs"}),
    "cooking lowercase": ("lowercase", {"lr": 1.0, "epochs": 25, "word_ngrams": 2}),
    "cooking characters": ("lowercase", {"lr": 0.5, "epochs": 5, "min_n": 3, "max_n": 5}),
    "sst2 softmax": ("sst2", {"lr": 0.2, "epochs": 20, "word_ngrams": 2}),
}
FLAGS = {"epochs": "epoch", "word_ngrams": "wordNgrams", "min_n": "minn", "max_n": "maxn"}


def prepared(data, folder):
    """Write train and test files of each text in the label format; return their paths."""
    for name, parts in {"train": "train", "test": "valid"}.items():
        packed = (data / "cooking" / f"cooking.{parts}.gz").read_bytes()
        text = gzip.decompress(packed).decode()
        (folder / f"cooking.{name}").write_text(text)
        apart = re.sub(r"([.!?,'/()])", r" \1 ", text).lower()  # as the program's tutorial does
        (folder / f"lowercase.{name}").write_text(apart)
    for name, parts in {"train": "train", "test": "dev"}.items():
        rows = (data / "sst2" / f"{parts}.tsv").read_text().splitlines()
        lines = [f"__label__{label} {text}\n" for text, label in (row.split("\t") for row in rows)]
        (folder / f"sst2.{name}").write_text("".join(lines))


def ours(folder, text, settings, seed):
    """Return CPU seconds from text to classifier and of an epoch, and P@1."""
    ends, start = [], time.process_time()
    model = firth.FastTextClassifier(threads=1, seed=seed, **settings).fit(
        folder / f"{text}.train", callback=lambda *_: ends.append(time.process_time())
    )
    spent = time.process_time() - start
    epoch = (ends[-1] - ends[0]) / (len(ends) - 1)
    return spent, epoch, model.test(folder / f"{text}.test").precision


def theirs(program, folder, text, settings, seed):
    """Return the same of the program; an epoch is what the others take, by a run of one epoch."""
    whole, precision = run(program, folder, text, settings, seed)
    one, _ = run(program, folder, text, {**settings, "epochs": 1}, seed)
    return whole, (whole - one) / (settings["epochs"] - 1), precision


def run(program, folder, text, settings, seed):
    """Return CPU seconds of the program and P@1."""
    flags = [x for k, v in settings.items() for x in (f"-{FLAGS.get(k, k)}", str(v))]
    model = folder / "model"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [program, "supervised", "-input", folder / f"{text}.train", "-output", model,
         "-thread", "1", "-seed", str(seed), "-verbose", "0", *flags],
        check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    command = [program, "test", f"{model}.bin", folder / f"{text}.test"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return spent, float(re.search(r"P@1\s+(\S+)", printed)[1])


def measured(program, folder, text, settings, repeats):
    """Return the figures of both."""
    runs = {"firth": ours, "fastText": lambda *rest: theirs(program, *rest)}
    found = {name: [] for name in runs}
    for seed in range(1, repeats + 1):
        for name, one in runs.items():
            found[name].append(one(folder, text, settings, seed))
    report = {}
    for name, rows in found.items():
        whole, epoch, precision = zip(*rows, strict=True)
        report[name] = {
            "whole": round(statistics.median(whole), 3),
            "epoch": round(statistics.median(epoch), 4),
            "P@1": round(statistics.mean(precision), 4),
            "lowest P@1": round(min(precision), 4),
            "highest P@1": round(max(precision), 4),
        }
    return report


def main():
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    options = parser.parse_args()
    program = os.environ.get("FASTTEXT") or shutil.which("fasttext")
    if program is None:
        raise SystemExit("bench/peers/classification.py needs the program fasttext: set $FASTTEXT")
    print(f"firth {firth.__version__} and {program}, one thread, CPU seconds")
    print(f"{'task':<20} {'':<9} {'whole':>8} {'epoch':>8} {'P@1':>7}")
    report = {}
    with tempfile.TemporaryDirectory(prefix="firth-") as name:
        folder = Path(name)
        prepared(options.data, folder)
        for task in options.task:
            text, settings = TASKS[task]
            report[task] = measured(program, folder, text, settings, options.repeats)
            for who, row in report[task].items():
                figures = f"{row['whole']:>8.2f} {row['epoch']:>8.3f} {row['P@1']:>7.4f}"
                print(f"{task:<20} {who:<9} {figures}", flush=True)
    if options.save:
        print(f"written to {save('classification', report)}")


if __name__ == "__main__":
    main()
