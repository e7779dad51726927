"""PPMI: words are known by which others they meet more often than by chance; truncated SVD."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from firth._counting import RULE
from firth.counts import Counts
from firth.embedding import Embedding
from firth.models._beginning import corpus_of
from firth.models._settings import choice, counting, real, whole
from firth.models._truncated_svd import solver, truncated_svd

_VECTORS = ("sum", "words", "contexts")
_ROUNDING = np.float32(1e-5)  # singular values below this share of the greatest are none


@dataclass(frozen=True)
class PPMI:
    """Word vectors from positive pointwise mutual information, factorised by truncated SVD.

    Nothing is drawn but the vector that the factorisation starts from, and there are no epochs.
    Memory goes with the number of different pairs of words, 8 bytes for each that is left.

    Parameters
    ----------
    dim
        Length of the vectors; less than there are words.
    window
        Largest distance of company, at most 50; by default all is counted as `Counts` are.
    shift
        How much more often than by chance words must meet: the negative samples of other models.
    smoothing
        Rare contexts count as more frequent: counts of contexts are raised to this.
    power
        To which the singular values are raised: 0 leaves them out, 1 keeps the factorisation.
    weights
        How company counts d words away: "distance" 1/d, "uniform" 1, "linear" less by the same at
        each step.
    symmetric
        Company on both sides counts; otherwise only what comes after a word.
    sentences
        Company ends with the sentence; otherwise the text is one long sentence.
    min_count
        Words that occur fewer times are left out. A `Corpus` has made this choice already.
    max_vocab
        At most so many words, the most frequent ones; nor does this change a `Corpus`.
    vectors
        What the embedding holds: the "sum" of both vectors of a word, those of "words" or those of
        "contexts".
    memory
        Bytes that counting may take beside the text and the counts, also as a text like "2 GB";
        what does not fit goes to the disk. None: no limit.
    seed
        Of the vector that the factorisation starts from; it moves the result by rounding only.
    threads
        Of reading and counting; None: as many as ``firth.set_num_threads`` says. The factorisation
        has those of SciPy.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Levy, Goldberg and Dagan, "Improving distributional similarity with lessons learned from word
    embeddings" (2015), sections 2.2 and 3, where ``power`` is called p and "sum" w+c. Bullinaria
    and Levy, "Extracting semantic representations from word co-occurrence statistics" (2012).

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> emb = PPMI(dim=3, min_count=1).fit(text)
    >>> emb
    Embedding(7 keys, dim=3)
    >>> round(emb.similarity("mat", "rug"), 3)
    1.0
    """

    dim: int = 100
    window: int = 10
    shift: float = 1.0
    smoothing: float = 0.75
    power: float = 0.5
    weights: Literal["distance", "uniform", "linear"] = "distance"
    symmetric: bool = True
    sentences: bool = True
    min_count: int = 5
    max_vocab: int | None = None
    vectors: Literal["sum", "words", "contexts"] = "sum"
    memory: int | str | None = None
    seed: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        whole(self, "dim", 1, 2**16)
        counting(self)
        real(self, "shift", 1e-9, 1e9)
        real(self, "smoothing", 0, 1)
        real(self, "power", 0, 8)
        choice(self, "vectors", _VECTORS)
        whole(self, "seed", 0, 2**64 - 1)
        if self.threads is not None:
            whole(self, "threads", 1, 1024)

    def fit(self, source: object, *, progress: bool | None = False) -> Embedding:
        """Learn a vector for each word of a text, or of counts.

        Parameters
        ----------
        source
            `Counts`, which have been counted by a rule of their own, a `Corpus`, or anything that
            `Corpus.read` takes: a path, documents, token lists, an Arrow column of strings.
        progress
            Whether to show bars on stderr; None shows them if that is a terminal.

        Returns
        -------
        Embedding
            Words, most frequent first, with counts; the metadata say how they were made, with the
            singular values. Words that meet nobody more often than by chance are zero, and so are
            the last numbers of all vectors where there are fewer singular values above zero.

        Raises
        ------
        ValueError
            No word is left, there are not more words than ``dim``, or no two of them meet more
            often than by chance.
        TypeError
            A source of another type.
        ImportError
            SciPy is not installed; it comes with ``firth[scipy]``.
        """
        linalg = solver("PPMI")
        counts = source if isinstance(source, Counts) else self._counted(source, progress)
        vocabulary = counts.vocabulary
        self._check_dim(len(vocabulary))
        matrix = counts.ppmi(self.shift, self.smoothing)
        if matrix.nnz == 0:
            how = f"more than shift={self.shift:g} times as often as by chance"
            raise ValueError(f"PPMI: no two words meet {how}")
        rule = {name: getattr(counts, name) for name in RULE}
        sizes = {"tokens": counts.tokens, "counts": counts.sums.nnz, "associations": matrix.nnz}
        metadata = {"model": "PPMI", **asdict(self), **rule, **sizes}
        del counts  # which are larger than what follows, if nobody else has them
        left, values, right = truncated_svd(linalg, matrix, self.dim, self.seed, progress)
        tables = {"words": left, "contexts": right}
        vectors = left + right if self.vectors == "sum" else tables[self.vectors]
        vectors *= np.where(values > _ROUNDING * values[0], values**self.power, 0)
        metadata["singular_values"] = values.tolist()
        return Embedding(vocabulary.words, vectors, vocabulary.counts, metadata)

    def _counted(self, source: object, progress: bool | None) -> Counts:
        corpus = corpus_of(self, source, progress)
        self._check_dim(len(corpus.vocabulary))
        rule = {name: getattr(self, name) for name in RULE}
        threads = self.threads
        return Counts.of(corpus, **rule, memory=self.memory, threads=threads, progress=progress)

    def _check_dim(self, words: int) -> None:
        if self.dim >= words:
            raise ValueError(f"PPMI: dim={self.dim} is not below the number of words, {words}")
