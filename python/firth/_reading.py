"""Reading that checks before it allocates.

Every size that a file claims is held against the file's true length first; all readers
share this one guard.
"""

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError

AnyPath = str | os.PathLike[str]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def kind_of(mode: int) -> str:
    """Name what ``st_mode`` says lies at a path."""
    return next((name for test, name in _KINDS if test(mode)), "a regular file")


def refuse_special(path: AnyPath, mode: int) -> None:
    """Raise IsADirectoryError for a folder and ValueError for devices, pipes and sockets."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "expected a file, found a folder", os.fspath(path))
    if not stat.S_ISREG(mode):
        raise ValueError(f"{os.fspath(path)}: expected a regular file, found {kind_of(mode)}")


class CheckedReader:
    """A regular file opened for reading that never allocates more than the file still holds.

    Parameters
    ----------
    path
        The file. A folder raises IsADirectoryError; devices, pipes and sockets raise ValueError,
        for they have no length to check sizes against.

    Attributes
    ----------
    size, offset : int
        Bytes in the file, and bytes read so far.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = os.fspath(path)
        mode = Path(self.path).stat().st_mode
        refuse_special(self.path, mode)  # before opening: opening a pipe would wait for its writer
        self.file: BinaryIO = Path(self.path).open("rb")  # noqa: SIM115
        self.size = os.fstat(self.file.fileno()).st_size
        self.offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self.size - self.offset

    def require(self, count: int, what: str) -> None:
        """Raise FormatError unless ``count`` more bytes are there."""
        if count > self.remaining:
            raise FormatError(
                self.path,
                f"byte {self.offset}",
                f"{count} bytes of {what}",
                f"{self.remaining} bytes",
            )

    def take(self, count: int, what: str) -> bytes:
        """Read exactly ``count`` bytes."""
        self.require(count, what)
        data = self.file.read(count)
        self._advance(len(data), count, what)
        return data

    def fill(self, array: npt.NDArray[np.uint8], what: str) -> None:
        """Read exactly as many bytes as ``array`` (contiguous) has."""
        self.require(array.size, what)
        got = self.file.readinto(array.data) if array.size else 0  # type: ignore[attr-defined]
        self._advance(got, array.size, what)

    def _advance(self, got: int, count: int, what: str) -> None:
        if got != count:  # the file was cut while it was read
            raise FormatError(
                self.path, f"byte {self.offset}", f"{count} bytes of {what}", f"{got} bytes"
            )
        self.offset += count
