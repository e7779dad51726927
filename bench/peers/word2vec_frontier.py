"""Speed against quality of skip-gram: firth at each setting, and its peers; figures and a picture.

Usage: python bench/peers/word2vec_frontier.py [TEXT --data FOLDER] [--qualities NAME ...]
           [--negatives N ...] [--peer-negatives N ...] [--dim D] [--epochs E] [--tokens N]
           [--repeats R] [--seeds S] [--core C] [--word2vec PROGRAM] [--pword2vec PROGRAM]
           [--psgnscc PROGRAM] [--fasttext PROGRAM]
       python bench/peers/word2vec_frontier.py --draw FILE.json

Speed is words of the text in the vocabulary per CPU second of one thread, on the first N tokens of
TEXT, all in turn, medians. Quality is that of vectors of the whole text, means of S seeds, on the
files in FOLDER. Results go to bench/results/<machine>/word2vec_frontier.json and .png.

Without TEXT, a beginning of the one bundled with the tests is all that is learnt, which shows how
the settings lie in half a minute, and the results go to word2vec_frontier-sample. Without FOLDER
the score is PPMI: how well cosines of the most frequent words agree with those of their rows of
positive pointwise mutual information (Spearman).
"""

import argparse
import itertools
import json
import os
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when BLAS is loaded, so before numpy is

import _word2vec_peers as peers  # noqa: E402
import numpy as np  # noqa: E402
from _measure import in_turn  # noqa: E402
from _results import save  # noqa: E402
from _texts import beginning, bundled  # noqa: E402

import firth  # noqa: E402

QUALITIES = ("fast", "balanced", "careful")
SMALL = 300_000  # tokens of the bundled text
FREQUENT = 300


def measured(ways, job, options):
    """Return the speed of each (trainer, lesson), the vectors having been checked."""
    first = ways[0][1]
    peers.check([trainer for trainer, lesson in ways if lesson == first], job, first)
    tasks = {key: lambda way=way: way[0].epoch(job, way[1]) for key, way in enumerate(ways)}
    spent = in_turn(tasks, options.repeats, warm=False)
    return [len(job.corpus.ids) / seconds for seconds in spent.values()]


def judged(ways, job, options):
    """Yield the scores of each (trainer, lesson), means over the seeds."""
    judge = scored(job, options.data)
    for trainer, lesson in ways:
        lessons = [
            peers.Lesson(**vars(lesson) | {"seed": seed}) for seed in range(1, options.seeds + 1)
        ]
        yield peers.means([judge(trainer.trained(job, each)) for each in lessons])


def scored(job, folder):
    """Return a function from vectors to scores."""
    if folder:
        return lambda emb: peers.scores(emb, folder)
    words = job.corpus.vocabulary.words[:FREQUENT]
    counts = firth.Counts.of(job.corpus, window=peers.SETTINGS["window"], threads=1)
    matrix = counts.ppmi()
    rows = np.zeros((len(words), matrix.columns), np.float32)
    for row, word in zip(rows, words, strict=True):
        at = counts.vocabulary.index[word]
        entries = slice(matrix.indptr[at], matrix.indptr[at + 1])
        row[matrix.indices[entries]] = matrix.data[entries]
    wanted = ranks(peers.cosines(rows))

    def agreement(emb):
        found = ranks(peers.cosines(np.stack([emb[word] for word in words])))
        return {"PPMI": float(np.corrcoef(found, wanted)[0, 1])}

    return agreement


def ranks(values):
    """Return the place of each number among all."""
    return np.argsort(np.argsort(values))


