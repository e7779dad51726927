"""What all evaluations share: question files read line by line, words found in either case."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from firth._reading import AnyPath


def lines(path: AnyPath) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) for all lines that hold anything but a comment (#).

    UTF-8, with or without a byte order mark; bytes that are not UTF-8 become lone surrogates, as in
    a vocabulary.
    """
    with Path(path).open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield number, text


def rows(keys: Sequence[str], *, ignore_case: bool, limit: int | None = None) -> dict[str, int]:
    """Return the row of each of the first `limit` words; of several spellings, the first row."""
    first = keys if limit is None else keys[:limit]
    return {fold(first[row], ignore_case): row for row in range(len(first) - 1, -1, -1)}


def fold(word: str, ignore_case: bool) -> str:
    """Return the word as it is looked up."""
    return word.casefold() if ignore_case else word


def quoted(text: str) -> str:
    """Return a line as an error message shows it: in quotes, and short whatever the file is."""
    shown = repr(text[:60])
    return shown if len(shown) <= 62 and len(text) <= 60 else shown[:60] + "..."
