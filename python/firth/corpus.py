"""Text in any form that users have, as arrays of word ids: what every text model trains on."""

import itertools
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from firth import _sources
from firth._backend import named
from firth._backend_text import TextBackend
from firth._errors import FormatError
from firth._reading import AnyPath
from firth._scratch import Scratch
from firth.kernels._arguments import first_fall, number_of_bytes
from firth.vocabulary import Vocabulary, check_choice

MAX_WORDS = 2**32 - 2
_FILE = "corpus.safetensors"


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences as word ids: sentence i is ``ids[offsets[i]:offsets[i + 1]]``.

    Parameters
    ----------
    ids : (tokens,) uint32
        Positions in the vocabulary; words that are not in it are left out.
    offsets : (sentences + 1,) int64
        Where each sentence begins, and the end of the last. There is no empty sentence.
    vocabulary
        The words. Its counts are those of this corpus, unless it was given to `read`.
    """

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return (
            f"<Corpus: {len(self.ids)} tokens in {len(self)} sentences, "
            f"{len(self.vocabulary)} words>"
        )

    def sentence(self, index: int) -> list[str]:
        """Return the words of one sentence."""
        if not 0 <= index < len(self):
            raise IndexError(f"Corpus.sentence: {index} is not one of the {len(self)} sentences")
        words = self.vocabulary.words
        return [words[i] for i in self.ids[self.offsets[index] : self.offsets[index + 1]]]

    @classmethod
    def read(
        cls,
        source: object,
        *,
        min_count: int = 5,
        max_vocab: int | None = None,
        vocabulary: Vocabulary | None = None,
        memory: int | str | None = None,
        folder: AnyPath | None = None,
        threads: int | None = None,
        progress: bool | None = False,
        backend: ModuleType | None = None,
        isa: str | None = None,
    ) -> "Corpus":
        r"""Read text: split it into tokens, count words, choose a vocabulary, turn tokens into ids.

        Tokens are separated by ASCII white space and NUL, a newline ends a sentence, all other
        bytes are kept as they are. Neither tokens nor sentences have a greatest length. The text
        is read once. The result does not depend on the number of threads.

        Parameters
        ----------
        source
            One of

            - a path, as ``str`` or ``PathLike``; a **single str is always a path**, ``"-"`` is the
              standard input. ``.gz``, ``.bz2``, ``.xz``, ``.zst`` are decompressed on the way;
            - several paths: a list (or any iterable) of ``PathLike``, like
              ``Path("a").glob("*.txt")``. The end of a file ends a sentence. **A list of str is
              not a list of paths** but
            - documents: an iterable of ``str``, each a text whose end ends a sentence;
            - sentences: an iterable of token lists (or other iterables of ``str``). Any string is
              a token, white space included; only the empty string is none. A ``str`` among them
              is a document;
            - an open file, binary or text, read to its end;
            - a column of strings that speaks Arrow (``__arrow_c_stream__``: pyarrow, polars,
              pandas 3), each row a document, nulls left out.

            Every iterable is read once, so a generator is as good as a list.
        min_count
            Words that occur fewer times are left out.
        max_vocab
            At most so many words, the most frequent ones; None keeps all.
        vocabulary
            Use these words and ids rather than choosing new ones; then ``min_count`` and
            ``max_vocab`` are not used.
        memory
            Bytes that ids and offsets may take, also as in ``"2 GB"``. What is beyond lies on the
            disk, in files without a name that end with the arrays; these are then mapped,
            read-only. None: all in memory. Nothing that is returned depends on it. The words stay
            in memory in any case, while the text is read in a table for each thread: some 100 bytes
            for each different word, besides 4 to 16 MB a thread.
        folder
            Where such files lie, 4 bytes for each token and 8 for each sentence, for a moment up to
            twice as much; None for the system's folder of temporary files. Mind that this one may
            itself lie in memory.
        threads
            None uses the default of `firth.set_num_threads`.
        progress
            Whether to show a bar on stderr; None shows it if that is a terminal.

        Returns
        -------
        Corpus

        Raises
        ------
        FileNotFoundError, IsADirectoryError, PermissionError
            As opening the file does.
        OSError
            If files cannot be written to ``folder`` or its disk is full; it names the folder and
            says how many bytes are needed.
        ValueError
            If no token is left: it says how many there were.
        TypeError
            If the source or a row is none of the above; the row is named.
        FormatError
            If a compressed file is damaged or ends early.
        ImportError
            If a ``.zst`` file needs the extra ``firth[zstd]``.

        Examples
        --------
        >>> corpus = Corpus.read(["the cat and the dog", "the dog"], min_count=2)
        >>> corpus.vocabulary.words, corpus.ids.tolist(), corpus.offsets.tolist()
        (['the', 'dog'], [0, 0, 1, 0, 1], [0, 3, 5])
        """
        check_choice("Corpus.read", min_count, max_vocab)
        if threads is not None and threads < 1:
            raise ValueError(f"Corpus.read: threads={threads} is not at least 1")
        if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
            kind = type(vocabulary).__name__
            raise TypeError(f"Corpus.read: vocabulary is {kind}, expected a Vocabulary")
        text: TextBackend = named("_cpu") if backend is None else backend
        with ExitStack() as stack:
            options: dict[str, Any] = {}
            if memory is not None:
                scratch = stack.enter_context(Scratch("Corpus.read", folder))
                options["memory"] = min(number_of_bytes("Corpus.read", "memory", memory), 2**62)
                options["files"] = tuple(scratch.file().fileno() for _ in range(3))
                options["folder"] = os.fsencode(scratch.folder)
            counter = text.WordCounter(
                threads=threads or 0,
                isa=isa or "",
                seed=int.from_bytes(os.urandom(8), "little"),
                max_words=MAX_WORDS,
                **options,
            )
            _sources.feed(counter, source, progress)
            words, counts, ids, offsets = counter.finish(
                min_count,
                2**62 if max_vocab is None else max_vocab,
                None if vocabulary is None else vocabulary.words,
            )
        if len(ids) == 0:
            raise ValueError(_nothing(counter.tokens, counter.types, min_count, vocabulary))
        if vocabulary is None:
            vocabulary = Vocabulary._trusted(words, counts)
        return cls(ids, offsets, vocabulary)

    @classmethod
    def encode(cls, source: object, vocabulary: Vocabulary, **options: Any) -> "Corpus":
        """Read text with the words of an earlier corpus; unknown words are dropped."""
        return cls.read(source, vocabulary=vocabulary, **options)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the corpus as a folder, which `load` maps into memory at once."""
        from firth._files import atomic_folder
        from firth.formats.tensors import write_tensors

        raw = [word.encode("utf-8", "surrogateescape") for word in self.vocabulary.words]
        ends = np.cumsum([0, *map(len, raw)], dtype=np.int64)
        arrays: dict[str, npt.NDArray[Any]] = {
            "ids": self.ids,
            "offsets": self.offsets,
            "words": np.frombuffer(b"".join(raw), np.uint8),
            "word_offsets": ends,
            "counts": self.vocabulary.counts,
        }
        config = {
            "format": "firth",
            "version": 1,
            "kind": "corpus",
            "tokens": len(self.ids),
            "sentences": len(self),
            "words": len(raw),
            "files": [_FILE],
        }
        with atomic_folder(path) as folder:
            write_tensors(folder / _FILE, arrays, {"firth": json.dumps(config)})
            (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "ascii")

    @classmethod
    def load(cls, path: str | PathLike[str], *, mmap: bool = True) -> "Corpus":
        """Read what `save` wrote.

        Parameters
        ----------
        path
            The folder.
        mmap
            Leave ids and offsets in the file and map them, read-only; False reads them into memory.

        Raises
        ------
        FormatError
            If the folder holds something else or is damaged.
        """
        from firth._files import while_whole
        from firth.formats.tensors import read_tensors

        file = Path(path) / _FILE
        arrays, metadata = while_whole(path, lambda: read_tensors(file, mmap=mmap))
        try:
            config = json.loads(metadata.get("firth", "{}"))
            found = (config.get("kind"), config.get("version"))
        except (ValueError, AttributeError, RecursionError):
            found = (None, None)
        if found != ("corpus", 1):
            what = f"kind {found[0]!r}, version {found[1]!r}"
            raise FormatError(file, "metadata", "a firth corpus, version 1", what)
        _check_arrays(file, arrays)
        ends = arrays["word_offsets"].tolist()
        raw = arrays["words"].tobytes()
        words = [raw[a:b].decode("utf-8", "surrogateescape") for a, b in itertools.pairwise(ends)]
        try:
            vocabulary = Vocabulary(words, arrays["counts"])
        except ValueError as error:
            raise FormatError(file, "words and counts", "a vocabulary", str(error)) from None
        return cls(arrays["ids"], arrays["offsets"], vocabulary)


