"""Files without a name: what does not fit in memory lies there for as long as it is needed.

No folder lists them, so that nothing is left behind however the process ends. They are written with
``write``, never through a mapping: a disk that is full is then an error and not a signal.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from firth._errors import FormatError
from firth._reading import AnyPath

_STEP = 1 << 26  # bytes that are written or read before Ctrl-C is answered


class Scratch:
    """A folder to put files without a name in.

    Parameters
    ----------
    function
        Who writes them: messages begin with it.
    folder
        Where they lie; None for the system's folder of temporary files.

    Attributes
    ----------
    written, most
        How many bytes were written, and may become necessary at most; for messages.

    Raises
    ------
    OSError
        When a file is opened: no files can be made in the folder; the error names it.

    Examples
    --------
    >>> import numpy as np
    >>> with Scratch("example") as scratch, scratch.file() as file:
    ...     place = file.append(np.arange(5))
    ...     mapped = file.mapped(np.dtype(np.int64))
    >>> mapped.tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(self, function: str, folder: AnyPath | None = None) -> None:
        if folder is not None and not isinstance(folder, (str, os.PathLike)):
            kind = type(folder).__name__
            raise TypeError(f"{function}: folder must be a path or None, got {kind}")
        self.function, self.written, self.most = function, 0, 0
        self.folder = tempfile.gettempdir() if folder is None else str(Path(folder))
        self._files = contextlib.ExitStack()

    def file(self) -> "NamelessFile":
        """Open a new file, which is closed with the folder."""
        try:
            file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self.error(error, "folder is none that files can be made in") from None
        return self._files.enter_context(NamelessFile(self, file))

    def error(self, error: OSError, what: str) -> OSError:
        """Return an error of the same kind that says more and names the folder."""
        code = error.errno or 0
        return OSError(code, f"{self.function}: {what}: {os.strerror(code)}", self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files; what was mapped stays."""
        self._files.close()


class NamelessFile:
    """One of the files of a `Scratch`: arrays are appended to it and read from it."""

    def __init__(self, scratch: Scratch, file: Any) -> None:
        self._scratch, self._file, self.size = scratch, file, 0

    def fileno(self) -> int:
        """Return its number, for who writes to it elsewhere."""
        number: int = self._file.fileno()
        return number

    def append(self, array: npt.NDArray[Any]) -> int:
        """Write an array at the end and return the offset where it begins.

        Raises
        ------
        OSError
            The disk is full, or has another reason; the error names the folder and says how many
            bytes are needed.
        """
        begin, bytes_ = self.size, _bytes_of(array)
        while self.size < begin + len(bytes_):
            done = self.size - begin
            try:
                wrote = os.pwrite(self._file.fileno(), bytes_[done : done + _STEP], self.size)
            except OSError as error:
                needed = self._scratch.written + len(bytes_) - done
                what = f"needs {needed} bytes or more in this folder, {self._scratch.most} at most"
                raise self._scratch.error(error, what) from None
            self.size += wrote
            self._scratch.written += wrote
        return begin

    def read(self, offset: int, array: npt.NDArray[Any]) -> None:
        """Fill an array with what lies at an offset.

        Raises
        ------
        FormatError
            The file ends before: somebody else has cut it.
        """
        bytes_, done = _bytes_of(array), 0
        while done < len(bytes_):
            piece = bytes_[done : done + _STEP]
            got = os.preadv(self._file.fileno(), [piece], offset + done)
            if got == 0:
                name = f"a temporary file of {self._scratch.function} in {self._scratch.folder}"
                left = f"{len(bytes_) - done} more bytes"
                raise FormatError(name, f"byte {offset + done}", left, "its end")
            done += got

    def mapped(self, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return what was written as one array, read-only, that keeps the file."""
        many = self.size // dtype.itemsize
        return np.memmap(self._file, dtype, "r", shape=(many,)) if many else np.zeros(0, dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; what was mapped stays."""
        self._file.close()


def _bytes_of(array: npt.NDArray[Any]) -> memoryview:
    flat: Any = array.reshape(-1).view(np.uint8)
    return memoryview(flat)
