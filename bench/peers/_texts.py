"""Texts that peers are measured on: the first lines of a file, and the text bundled with the tests.

Lines have at most 10 000 words: gensim leaves out what a longer one has beyond that.
"""

import lzma
import tempfile
from pathlib import Path


def beginning(text, tokens):
    """Write the first `tokens` tokens of the text, whole lines, to a temporary file."""
    part = tempfile.NamedTemporaryFile("wb", suffix=".txt")  # noqa: SIM115  # closed by the caller
    with Path(text).open("rb") as lines:
        for line in lines:
            part.write(line)
            tokens -= len(line.split())
            if tokens <= 0:
                break
    part.flush()
    return part


def bundled():
    """Unpack the tests' text into a temporary file of lines of 1000 words."""
    packed = Path(__file__).parents[2] / "tests" / "data" / "wiki-sample.txt.xz"
    words = lzma.decompress(packed.read_bytes()).split()
    target = Path(tempfile.mkdtemp()) / "wiki-sample.txt"
    lines = (b" ".join(words[i : i + 1000]) for i in range(0, len(words), 1000))
    target.write_bytes(b"\n".join(lines) + b"\n")
    return str(target)
