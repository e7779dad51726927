"""firth and its peers on the same text with the same settings: reading, training, quality.

Usage: python bench/peers/word2vec.py [TEXT] [--parts NAME ...] [--models NAME ...] [--tokens N]
           [--dim D ...] [--repeats R] [--seeds S --data FOLDER] [--core C] [--word2vec PROGRAM]
           [--pword2vec PROGRAM] [--psgnscc PROGRAM] [--fasttext PROGRAM] [--save]

TEXT has lines of at most 10 000 words: gensim leaves out what a longer line has beyond that. Peers
are gensim and the programs named: word2vec.c, pWord2Vec and pSGNScc (they make skip-gram alone) and
fastText, without n-grams. All run on one thread of one core.

Speed is measured on the first N tokens, all in turn, and told as words of the text in the
vocabulary per CPU second; a figure is the median, so that other work on the machine counts as
little as it can. Of a program it is a run of several epochs less a run of one. Before that, vectors
of all must be finite, of the same words, and about as similar to each other.

With --seeds, all are trained on the whole text that many times, five epochs, and evaluated on the
files in FOLDER (wordsim/ and analogy/ in it), analogies among the 30 000 most frequent words.
Programs that take no seed get the text from another line on instead.
"""

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import _word2vec_peers as peers  # noqa: E402
from _measure import in_turn, way  # noqa: E402
from _results import save  # noqa: E402
from _texts import beginning, bundled  # noqa: E402

import firth  # noqa: E402

PARTS = ("reading", "training", "quality")
MODELS = ("skip-gram", "cbow")


def reading(job, rounds):
    """Return the CPU seconds from a file to a vocabulary; firth's ids come with it."""
    ways = {"firth, encoding too": way(lambda: firth.Corpus.read(job.text, threads=1))}
    if peers.imported("gensim"):
        model = peers.Gensim().model(peers.Lesson(dim=1), 1)
        ways["gensim build_vocab"] = way(lambda: model.build_vocab(corpus_file=str(job.text)))
    spent = in_turn(ways, rounds, warm=False)
    size = job.text.stat().st_size
    print(f"reading {size / 1e6:.1f} MB")
    for name, seconds in spent.items():
        print(f"{name:<22}{size / seconds / 1e6:>8.1f} MB/s", flush=True)
    return spent


def training(trainers, job, lesson, rounds):
    """Return the words per CPU second of each trainer, all of whose vectors have been checked."""
    peers.check(trainers, job, lesson)
    ways = {
        trainer.name: lambda trainer=trainer: trainer.epoch(job, lesson) for trainer in trainers
    }
    spent = in_turn(ways, rounds, warm=False)
    return {name: len(job.corpus.ids) / seconds for name, seconds in spent.items()}


def quality(trainers, job, lesson, seeds, folder):
    """Return the scores of each trainer with each seed, trained in turn, with their means."""
    rows = {trainer.name: [] for trainer in trainers}
    for seed, trainer in itertools.product(range(1, seeds + 1), trainers):
        emb = trainer.trained(job, peers.Lesson(**vars(lesson) | {"seed": seed}))
        rows[trainer.name].append(peers.scores(emb, folder))
        shown(f"{trainer.name}, seed {seed}", rows[trainer.name][-1])
    report = {}
    for name, found in rows.items():
        report[name] = {**peers.means(found), "seeds": seeds}
        if seeds > 1:
            errors = {
                key: statistics.stdev(row[key] for row in found) / seeds**0.5 for key in found[0]
            }
            report[name] |= {f"{key}, standard error": error for key, error in errors.items()}
            shown(f"{name}, standard error", errors)
        shown(f"{name}, mean", peers.means(found))
        report[f"{name}, each"] = found
    return report


def shown(name, figures):
    """Print scores."""
    row = "  ".join(f"{key} {value:.4f}" for key, value in figures.items())
    print(f"{name:<28} {row}", flush=True)


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", help="default: the text bundled with the tests")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--data", type=Path, help="wordsim/ and analogy/ are in it")
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    peers.add_arguments(parser)
    options = parser.parse_args()
    if options.seeds and not options.data:
        parser.error("--seeds needs --data")
    return options


def main():
    """Check, measure, print; write only if asked to."""
    options = arguments()
    text = Path(options.text or bundled()).absolute()
    cores = peers.pin(options.core)
    print(f"firth {firth.__version__}, {text.name}, one thread, CPU seconds")
    report = {"text": text.name}
    lessons = [peers.Lesson(dim, name == "cbow") for name in options.models for dim in options.dim]
    with tempfile.TemporaryDirectory(prefix="firth-") as folder:
        with beginning(text, options.tokens) as part:
            job = peers.Job(Path(part.name), Path(folder))
            if "reading" in options.parts:
                report["reading"] = reading(job, options.repeats)
            for lesson in lessons if "training" in options.parts else ():
                trainers = [peers.Firth(), *peers.peers(options, lesson.cbow)]
                rates = training(trainers, job, lesson, options.repeats)
                report[str(lesson)] = {name: round(rate) for name, rate in rates.items()}
                print(f"{lesson!s:<22}{'words/s':>12}{'firth is':>10}")
                for name, rate in rates.items():
                    print(f"{name:<22}{rate:>12,.0f}{rates['firth'] / rate:>9.2f}x", flush=True)
        job = peers.Job(text, Path(folder))
        for lesson in lessons if options.seeds and "quality" in options.parts else ():
            trainers = [peers.Firth(), *peers.peers(options, lesson.cbow)]
            print(f"quality, {lesson}")
            found = quality(trainers, job, lesson, options.seeds, options.data)
            report[f"{lesson}, quality"] = found
    os.sched_setaffinity(0, cores)  # the results say how many the machine has
    if options.save:
        print(f"written to {save('word2vec', report)}")


if __name__ == "__main__":
    main()
