"""How good embeddings with n-grams are, also at words that are rare and at words never seen."""

from pathlib import Path

import numpy as np

import firth
from firth.evaluate import analogies, word_pairs
from firth.evaluate.similarity import read_pairs

PAIRS = {"WordSim-353": "EN-WS-353-ALL.txt", "SimLex-999": "EN-SIMLEX-999.txt"}
RARE = 100  # words seen fewer times


def opened(path):
    """Return an embedding of known words, and one that answers for others, too.

    Anything that firth reads; or .npz with ``keys``, their ``vectors`` and ``words``: how many of
    the keys are known, those behind having been made of n-grams by who trained it.
    """
    if Path(path).suffix != ".npz":
        emb = firth.load(path) if Path(path).is_dir() else firth.read(path)
        return emb, emb
    with np.load(path) as file:
        keys, vectors, known = file["keys"].tolist(), file["vectors"], int(file["words"])
    return firth.Embedding(keys[:known], vectors[:known]), firth.Embedding(keys, vectors)


def all_pairs(folder):
    """Return the pairs of all EN-*.txt, each once, with scores comparable between files.

    People gave each file's scores on another scale, so a score becomes its mean rank among the
    pairs of the file, between 0 and 1. A pair of several files is taken from the first by name.
    """
    seen, triples = set(), []
    for path in sorted(Path(folder, "wordsim").glob("EN-*.txt")):
        pairs = list(read_pairs(path))
        scores = np.array([score for *_, score in pairs])
        ordered = np.sort(scores)
        below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
        for (a, b, _), rank in zip(pairs, below / (2 * len(pairs)), strict=True):
            key = frozenset((a.lower(), b.lower()))
            if key not in seen:
                seen.add(key)
                triples.append((a.lower(), b.lower(), float(rank)))
    return triples


def quality(path, folder, counts):
    """Return the scores of one embedding; `counts` says how often the text has each of its words.

    "rare": pairs of known words, one of them seen fewer than RARE times. "unseen": pairs with a
    word that is not known.
    """
    known, whole = opened(path)
    report = {
        name: word_pairs(known, Path(folder, "wordsim", file)).spearman
        for name, file in PAIRS.items()
    }
    found = analogies(known, Path(folder, "analogy", "questions-words.txt"))
    report["analogies"] = found.accuracy
    for name, grammar in {"semantic": False, "syntactic": True}.items():
        some = [part for part in found.sections if part.name.startswith("gram") == grammar]
        total = sum(part.total for part in some)
        report[name] = sum(part.correct for part in some) / max(total, 1)
    triples = all_pairs(folder)
    seen = [min(counts.get(a, 0), counts.get(b, 0)) for a, b, _ in triples]
    rare = [pair for pair, least in zip(triples, seen, strict=True) if 0 < least < RARE]
    unseen = [pair for pair, least in zip(triples, seen, strict=True) if least == 0]
    for name, pairs in {"rare": rare, "unseen": unseen}.items():
        try:
            result = word_pairs(whole, pairs, oov="make")
        except ValueError as error:
            print(f"{path}: {name}: {error}")
            continue
        report[name], report[f"{name} pairs"] = result.spearman, result.found
    return report
