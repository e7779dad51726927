"""Flags out of dataclasses: one source for the names, types, defaults and help of Python and shell.

A new model is therefore no work here: its fields and its docstring are its command line.
"""

import argparse
import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

PREFIX = "field:"  # keeps a model's fields apart from the options of the command
METAVARS = {int: "N", float: "X", str: "TEXT"}


def common(parser: argparse.ArgumentParser, *, json: str | None = None) -> None:
    """Add what every command has; `json` says what ``--json`` prints."""
    if json is not None:
        parser.add_argument("--json", action="store_true", help=f"print {json} as JSON")
    parser.add_argument("--debug", action="store_true", help="show where an error happened")


def progress(parser: argparse.ArgumentParser) -> None:
    """Add the switch of the progress bar."""
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="draw a progress bar on stderr (default: if stderr is a terminal)",
    )


def threads(parser: argparse.ArgumentParser) -> None:
    """Add the number of threads of a command that has no model."""
    parser.add_argument("--threads", type=int, metavar="N", help="threads (default: all)")


def answers(parser: argparse.ArgumentParser) -> None:
    """Add how many labels a text is given."""
    parser.add_argument(
        "-k", type=int, default=1, metavar="N", help="how many labels, -1 for all (default: 1)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.0,
        metavar="X",
        help="only labels of at least this probability (default: 0)",
    )


def add_fields(parser: argparse._ActionsContainer, model: type[Any]) -> None:
    """Add one flag for each field of a dataclass.

    ``lr: float = 0.025`` becomes ``--lr X``; a bool becomes ``--name`` and ``--no-name``; a Literal
    becomes choices; where None is allowed, ``none`` is understood; ``int | str`` takes either.

    Raises
    ------
    TypeError
        A field of a type that has no flag.
    """
    hints = get_type_hints(model)
    texts = parameters(model)
    for field in dataclasses.fields(model):
        if not field.init:
            continue
        text = texts.get(field.name, "")
        if field.default is not dataclasses.MISSING:
            text = f"{text} (default: {_shown(field.default)})".lstrip()
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=PREFIX + field.name,
            default=argparse.SUPPRESS,
            required=field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING,
            help=text.replace("%", "%%"),
            **_settings(hints[field.name], field.name),
        )


def from_options(model: type[Any], options: argparse.Namespace) -> Any:
    """Return the dataclass with the fields that were given as flags.

    Raises
    ------
    ValueError
        The dataclass refuses a value.
    """
    given = {
        name.removeprefix(PREFIX): value
        for name, value in vars(options).items()
        if name.startswith(PREFIX)
    }
    return model(**given)


def _settings(hint: Any, name: str) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` for a field of this type."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    nullable = types.NoneType in kinds
    kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
    if set(kinds) == {int, str}:
        return {"type": or_none(_int_or_str) if nullable else _int_or_str, "metavar": "N"}
    if len(kinds) == 1:
        kind = kinds[0]
        if kind is bool and not nullable:
            return {"action": argparse.BooleanOptionalAction}
        if get_origin(kind) is Literal and not nullable:
            return {"choices": get_args(kind)}
        if get_origin(kind) in (tuple, Sequence) and get_args(kind)[0] in METAVARS:
            return {"type": or_none(_list_of(get_args(kind)[0])), "metavar": "A,B,..."}
        if kind in METAVARS:
            return {"type": or_none(kind) if nullable else kind, "metavar": METAVARS[kind]}
    raise TypeError(f"add_fields: {name}: no flag for a field of type {hint}")


def _list_of(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def parse(text: str) -> tuple[Any, ...]:
        return tuple(kind(part) for part in text.split(","))

    return parse


def _int_or_str(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a converter that understands ``none``, too."""

    def convert(text: str) -> Any:
        return None if text.lower() == "none" else kind(text)

    convert.__name__ = kind.__name__  # argparse says: invalid int value
    return convert


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def parameters(model: type[Any]) -> dict[str, str]:
    """Return what the docstring (numpydoc) says about each parameter, as one line each.

    What a model says nothing about is as in the model that it comes from.
    """
    found: dict[str, str] = {}
    for one in reversed(model.__mro__[:-1]):
        found |= _documented(inspect.cleandoc(one.__doc__ or ""))
    return found


def _documented(text: str) -> dict[str, str]:
    section = re.search(
        r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", text, re.M | re.S
    )
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else ():
        if line and not line[0].isspace():
            names = [name.strip() for name in line.split(":")[0].split(",")]
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
