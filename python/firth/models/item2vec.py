"""ItemToVec: an item is known by those that share a session with it; skip-gram over sets."""

from dataclasses import dataclass, replace

import numpy as np

from firth._reading import AnyPath
from firth.embedding import Embedding
from firth.interactions import Interactions
from firth.models._beginning import Callback, corpus_of
from firth.models._fitting import fitted
from firth.models.word2vec import Word2Vec

_TIMES = 4  # the longest session: a wider window would hardly change what meets


@dataclass(frozen=True)
class ItemToVec(Word2Vec):
    """Item vectors from sessions: skip-gram with negative sampling, where company has no order.

    This is `Word2Vec` with sessions as sentences, and with its hyper-parameters; others are only
    the defaults of ``window``, ``sample`` and ``min_count``.

    Parameters
    ----------
    window
        Largest distance of company; each centre draws its own from 1 to this, or to four times the
        longest session, if that is less. With the default nine tenths of all pairs in a session
        meet; time goes with the square of the length of sessions then.
    min_count
        Items that occur fewer times are left out.
    sample
        About the frequency above which items are thinned out. 0 keeps all: where there are only
        hundreds of items, most are above what is frequent for a word.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Barkan and Koenigstein, "Item2vec: neural item embedding for collaborative filtering" (2016),
    section 3.

    Examples
    --------
    >>> baskets = [["tea", "milk", "sugar"], ["rum", "lime", "sugar"]] * 50
    >>> ItemToVec(dim=8, epochs=2, threads=1).fit(baskets)
    Embedding(5 keys, dim=8)
    """

    window: int = 10_000
    min_count: int = 1
    sample: float = 0.0

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        checkpoint: AnyPath | None = None,
        every: int | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Embedding:
        """Learn a vector for each item; see `Word2Vec.fit`, also for errors.

        Parameters
        ----------
        source
            `Interactions`: the items of each user are a session, in the order of times if there are
            any. Or a `Corpus` or whatever `Corpus.read` takes, such as lists of names.
        start, checkpoint, every, progress, callback
            As of `Word2Vec.fit`.

        Returns
        -------
        Embedding
            Items, most frequent first, with counts; the metadata say how it was trained.
        """
        if isinstance(source, Interactions):
            source = source.sessions()
        corpus = corpus_of(self, source, progress)
        longest = int(np.diff(corpus.offsets).max())
        return fitted(
            replace(self, window=min(self.window, _TIMES * longest)),
            corpus,
            start=start,
            checkpoint=checkpoint,
            every=every,
            progress=progress,
            callback=callback,
        )
