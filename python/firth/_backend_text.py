"""The part of the Protocol of backends that reads text: that happens on the host only."""

from typing import Any, Protocol

from firth._backend import Bytes, Ids, Longs


class WordCounter(Protocol):
    """Text in, a corpus out (``cpp/word_counter.h``); after `finish` it is spent."""

    def add_text(self, data: Any, /) -> None:
        """Take a piece of text; it may end inside a token."""

    def end_text(self) -> None:
        """End the text, its last token and its last sentence."""

    def add_file(self, file: int, begin: int, end: int) -> None:
        """Take the tokens that start in bytes [begin, end) of an open file."""

    def add_rows(self, rows: list[Any], first: int) -> None:
        """Take rows from number `first` on: str (text), or list or tuple of str (tokens)."""

    def add_arrow(self, stream: Any) -> None:
        """Take the rows of a capsule of ``__arrow_c_stream__``."""

    def finish(
        self, min_count: int, max_words: int, vocabulary: list[str] | None
    ) -> tuple[list[str], Longs, Ids, Longs]:
        """Return words, counts, ids and offsets, of the vocabulary that is chosen or given."""

    @property
    def tokens(self) -> int:
        """How many there were in all; like `types` known after `finish`."""

    @property
    def types(self) -> int:
        """How many different words there were."""


class TextBackend(Protocol):
    """What a backend offers that reads text; that happens on the host only."""

    def WordCounter(  # noqa: N802, it is a class
        self,
        *,
        threads: int,
        isa: str,
        seed: int,
        max_words: int,
        memory: int = 0,
        files: tuple[()] | tuple[int, int, int] = (),
        folder: bytes = b"",
    ) -> WordCounter:
        """Return a counter; beyond ``memory`` bytes it writes to three open files of a folder."""

    def lines(self, *, text: Bytes, threads: int) -> tuple[Longs, Longs]:
        """Return where lines begin and end; a newline ends one, and so does the end of the text."""

    def arrow_rows(self, *, stream: Any, function: str) -> tuple[Bytes, Longs, Longs]:
        """Return the strings of a capsule of ``__arrow_c_stream__`` as text, begins and ends."""