def drawn(report, path):
    """Draw a report, a panel for each score, if there is matplotlib."""
    if not (matplotlib := peers.imported("matplotlib")):
        print("no picture: pip install matplotlib")
        return
    matplotlib.use("Agg")
    plt, ticker = (peers.imported(f"matplotlib.{name}") for name in ("pyplot", "ticker"))
    rows = report["settings"]
    names = list(dict.fromkeys(row["who"] for row in rows))
    panels = rows[0]["scores"]
    figure, axes = plt.subplots(1, len(panels), figsize=(4 + 4 * len(panels), 5), squeeze=False)
    for ax, score in zip(axes[0], panels, strict=True):
        for name in names:
            own = sorted(
                (row for row in rows if row["who"] == name), key=lambda row: row["negative"]
            )
            x = [row["words/s"] / 1e6 for row in own]
            y = [row["scores"][score] for row in own]
            firths = name.startswith("firth")
            ax.plot(x, y, "o-" if firths else "s--", markersize=6 if firths else 5, label=name)
            for row, *at in zip(own, x, y, strict=True):
                ax.annotate(
                    row["negative"], at, textcoords="offset points", xytext=(4, 4), fontsize=7
                )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        ax.set_xlabel("M words/s, one thread")
        ax.set_title(score)
        ax.grid(which="both", alpha=0.25)
    axes[0][0].set_ylabel("score")
    lines = axes[0][0].get_legend_handles_labels()
    figure.legend(*lines, loc="lower center", ncol=min(len(names), 2 + 2 * len(panels)))
    figure.suptitle(
        f"{report['text']}, skip-gram, dim {report['dim']}, {report['epochs']} epochs, "
        f"seeds: {report['seeds']}\nfirth {report['firth']}; numbers are negatives",
        fontsize=10,
    )
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"drawn to {path}")


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", help="default: the text bundled with the tests")
    parser.add_argument("--data", type=Path, help="wordsim/ and analogy/ are in it")
    parser.add_argument("--qualities", nargs="*", default=QUALITIES)
    parser.add_argument("--negatives", type=int, nargs="+", default=[2, 5, 10, 15])
    parser.add_argument("--peer-negatives", type=int, nargs="+", default=[5])
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=2_000_000, help="that speed is measured on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draw", type=Path, metavar="FILE", help="only draw what was saved")
    peers.add_arguments(parser)
    return parser.parse_args()


def main():
    """Check, measure, train, print, write, draw."""
    options = arguments()
    if options.draw:
        drawn(json.loads(options.draw.read_text()), options.draw.with_suffix(".png"))
        return
    cores = peers.pin(options.core)
    text = Path(options.text or bundled()).absolute()
    name = "word2vec_frontier" if options.text else "word2vec_frontier-sample"
    lessons = {
        negative: peers.Lesson(options.dim, negative=negative, epochs=options.epochs)
        for negative in options.negatives + options.peer_negatives
    }
    ours = [peers.Firth(quality=quality) for quality in options.qualities]
    ways = [(who, lessons[negative]) for who, negative in itertools.product(
        ours, options.negatives
    )] + [(who, lessons[negative]) for who, negative in itertools.product(
        peers.peers(options), options.peer_negatives
    )]  # fmt: skip
    print(f"firth {firth.__version__}, {text.name}, dim {options.dim}, one thread, CPU seconds")
    rows = []
    tokens = options.tokens if options.text else min(options.tokens, SMALL)
    with (
        tempfile.TemporaryDirectory(prefix="firth-") as folder,
        beginning(text, tokens) as part,
    ):
        job = peers.Job(Path(part.name), Path(folder))
        rates = measured(ways, job, options)
        whole = peers.Job(text, Path(folder)) if options.text else job
        judgements = judged(ways, whole, options)
        for (who, lesson), rate, found in zip(ways, rates, judgements, strict=True):
            row = {"who": who.name, "negative": lesson.negative, "words/s": round(rate)}
            rows.append({**row, "scores": found})
            shown = "  ".join(f"{key} {value:.4f}" for key, value in found.items())
            print(f"{who.name:<16}{lesson.negative:>3}{rate:>12,.0f}/s  {shown}", flush=True)
    settings = {name: getattr(options, name) for name in ("dim", "epochs", "seeds", "repeats")}
    os.sched_setaffinity(0, cores)  # the results say how many the machine has
    path = save(name, {"firth": firth.__version__, "text": text.name, **settings, "settings": rows})
    print(f"written to {path}")
    drawn(json.loads(path.read_text()), path.with_suffix(".png"))


if __name__ == "__main__":
    main()
