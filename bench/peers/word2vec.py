"""firth and gensim on the same text with the same settings: reading, training, quality, in one run.

Usage: python bench/peers/word2vec.py TEXT [--tokens N] [--dim D ...] [--repeats R]
           [--seeds S --data FOLDER] [--save]

TEXT has lines of at most 10 000 words: gensim leaves out what a longer line has beyond that. Speed
is measured on its first N tokens, one thread, firth and gensim in turn; a figure is the median of
the CPU seconds, so that other work on the machine counts as little as it can. With --seeds, both
are trained on the whole text that many times and evaluated on the files in FOLDER (wordsim/ and
analogy/ in it), analogies among the 30 000 most frequent words.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

from _results import save
from _texts import beginning, bundled

import firth

try:
    import gensim
    from gensim.models import Word2Vec as Gensim
except ImportError as error:
    raise SystemExit("bench/peers/word2vec.py needs gensim: pip install gensim") from error

SETTINGS = {"window": 5, "negative": 5, "sample": 1e-3, "min_count": 5}
PAIRS = {"WordSim-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}


def seconds(task):
    """CPU seconds of this process, and what the task returned."""
    start = time.process_time()
    result = task()
    return time.process_time() - start, result


def in_turn(repeats, **tasks):
    """Return the median CPU seconds of each task, the tasks taken in turn, and its last result."""
    spent, results = {name: [] for name in tasks}, {}
    for _ in range(repeats):
        for name, task in tasks.items():
            took, results[name] = seconds(task)
            spent[name].append(took)
    return {name: statistics.median(values) for name, values in spent.items()}, results


def gensim_model(dim, cbow, epochs, seed=1):
    """Return gensim's model with firth's settings."""
    # Both begin at firth's rate: 0.025 for skip-gram; for CBOW 0.05, as in the original word2vec.
    lr = 0.05 if cbow else 0.025
    return Gensim(
        vector_size=dim, sg=not cbow, epochs=epochs, alpha=lr, workers=1, seed=seed, **SETTINGS
    )  # fmt: skip


def reading(path, repeats):
    """Return the CPU seconds from a file to a vocabulary; firth's ids come with it."""

    def build():
        gensim_model(1, False, 1).build_vocab(corpus_file=path)

    spent, _ = in_turn(
        repeats, firth=lambda: firth.Corpus.read(path, threads=1), gensim=build
    )  # fmt: skip
    return {"firth, encoding too": spent["firth"], "gensim build_vocab": spent["gensim"]}


def training(path, dim, cbow, repeats):
    """Words per CPU second of one epoch; what is done once, before and after, is left out."""
    corpus = firth.Corpus.read(path, threads=1)
    ours = firth.Word2Vec(dim=dim, cbow=cbow, epochs=2, threads=1, **SETTINGS)
    theirs = gensim_model(dim, cbow, 2)
    theirs.build_vocab(corpus_file=path)
    spent = {"firth": [], "gensim": []}
    for _ in range(repeats):
        ends = []
        ours.fit(corpus, callback=lambda *_: ends.append(time.process_time()))  # noqa: B023
        spent["firth"].append(ends[1] - ends[0])
        start = time.process_time()
        theirs.train(corpus_file=path, total_words=theirs.corpus_total_words, epochs=1)
        spent["gensim"].append(time.process_time() - start)
    return {name: len(corpus.ids) / statistics.median(times) for name, times in spent.items()}


def quality(emb, folder):
    """Return the scores of word pairs and analogies."""
    scores = {
        name: firth.evaluate.word_pairs(emb, folder / "wordsim" / file).spearman
        for name, file in PAIRS.items()
    }
    result = firth.evaluate.analogies(emb, folder / "analogy" / "questions-words.txt")
    return {**scores, "analogies": result.accuracy}


def trained(text, cbow, seeds, folder):
    """Yield who was trained and how good it is, firth and gensim in turn."""
    corpus = firth.Corpus.read(text)
    for seed in range(1, seeds + 1):
        emb = firth.Word2Vec(cbow=cbow, seed=seed, threads=1, **SETTINGS).fit(corpus)
        yield "firth", quality(emb, folder)
        model = gensim_model(100, cbow, 5, seed)
        model.build_vocab(corpus_file=text)
        model.train(corpus_file=text, total_words=model.corpus_total_words, epochs=5)
        emb = firth.Embedding(model.wv.index_to_key, model.wv.vectors)
        yield "gensim", quality(emb, folder)


def main():
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", help="default: the text bundled with the tests")
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--dim", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--save", action="store_true", help="write bench/results/<machine>/")
    options = parser.parse_args()
    text = options.text or bundled()
    print(f"firth {firth.__version__}, gensim {gensim.__version__}, one thread, CPU seconds")
    report = {}
    with beginning(text, options.tokens) as part:
        spent = reading(part.name, options.repeats)
        first, second = spent.values()
        report["reading"] = spent
        size = Path(part.name).stat().st_size
        print(f"reading {size / 1e6:.1f} MB: {size / first / 1e6:.0f} MB/s, ", end="")
        print(f"{second / first:.1f} times gensim's build_vocab")
        print(f"{'model':<10} {'dim':>4} {'firth M/s':>10} {'gensim M/s':>11} {'ratio':>6}")
        for cbow, dim in itertools.product((False, True), options.dim):
            name = "cbow" if cbow else "skip-gram"
            rates = report[f"{name} {dim}"] = training(part.name, dim, cbow, options.repeats)
            ours, theirs = rates["firth"], rates["gensim"]
            row = f"{ours / 1e6:>10.2f} {theirs / 1e6:>11.3f} {ours / theirs:>6.1f}"
            print(f"{name:<10} {dim:>4} {row}", flush=True)
    for cbow in (False, True) if options.seeds else ():
        name = "cbow" if cbow else "skip-gram"
        for who, scores in trained(text, cbow, options.seeds, options.data):
            report.setdefault(f"{name} quality", []).append({"who": who, **scores})
            shown = "  ".join(f"{key} {value:.4f}" for key, value in scores.items())
            print(f"{name:<10} {who:<7} {shown}", flush=True)
    if options.save:
        print(f"written to {save('word2vec', report)}")


if __name__ == "__main__":
    main()
