"""The one exception of our own: everything else is a built-in."""

_LONGEST = 300  # characters of what was found; a hostile file has names of any length


class FormatError(ValueError):
    """A file is not what it says it is: the message names file, place, expected and found.

    Parameters
    ----------
    path
        The file as the caller named it.
    where
        The place: a byte offset, a line number or a field.
    expected, found
        What the format wants there, and what the file has: of long texts, the first 300
        characters.
    """

    def __init__(self, path: object, where: str, expected: str, found: str) -> None:
        if len(found) > _LONGEST:
            found = f"{found[:_LONGEST]}..."
        super().__init__(f"{path}: {where}: expected {expected}, found {found}")
        self._told = path, where, expected, found

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self._told  # a pool of processes hands exceptions on by pickle