def _nothing(tokens: int, types: int, min_count: int, vocabulary: Vocabulary | None) -> str:
    if tokens == 0:
        return "Corpus.read: the text has no tokens"
    if vocabulary is not None:
        return (
            f"Corpus.read: none of the {tokens} tokens ({types} different words) is one of the "
            f"{len(vocabulary)} words of the vocabulary"
        )
    return (
        f"Corpus.read: none of the {types} different words in {tokens} tokens occurs "
        f"min_count={min_count} times"
    )


def _check_arrays(file: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise FormatError unless a corpus can be made of them."""
    wanted = {
        "ids": np.uint32,
        "offsets": np.int64,
        "words": np.uint8,
        "word_offsets": np.int64,
        "counts": np.int64,
    }
    for name, dtype in wanted.items():
        if name not in arrays:
            raise FormatError(file, "header", f"an array {name!r}", ", ".join(sorted(arrays)))
        array = arrays[name]
        if array.dtype != dtype or array.ndim != 1:
            found = f"{array.dtype} of {array.ndim} dimensions"
            raise FormatError(file, name, f"{np.dtype(dtype)} of 1 dimension", found)
    _check_cuts(file, "offsets", arrays["offsets"], len(arrays["ids"]), strict=True)
    _check_cuts(file, "word_offsets", arrays["word_offsets"], len(arrays["words"]), strict=False)
    if len(arrays["counts"]) != len(arrays["word_offsets"]) - 1:
        words = len(arrays["word_offsets"]) - 1
        raise FormatError(file, "counts", f"{words} of them", str(len(arrays["counts"])))
    if len(arrays["ids"]) and int(arrays["ids"].max()) >= len(arrays["counts"]):
        found = str(int(arrays["ids"].max()))
        raise FormatError(file, "ids", f"ids below {len(arrays['counts'])}", found)


def _check_cuts(
    file: Path, name: str, cuts: npt.NDArray[np.int64], size: int, *, strict: bool
) -> None:
    if not len(cuts) or cuts[0] != 0 or cuts[-1] != size or first_fall(cuts, strict=strict) > 0:
        raise FormatError(file, name, f"increasing offsets from 0 to {size}", "others")
