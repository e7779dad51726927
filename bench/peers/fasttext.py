"""Words made of n-grams, firth and its peers: hashing, unseen words, training, quality.

Usage: python bench/peers/fasttext.py [TEXT] [--parts NAME ...] [--rounds R] [--driver PROGRAM]
           [--tokens N] [--original] [--quality FILE ... --data FOLDER] [--save]

TEXT has lines of at most 10 000 words; without one it is the text bundled with the tests. Peers are
gensim, the Python modules of fasttext and floret, and the original program ($FASTTEXT or PATH);
those that are not installed are left out. As that program cannot be asked for hashing alone, a
small driver over its sources can: PROGRAM WORDS ROUNDS MINN MAXN BUCKETS IDS writes the ids of the
words of a file (int32) and prints the CPU seconds of each round.

All run on one thread of one core, in turn, and figures are medians of CPU seconds, so that other
work on the machine counts as little as it can. Ids must be equal and vectors must agree to 1e-6
before anything is timed. Training is told as words of the text in the vocabulary per CPU second:
of firth all of `fit` on a Corpus already read, which begins its tables and makes all vectors in the
end, of gensim `train` after `build_vocab`, of the program (--original) one epoch less none.
--quality evaluates embeddings that were saved, on the files in FOLDER (wordsim/ and analogy/ in
it); TEXT is what they were trained on.
"""

import argparse
import os
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import _fasttext_peers as peers  # noqa: E402
from _fasttext_quality import quality  # noqa: E402
from _measure import in_turn  # noqa: E402
from _results import save  # noqa: E402
from _texts import beginning, bundled  # noqa: E402

import firth  # noqa: E402

PARTS = ("hashing", "unseen", "training")
SETTINGS = {"window": 5, "negative": 5, "sample": 1e-3, "min_count": 5, "lr": 0.025}


def shown(spent, work, unit):
    """Print and return rates, and how many times firth's first way is faster than each."""
    rates = {name: work / seconds for name, seconds in spent.items()}
    first = next(iter(rates.values()))
    print(f"{'':<22}{unit + '/s':>16}{'firth is':>10}")
    for name, rate in rates.items():
        print(f"{name:<22}{rate:>16,.0f}{first / rate:>9.2f}x", flush=True)
    return {f"{name}, {unit}/s": round(rate, 1) for name, rate in rates.items()}


def hashing(vocabulary, rule, options):
    """Measure from words to ids."""
    words, report = vocabulary.words, {"words": len(vocabulary.words)}
    with tempfile.TemporaryDirectory(prefix="firth-") as name:
        folder = Path(name)
        for ways, ids in (
            peers.hashing(words, rule, folder, options.driver),
            peers.hashing_as_floret(words, rule, folder),
        ):
            print(f"hashing {len(words)} words to {ids} ids")
            report |= shown(in_turn(ways, options.rounds), ids, "n-grams")
    return report


def unseen(vocabulary, rule, options):
    """Measure from words never seen to vectors."""
    words = peers.misspelt(vocabulary.words, options.words)
    with tempfile.TemporaryDirectory(prefix="firth-") as name:
        path = Path(name, "model.bin")
        peers.written(vocabulary, rule, options.dim, path)
        ways = peers.unseen(path, words)
        path.unlink()
    print(f"vectors of {len(words)} unseen words, dim {options.dim}, {rule.buckets} buckets")
    report = shown(in_turn(ways, options.rounds), len(words), "words")
    return {"words": len(words), "dim": options.dim, **report}


def training(text, rule, options):
    """Measure one epoch of skip-gram."""
    settings = {"dim": options.dim, **SETTINGS}
    with beginning(text, options.tokens) as part:
        ways, words = peers.training(part.name, rule, settings)
        print(f"one epoch of skip-gram, {words} words, dim {options.dim}, {rule.buckets} buckets")
        spent = in_turn(ways, options.rounds, warm=False)
        if options.original and (seconds := peers.original(part.name, rule, settings)):
            spent["fastText, epoch"] = seconds
    return {"words": words, "dim": options.dim, **shown(spent, words, "words")}


def evaluated(text, options):
    """Evaluate embeddings that were saved."""
    vocabulary = firth.Corpus.read(text, threads=1).vocabulary
    counts = dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))
    report = []
    for path in options.quality:
        scores = quality(path, options.data, counts)
        report.append({"who": Path(path).name, **scores})
        figures = "  ".join(
            f"{name} {value:.4f}" if isinstance(value, float) else f"({value})"
            for name, value in scores.items()
        )
        print(f"{Path(path).name:<18} {figures}", flush=True)
    return report


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", help="default: the text bundled with the tests")
    parser.add_argument("--parts", nargs="*", choices=PARTS, help=f"default: {' '.join(PARTS)}, "
                        "but none with --quality")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, help="run on this one; default: the last allowed")
    parser.add_argument("--driver", help="of the hashing of fastText's C++ sources")
    parser.add_argument("--min-n", type=int, default=3)
    parser.add_argument("--max-n", type=int, default=6)
    parser.add_argument("--buckets", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--words", type=int, default=20_000, help="that were never seen")
    parser.add_argument("--tokens", type=int, default=3_000_000, help="to train on")
    parser.add_argument("--original", action="store_true", help="train with the program, too")
    parser.add_argument("--quality", nargs="+", metavar="FILE", default=[],
                        help="what firth reads, or .npz (keys, vectors, words)")  # fmt: skip
    parser.add_argument("--data", type=Path, help="wordsim/ and analogy/ are in it")
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    options = parser.parse_args()
    if options.quality and not options.data:
        parser.error("--quality needs --data")
    if options.parts is None:
        options.parts = () if options.quality else PARTS
    return options


def main():
    """Check, measure, print; write only if asked to."""
    options = arguments()
    core = max(os.sched_getaffinity(0)) if options.core is None else options.core
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    firth.set_num_threads(1)
    text = options.text or bundled()
    rule = firth.Subwords(options.min_n, options.max_n, options.buckets)
    print(f"firth {firth.__version__}, one thread, CPU seconds; {rule}")
    report = {"rounds": options.rounds, "text": Path(text).name}
    vocabulary = None
    if set(options.parts) & {"hashing", "unseen"}:
        vocabulary = firth.Corpus.read(text, threads=1).vocabulary
    if "hashing" in options.parts:
        report["hashing"] = hashing(vocabulary, rule, options)
    if "unseen" in options.parts:
        report["unseen"] = unseen(vocabulary, rule, options)
    if "training" in options.parts:
        report["training"] = training(text, rule, options)
    if options.quality:
        report["quality"] = evaluated(text, options)
    os.sched_setaffinity(0, cores)  # the results say how many the machine has
    if options.save:
        name = f"fasttext {rule.min_n}..{rule.max_n}, {rule.buckets} buckets"
        print(f"written to {save(name, report)}")


if __name__ == "__main__":
    main()
