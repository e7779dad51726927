"""FastTextClassifier: a text is the mean of its words' rows, n-grams of words included."""

from dataclasses import dataclass
from typing import Literal

from firth._texts import lines_of
from firth.classifier import MOST_WORD_NGRAMS, Classifier
from firth.corpus import Corpus
from firth.embedding import Embedding
from firth.models._beginning import Callback, check_arguments
from firth.models._ending import stopped
from firth.models._lessons import Lessons
from firth.models._settings import choice, real, whole


@dataclass(frozen=True)
class FastTextClassifier:
    """A linear classifier of texts over the mean of their words' vectors.

    Parameters
    ----------
    dim
        Length of the vectors.
    epochs
        Passes over the text.
    lr
        Learning rate at the beginning; it falls linearly to 0.
    word_ngrams
        Longest word n-gram that gets a row; 1: words only.
    min_count
        Words that occur fewer times have no row of their own.
    min_label_count
        Labels that occur fewer times are left out.
    min_n, max_n
        Shortest and longest character n-gram; with max_n=0 there are none.
    buckets
        Rows that n-grams are hashed to, if there are any.
    loss
        "softmax": one label a text, drawn anew in each epoch where there are more; "ova": each
        label against all others, for texts with several; "hs": hierarchical softmax, an
        approximation that is faster where labels are very many.
    label_prefix
        What tells labels from words.
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says. With more than one the result varies a
        little from run to run: rows are updated without locks.
    device
        "cpu".
    deterministic
        The same bits whenever data, settings, version and instruction set (``firth.show_config``)
        are the same; trains with one thread.

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text classification" (2016).

    Examples
    --------
    >>> lines = ["__label__sun it is warm and dry", "__label__rain it is cold and wet"] * 50
    >>> model = FastTextClassifier(dim=8, lr=0.5, threads=1).fit(lines)
    >>> model.predict("so warm")[0]
    ['__label__sun']
    """

    dim: int = 100
    epochs: int = 5
    lr: float = 0.1
    word_ngrams: int = 1
    min_count: int = 1
    min_label_count: int = 0
    min_n: int = 0
    max_n: int = 0
    buckets: int = 2_000_000
    loss: Literal["softmax", "ova", "hs"] = "softmax"
    label_prefix: str = "__label__"
    seed: int = 1
    threads: int | None = None
    device: str = "cpu"
    deterministic: bool = False

    def __post_init__(self) -> None:
        whole(self, "dim", 1, 2**16)
        whole(self, "epochs", 1, 10**6)
        real(self, "lr", 1e-12, 1e3)
        whole(self, "word_ngrams", 1, MOST_WORD_NGRAMS)
        whole(self, "min_count", 1, 2**62)
        whole(self, "min_label_count", 0, 2**62)
        whole(self, "max_n", 0, 2**16)
        whole(self, "min_n", 1 if self.max_n else 0, self.max_n or 2**16)
        whole(self, "buckets", 1, 2**31 - 1)
        choice(self, "loss", ("softmax", "ova", "hs"))
        if not isinstance(self.label_prefix, str):
            kind = type(self.label_prefix).__name__
            raise TypeError(f"{type(self).__name__}: label_prefix is {kind}, expected a str")
        if not self.label_prefix or any(c in "\0\t\n\v\f\r " for c in self.label_prefix):
            raise ValueError(
                f"{type(self).__name__}: label_prefix={self.label_prefix!r} is not a text with "
                "characters and without white space"
            )
        whole(self, "seed", 0, 2**64 - 1)
        if self.threads is not None:
            whole(self, "threads", 1, 1024)
        choice(self, "device", ("cpu",))
        choice(self, "deterministic", (False, True))

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Classifier:
        """Learn from lines of text with their labels, such as ``__label__x``, anywhere in them.

        Parameters
        ----------
        source
            A `Corpus` with all words, or anything that `Corpus.read` takes: a path, documents,
            token lists, an Arrow column of strings. Each line, or list of tokens, is an example.
        start
            All its keys join the vocabulary, also those that the text does not have, and begin with
            the vectors they have here; all other rows begin at random. Neither rows of buckets nor
            ``output`` are taken, also from a `Classifier`.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.
        callback
            Called after each epoch with its number from 1, the tokens read so far in all epochs,
            the epoch's mean loss of an example and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Classifier
            Words and labels, most frequent first, with counts; the metadata say how it was trained,
            with the loss of each epoch. Rows of buckets that the text never reaches are zero.

        Raises
        ------
        ValueError
            There is no label, no word, or no line that has both; ``start`` has another dim.
        TypeError
            A source, start or callback of another type.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then and
            the losses of the epochs that were finished.
        """
        name = type(self).__name__
        check_arguments(name, self.dim, start, callback)
        if isinstance(source, Corpus):
            corpus = source
        else:
            corpus = Corpus.read(source, min_count=1, threads=self.threads, progress=progress)
        lessons = Lessons.of(lines_of(corpus), self, start)
        input, output = lessons.tables(self, start)
        losses: list[float] = []
        try:
            lessons.train(self, input, output, losses, progress=progress, callback=callback)
        except KeyboardInterrupt as stop:
            stopped(stop, lambda: lessons.result(self, input, output, losses), input, output)
            raise
        return lessons.result(self, input, output, losses)
