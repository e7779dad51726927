"""Reading that checks before it allocates."""

import os

import pytest

from firth._errors import FormatError
from firth._reading import CheckedReader


def test_a_reader_knows_what_is_left(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with CheckedReader(tmp_path / "a") as file:
        assert file.take(4, "a number") == b"0123"
        assert (file.offset, file.remaining, file.size) == (4, 6, 10)
        with pytest.raises(FormatError, match=r"a: byte 4: expected 7 bytes of x, found 6 bytes"):
            file.take(7, "x")
        with pytest.raises(FormatError, match="1000000000000000000 bytes of x"):
            file.take(10**18, "x")


def test_a_file_cut_while_it_is_read_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(bytes(100_000))
    with CheckedReader(tmp_path / "a") as file:
        os.truncate(tmp_path / "a", 10)
        with pytest.raises(FormatError, match="expected 50000 bytes of x, found 10 bytes"):
            file.take(50_000, "x")


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="found a named pipe"):
        CheckedReader(tmp_path / "pipe")
    with pytest.raises(ValueError, match="found a character device"):
        CheckedReader("/dev/zero")
    with pytest.raises(IsADirectoryError):
        CheckedReader(tmp_path)
    with pytest.raises(FileNotFoundError):
        CheckedReader(tmp_path / "missing")
