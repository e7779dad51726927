"""Counts: how often words keep each other's company, with the words and the rule of counting."""

from dataclasses import InitVar, dataclass

import numpy as np
import numpy.typing as npt

from firth import association
from firth._count_rows import BLOCK
from firth._counting import RULE as SETTINGS
from firth._counting import counted
from firth._reading import AnyPath
from firth.corpus import Corpus
from firth.csr import CSR
from firth.kernels._arguments import dtype_of, flag, integer, number_of_bytes, one_of
from firth.kernels._cooccurrence import WEIGHTS, weights_of
from firth.kernels._matrices import check_matrix
from firth.kernels._runs import DTYPES
from firth.vocabulary import Vocabulary, check_choice

RULE = ("unit", *SETTINGS)
_MOST = 2**63


@dataclass(frozen=True, eq=False, repr=False)
class Counts:
    """How often words keep each other's company.

    Made by `of`, `load`, `merge` and `read_glove`; eaten by ``firth.GloVe`` and ``firth.PPMI``.
    Sums are whole numbers: counts do not depend on threads, instruction sets or the way in which a
    corpus was cut, and adding up those of its parts gives those of the whole.

    Parameters
    ----------
    vocabulary
        The words, row by row and column by column.
    sums : (words, words)
        The counts as whole multiples of ``1 / unit``: indptr int64, indices int32, data uint64.
    unit
        What a weight of 1 is; see `firth.kernels.distance_weights`.
    window
        The greatest distance that counts; None where that is not known.
    weights
        ``"distance"``: 1/d, ``"uniform"``: 1, ``"linear"``: (window - d + 1) / window.
    symmetric
        Whether company is counted on both sides. Otherwise row a, column b is about b after a.
    sentences
        Whether windows end where sentences do.
    tokens
        How many tokens, words of the vocabulary, were read.
    check
        False takes what is known to be sound, without a look.

    Raises
    ------
    TypeError, ValueError
        Something is not that; it is named.

    Examples
    --------
    >>> counts = Counts.of(["a cat and a dog", "a dog"], window=2, min_count=1)
    >>> counts
    <Counts: 4 words, 10 entries, window 2, weights distance>
    >>> counts["a", "dog"], counts["dog", "a"], counts["dog", "dog"]
    (2.0, 2.0, 0.0)
    """

    vocabulary: Vocabulary
    sums: CSR
    unit: int
    window: int | None
    weights: str
    symmetric: bool
    sentences: bool
    tokens: int
    check: InitVar[bool] = True

    def __post_init__(self, check: bool) -> None:
        if check:
            self._check()

    def _check(self) -> None:
        for name, type_ in (("vocabulary", Vocabulary), ("sums", CSR)):
            if not isinstance(value := getattr(self, name), type_):
                what = type(value).__name__
                raise TypeError(f"Counts: {name} is {what}, expected a {type_.__name__}")
        for name in ("symmetric", "sentences"):
            object.__setattr__(self, name, flag("Counts", name, getattr(self, name)))
        one_of("Counts", "weights", self.weights, WEIGHTS)
        if self.window is not None:
            _, unit = weights_of("Counts", self.window, self.weights)
            if integer("Counts", "unit", self.unit) != unit:
                rule = f"window={self.window}, weights={self.weights!r}"
                raise ValueError(f"Counts: unit={self.unit}, expected {unit} for {rule}")
        elif not 1 <= integer("Counts", "unit", self.unit) <= 2**32:
            raise ValueError(f"Counts: unit={self.unit} is not between 1 and 2**32")
        if not 0 <= integer("Counts", "tokens", self.tokens) < _MOST:
            raise ValueError(f"Counts: tokens={self.tokens} is not between 0 and 2**63 - 1")
        words = len(self.vocabulary)
        if self.sums.shape != (words, words):
            raise ValueError(f"Counts: sums has shape {self.sums.shape}, expected {words, words}")
        check_matrix("Counts", "sums", self.sums, np.uint64)
        for name in ("window", "unit", "tokens"):  # numpy's numbers would not go into JSON
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, int(value))

    @classmethod
    def of(
        cls,
        source: object,
        *,
        window: int = 10,
        weights: str = "distance",
        symmetric: bool = True,
        sentences: bool = True,
        min_count: int = 5,
        max_vocab: int | None = None,
        memory: int | str | None = None,
        folder: AnyPath | None = None,
        threads: int | None = None,
        progress: bool | None = False,
    ) -> "Counts":
        """Count who stands beside whom in a text.

        Parameters
        ----------
        source
            A `firth.Corpus`, or a text as `firth.Corpus.read` takes it: a path, several, an open
            file, documents, token lists, a column.
        window
            The greatest distance that counts, 1 to 50.
        weights
            What company at distance d counts: ``"distance"``: 1/d, ``"uniform"``: 1,
            ``"linear"``: (window - d + 1) / window.
        symmetric
            Count company on both sides; otherwise row a, column b is about b after a.
        sentences
            Whether windows end where sentences do. False reads the corpus as one.
        min_count, max_vocab
            Which words are kept where a text is read; see `firth.Corpus.read`.
        memory, folder
            A budget for counting, beside the corpus and the result, in bytes or like ``"2 GB"``,
            and where the files go that it then needs; see `firth.kernels.cooccurrence`.
        threads
            None uses the default of `firth.set_num_threads`. The counts do not depend on it.
        progress
            Whether to show bars on stderr; None shows them if that is a terminal.

        Raises
        ------
        ValueError, TypeError
            A setting or the source is none of the above; or no token is left.
        FileNotFoundError, FormatError
            As reading the text does.
        """
        check_choice("Counts.of", min_count, max_vocab)
        _, unit = weights_of("Counts.of", window, weights)
        symmetric = flag("Counts.of", "symmetric", symmetric)
        sentences = flag("Counts.of", "sentences", sentences)
        if memory is not None:
            number_of_bytes("Counts.of", "memory", memory)  # before a long text is read
        if not isinstance(source, Corpus):
            source = Corpus.read(
                source,
                min_count=min_count,
                max_vocab=max_vocab,
                threads=threads,
                progress=progress,
            )
        tokens = len(source.ids)
        if tokens == 0:
            raise ValueError("Counts.of: the corpus has no tokens")
        rule = (int(window), weights, symmetric, sentences)
        sums = counted(
            source,
            dict(zip(SETTINGS, rule, strict=True)),
            dtype=np.uint64,
            memory=memory,
            folder=folder,
            threads=threads,
            progress=progress,
        )
        return cls(source.vocabulary, sums, unit, *rule, tokens, check=False)

    def __len__(self) -> int:
        """How many words there are."""
        return len(self.vocabulary)

    def __repr__(self) -> str:
        window = "unknown" if self.window is None else self.window
        kind = "" if self.symmetric else ", directed"
        return (
            f"<Counts: {len(self)} words, {self.sums.nnz} entries, window {window}, "
            f"weights {self.weights}{kind}>"
        )

    def __getitem__(self, words: tuple[str, str]) -> float:
        """Return the count of a pair of words, 0.0 where they never met.

        Raises
        ------
        KeyError
            One of them is not in the vocabulary.
        """
        if not isinstance(words, tuple) or len(words) != 2:
            raise TypeError(f"Counts: {words!r:.80} is no pair of words, as in counts['a', 'b']")
        for word in words:
            if word not in self.vocabulary:
                raise KeyError(f"Counts: {word!r:.80} is not one of the {len(self)} words")
        row, column = (self.vocabulary.index[word] for word in words)
        begin, end = self.sums.indptr[row : row + 2].tolist()
        at = begin + int(np.searchsorted(self.sums.indices[begin:end], column))
        if at == end or self.sums.indices[at] != column:
            return 0.0
        return int(self.sums.data[at]) / self.unit

    def matrix(self, dtype: npt.DTypeLike = np.float32) -> CSR:
        """Return the counts as numbers, ``sums / unit``.

        Parameters
        ----------
        dtype
            float32, float64, or uint64 for the sums as they are. Quotients are rounded to float64,
            then to float32: the same bits as `firth.kernels.cooccurrence` gives.

        Returns
        -------
        CSR
            (words, words), with the arrays of columns that `sums` has.

        Examples
        --------
        >>> counts = Counts.of([["a", "b", "a"]], window=2, min_count=1)
        >>> counts.matrix().data.tolist(), counts.matrix(np.uint64).data.tolist(), counts.unit
        ([1.0, 2.0, 2.0], [2, 4, 4], 2)
        """
        kind = dtype_of("Counts.matrix", dtype, DTYPES)
        if kind == np.uint64:
            return self.sums
        sums, data = self.sums, np.empty(self.sums.nnz, kind)
        for begin in range(0, len(data), BLOCK):
            data[begin : begin + BLOCK] = sums.data[begin : begin + BLOCK] / float(self.unit)
        return CSR(sums.indptr, sums.indices, data, sums.columns)

    def merge(self, *others: "Counts", threads: int | None = None) -> "Counts":
        """Add up counts: those of all the texts together, as in ``Counts.merge(a, b, c)``.

        Sums are exact, so the order in which counts are merged, and by twos or all at once, changes
        nothing. Vocabularies may differ: the result has all words, by their counts added up. Parts
        that were read with one given vocabulary keep it as it is.

        A word that ``min_count`` kept out of one part is missing from that part's counts, and the
        words beside it stood closer together there. Parts of a corpus add up to the counts of the
        whole if nothing was left out (``min_count=1``) or if all were read with the same vocabulary
        (``Corpus.encode``); and without ``sentences``, but for the pairs across the cuts.

        Parameters
        ----------
        others
            Counts by the same rule: unit, window, weights, symmetric and sentences.
        threads
            None uses the default of `firth.set_num_threads`.

        Raises
        ------
        ValueError
            They differ in the rule; the difference is named.
        OverflowError
            A sum could reach 2**64.

        Examples
        --------
        >>> a = Counts.of(["x y", "x y"], min_count=1)
        >>> b = Counts.of(["y z"], min_count=1)
        >>> both = a.merge(b)
        >>> both.vocabulary.words, both["y", "x"], both["y", "z"], both.tokens
        (['y', 'x', 'z'], 2.0, 1.0, 6)
        """
        from firth import _merged_counts

        return _merged_counts.merged((self, *others), threads)

    def save(self, path: AnyPath) -> None:
        """Write a firth folder that `load` maps back, atomically."""
        from firth.formats import counts_folder

        counts_folder.write(self, path)

    @classmethod
    def load(cls, path: AnyPath, *, mmap: bool = True) -> "Counts":
        """Read what `save` wrote; all bytes are held against their checksums.

        Parameters
        ----------
        path
            The folder.
        mmap
            Map the sums from the file, read-only; False reads them into memory.

        Raises
        ------
        FormatError
            The folder holds something else or is damaged.
        FileNotFoundError, NotADirectoryError
            There is nothing, or a file.

        Examples
        --------
        >>> import tempfile
        >>> path = tempfile.mkdtemp()
        >>> Counts.of([["a", "b"]], min_count=1).save(path)
        >>> Counts.load(path)["a", "b"]
        1.0
        """
        from firth.formats import counts_folder

        return counts_folder.load(path, mmap=mmap)

    @classmethod
    def read_glove(
        cls,
        path: AnyPath,
        vocabulary: Vocabulary | AnyPath,
        *,
        window: int | None = None,
        weights: str = "distance",
        symmetric: bool = True,
    ) -> "Counts":
        """Read a file of co-occurrences as Stanford's GloVe programs write and read them.

        Records (int32 word, int32 word, float64 value; words counted from 1) may stand in any
        order, as in shuffled files, and values of the same pair are added up. Memory stays within
        a few times that of the result.

        Parameters
        ----------
        path
            What ``cooccur`` or ``shuffle`` wrote.
        vocabulary
            What ``vocab_count`` wrote, a file of lines "word count", or a `firth.Vocabulary` whose
            order is that of the file.
        window, weights, symmetric
            How it was counted. With the window, values become the whole multiples that firth would
            have counted, exactly but for what float64 lost. Without it they are rounded to
            multiples of 2**-32.

        Raises
        ------
        FormatError
            A file is damaged or not by that rule; the byte or line is named.

        Examples
        --------
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> counts = Counts.of(["a rose is a rose"], window=3, min_count=1)
        >>> counts.vocabulary.save(f"{folder}/vocab.txt")
        >>> counts.write_glove(f"{folder}/cooccurrence.bin")
        >>> Counts.read_glove(f"{folder}/cooccurrence.bin", f"{folder}/vocab.txt", window=3)
        <Counts: 3 words, 8 entries, window 3, weights distance>
        """
        from firth.formats import glove_counts

        return glove_counts.read(path, vocabulary, window, weights, symmetric)

    def write_glove(self, path: AnyPath) -> None:
        """Write what Stanford's ``shuffle`` and ``glove`` read, atomically, row by row.

        ``counts.vocabulary.save("vocab.txt")`` writes the words in a form that they read too.
        """
        from firth.formats import glove_counts

        glove_counts.write(self, path)

    def ppmi(self, shift: float = 1.0, smoothing: float = 0.75) -> CSR:
        """Return the positive pointwise mutual information; see `firth.association.ppmi`."""
        return association.ppmi(self.sums, shift=shift, smoothing=smoothing)

    collocations = association.collocations
