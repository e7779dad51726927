"""GloVe: scalar products of words are the logarithms of how often they keep company."""

from dataclasses import asdict, dataclass
from typing import Literal

from firth._reading import AnyPath
from firth.embedding import Embedding
from firth.models._beginning import Callback, check_arguments
from firth.models._checkpoint import Checkpoint
from firth.models._ending import stopped
from firth.models._factorising import HELD, Factors, counted, rule_of
from firth.models._settings import choice, counting, real, whole


@dataclass(frozen=True)
class GloVe:
    """Word vectors from counts of company: least squares on the logarithms of the counts.

    The text is counted once; an epoch then reads the counts, however long the text was. The result
    has the same bits on any number of threads, whenever data, settings, version and instruction set
    (``firth.show_config``) are the same.

    Parameters
    ----------
    dim
        Length of the vectors.
    window
        Largest distance of company, at most 50. Not used for `Counts`, which have been counted by a
        rule of their own; nor are ``weights``, ``symmetric``, ``sentences``, ``min_count``,
        ``max_vocab`` and ``memory``.
    x_max
        Counts above this weigh as much as this.
    alpha
        Smaller counts weigh less: (count / x_max) to the power of this.
    epochs
        Passes over the counts.
    lr
        Learning rate of AdaGrad, the same in all epochs.
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
        What the embedding holds: the "sum" of both vectors of a word, as the authors have it, those
        of "words" or those of "contexts".
    memory
        Bytes that counting may take beside the text and the counts, also as a text like "2 GB";
        what does not fit goes to the disk. None: no limit.
    seed
        Of all that is drawn.
    threads
        None: as many as ``firth.set_num_threads`` says.
    device
        "cpu".

    Raises
    ------
    TypeError, ValueError
        A hyper-parameter that is no number or out of its range.

    References
    ----------
    Pennington, Socher and Manning, "GloVe: global vectors for word representation" (2014), sections
    3 and 4.2. Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization" (2011) (AdaGrad).

    Examples
    --------
    >>> text = ["the cat sat on the mat", "the dog sat on the rug"] * 50
    >>> emb = GloVe(dim=8, epochs=2, min_count=1, threads=1).fit(text)
    >>> emb
    Embedding(7 keys, dim=8)
    """

    dim: int = 100
    window: int = 15
    x_max: float = 100.0
    alpha: float = 0.75
    epochs: int = 25
    lr: float = 0.05
    weights: Literal["distance", "uniform", "linear"] = "distance"
    symmetric: bool = True
    sentences: bool = True
    min_count: int = 5
    max_vocab: int | None = None
    vectors: Literal["sum", "words", "contexts"] = "sum"
    memory: int | str | None = None
    seed: int = 1
    threads: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        whole(self, "dim", 1, 2**16)
        counting(self)
        real(self, "x_max", 1e-9, 1e18)
        real(self, "alpha", 0, 8)
        whole(self, "epochs", 1, 10**6)
        real(self, "lr", 1e-12, 1e3)
        choice(self, "vectors", tuple(HELD))
        whole(self, "seed", 0, 2**64 - 1)
        if self.threads is not None:
            whole(self, "threads", 1, 1024)
        choice(self, "device", ("cpu",))

    def fit(
        self,
        source: object,
        *,
        start: Embedding | None = None,
        checkpoint: AnyPath | None = None,
        progress: bool | None = False,
        callback: Callback | None = None,
    ) -> Embedding:
        """Learn a vector for each word of a text, or of counts.

        Parameters
        ----------
        source
            `Counts`, a `Corpus`, or anything that `Corpus.read` takes: a path, documents, token
            lists, an Arrow column of strings.
        start
            Go on from these vectors: words they have begin there, all others at random. With
            ``vectors="sum"`` both vectors of a word begin at half of it, otherwise both at it.
        checkpoint
            A folder to which all that training goes on from is written after each epoch. If it is
            there already, training goes on from it, to the same bits as without the interruption;
            only ``epochs`` may be others than before, and what does not change what is learnt.
        progress
            Whether to show bars on stderr; None shows them if that is a terminal.
        callback
            Called after each epoch with its number from 1, the counts read so far in all epochs,
            the epoch's mean loss of a count and the learning rate; training stops if it returns
            something true.

        Returns
        -------
        Embedding
            Words, most frequent first, with counts; the metadata say how it was trained, with the
            mean loss of each epoch: half the weighted squared error, taken before the step.

        Raises
        ------
        ValueError
            No word is left, none has company, ``start`` has another dim, or the checkpoint is of
            other settings, words or counts; then it is left as it is.
        TypeError
            A source, start, checkpoint or callback of another type.
        FormatError
            The checkpoint is damaged or something else.
        FloatingPointError
            The learning rate was too large; it names the epoch.
        KeyboardInterrupt
            With the attribute ``embedding``, if training had begun: what was learnt until then and
            the losses of the epochs that were finished.
        """
        name = type(self).__name__
        check_arguments(name, self.dim, start, callback)
        rule = rule_of(self, source)
        saved = None
        if checkpoint is not None:
            kept = {one: getattr(self, one) for one in ("dim", "seed", "lr", "x_max", "alpha")}
            saved = Checkpoint.of(checkpoint, name, {**kept, **rule}, self.epochs)
        counts = counted(self, source, progress)
        factors = Factors.of(self, counts, start, saved)

        def result() -> Embedding:
            metadata = {"model": name, **asdict(self), **rule, **factors.metadata}
            words = counts.vocabulary
            return Embedding(words.words, factors.vectors, words.counts, metadata)

        try:
            factors.train(saved, progress=progress, callback=callback)
        except KeyboardInterrupt as stop:
            stopped(stop, result, factors.words, factors.contexts)
            raise
        return result()
