"""floret's text format: a table of hashed rows and the rule that makes words of them, no words.

The first line is "buckets dim min_n max_n hashes seed < >", then each row is its number and dim
numbers in order. floret writes five digits, firth as many as read back the same. Every word gets
its vector from the rows that it and its character n-grams are hashed to; see `firth.Subwords`.
"""

import re
from pathlib import Path

from firth._errors import FormatError
from firth._files import atomic_file
from firth._reading import AnyPath, CheckedReader
from firth.embedding import Embedding
from firth.formats._rows import parse_rows, write_rows
from firth.subword_embedding import SubwordEmbedding
from firth.subwords import Subwords

SEED = 2166136261  # of the hash, in every file that floret writes
_NAMES = ("buckets", "dim", "min_n", "max_n", "hashes", "seed")
_HEADER = re.compile(rb"((?:[0-9]{1,10} ){6})([^ \r\n]+ [^ \r\n]+) ?\r?\n")
_HEADER_BYTES = 256


def sniff(path: Path, head: bytes) -> bool:
    """Say whether the first line is a header of floret's."""
    return _HEADER.match(head[:_HEADER_BYTES]) is not None


def read(path: AnyPath, limit: int | None = None) -> SubwordEmbedding:
    """Read the whole table, whatever ``limit`` is: it has no keys, and every word needs it all."""
    with CheckedReader(path) as file:
        rule, dim = _read_header(file)
        numbers, table = parse_rows(file, rule.buckets, dim, first_line=2)
        for row, number in enumerate(numbers):
            if number != str(row):
                raise FormatError(file.path, f"line {row + 2}", f"row {row}", repr(number[:40]))
        rest = file.file.read(64)
        if rest.strip():
            expected = f"the end after {rule.buckets} rows"
            raise FormatError(file.path, f"byte {file.offset}", expected, repr(rest[:40]))
    return SubwordEmbedding([], table, rule, check=False)


def _read_header(file: CheckedReader) -> tuple[Subwords, int]:
    line = file.file.readline(_HEADER_BYTES)
    place = "line 1 (byte 0)"
    match = _HEADER.fullmatch(line)
    if match is None:
        expected = 'a header, "buckets dim min_n max_n hashes seed < >"'
        raise FormatError(file.path, place, expected, repr(line[:80]))
    file.offset = len(line)
    values = dict(zip(_NAMES, map(int, match[1].split()), strict=True))
    bounds = match[2].decode("utf-8", "replace")
    if values["seed"] != SEED:
        raise FormatError(file.path, place, f"the seed {SEED}", str(values["seed"]))
    if bounds != "< >":
        raise FormatError(file.path, place, "the boundaries < >", bounds)
    if not 1 <= values["hashes"] <= 4 or values["dim"] < 1:
        expected = "1 to 4 hashes and at least 1 number per row"
        raise FormatError(file.path, place, expected, f"{values['hashes']} and {values['dim']}")
    # a row has at least its number, its numbers of a digit each and a line feed, the last one none
    buckets, dim = values["buckets"], values["dim"]
    if buckets * (2 + 2 * dim) - 1 > file.remaining:
        expected = f"at least {buckets * (2 + 2 * dim) - 1} bytes for {buckets} rows"
        raise FormatError(file.path, f"byte {file.offset}", expected, f"{file.remaining} bytes")
    least, most = max(values["min_n"], 1), values["max_n"]
    try:
        rule = Subwords(least, most if least <= most else 0, buckets, values["hashes"])
    except ValueError as error:
        raise FormatError(file.path, place, "a rule", str(error)) from None
    return rule, dim


def write(embedding: Embedding, path: AnyPath) -> None:
    """Write the table and its rule, atomically; the keys are not part of the format.

    Raises
    ------
    ValueError
        An embedding without a table under floret's rule.
    """
    if not isinstance(embedding, SubwordEmbedding) or not embedding.rule.hashes:
        raise ValueError("floret: expected a SubwordEmbedding whose rule has hashes from 1 to 4")
    rule = embedding.rule
    header = (rule.buckets, embedding.dim, rule.min_n, rule.max_n, rule.hashes, SEED)
    with atomic_file(path) as file:
        file.write(b"%d %d %d %d %d %d < >\n" % header)
        write_rows(file, [b"%d" % row for row in range(rule.buckets)], embedding.input)
