"""Fields of lines with a delimiter -> tokens between white space, with stand-ins for the rest."""

import csv
import re

NUMBER = re.compile(
    rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity|nan)",
    re.IGNORECASE,
)
# Stand-ins are separators of ASCII, which no text may have, and what they stand for within a name.
_SPACE, _NOTHING, _COMMA, _SEMICOLON, _TAB = 0x1F, 0x1E, 0x1D, 0x1C, 0x1B
HELD = {_SPACE: " ", _COMMA: ",", _SEMICOLON: ";", _TAB: "\t"}


class Fields:
    """How the fields of a line are told apart.

    Attributes
    ----------
    empty
        What stands for a field with nothing in it.
    special
        Whether names may have stand-ins.
    """

    empty = bytes([_NOTHING])

    def __init__(self) -> None:
        self.special = False
        self.delimited(" ")

    def delimited(self, delimiter: str) -> None:
        """Turn to lines with this delimiter; a space stands for any white space."""
        one = delimiter.encode()
        self.delimiter, self.plainly = one, one == b" "
        if self.plainly:
            return
        self.table = bytes.maketrans(b" \t" + one, bytes([_SPACE, _TAB]) + b"\t")
        at = re.escape(one)
        blank = b" " if one == b"\t" else b"[ \t]"
        margins = b"(?m)^%b+|%b+$|%b+(?=%b)|(?<=%b)%b+"
        self.margins = re.compile(margins % (blank, blank, blank, at, at, blank))
        self.gaps = re.compile(b"(?m)(?<=%b)(?=%b|$)|^(?=%b)" % (at, at, at))
        self.quoted = one in b",;"

    def plain(self, text: bytes) -> bytes:
        """Return lines with white space between their fields and none in them.

        Raises
        ------
        ValueError
            Quotes are not closed, or something stands beside them.
        """
        if self.plainly:
            return text
        if self.quoted and b'"' in text:  # lines with quotes are few, or it takes a while
            self.special = True
            text = b"\n".join(
                self._unquoted(line) if b'"' in line else line for line in text.split(b"\n")
            )
        if b" " in text or (b"\t" in text and self.delimiter != b"\t"):
            text = self.margins.sub(b"", text)
            self.special = True
        one = self.delimiter
        if (
            one + one in text
            or text[:1] == one
            or b"\n" + one in text
            or one + b"\n" in text
            or text[-1:] == one
        ):
            text = self.gaps.sub(self.empty, text)
        return text.translate(self.table)

    def _unquoted(self, line: bytes) -> bytes:
        text = line.decode("utf-8", "surrogateescape")
        try:
            (fields,) = csv.reader(
                [text], delimiter=self.delimiter.decode(), skipinitialspace=True, strict=True
            )
        except csv.Error as error:
            raise ValueError(f"{text[:60]!r} ({error})") from None
        held = str.maketrans({",": chr(_COMMA), ";": chr(_SEMICOLON)})
        again = self.delimiter.decode().join(field.strip().translate(held) for field in fields)
        return again.encode("utf-8", "surrogateescape")
