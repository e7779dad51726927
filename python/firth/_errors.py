"""The one exception of our own: everything else is a built-in."""


class FormatError(ValueError):
    """A file is not what it says it is: the message names file, place, expected and found.

    Parameters
    ----------
    path
        The file as the caller named it.
    where
        The place: a byte offset, a line number or a field.
    expected, found
        What the format wants there, and what the file has.
    """

    def __init__(self, path: object, where: str, expected: str, found: str) -> None:
        super().__init__(f"{path}: {where}: expected {expected}, found {found}")
