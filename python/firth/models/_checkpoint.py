"""Checkpoints: a firth folder that has all that an interrupted training goes on from.

model.safetensors holds the tables as they are trained, and in its header the settings, the
fingerprints of what is learnt from, the losses of the epochs that are finished, and how far the
next one has come. config.json repeats the header for people.
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy.typing as npt

from firth._backend import Floats
from firth._errors import FormatError
from firth._files import atomic_folder, check_folder, while_whole
from firth._reading import AnyPath
from firth.formats.tensors import read_tensors, write_tensors
from firth.models._ending import check_finite

_FILE = "model.safetensors"
_VERSION = 1


class Found(NamedTuple):
    """What a folder had; ``place`` is how far an epoch had come that was not finished."""

    settings: dict[str, Any]
    losses: list[float]
    tensors: dict[str, npt.NDArray[Any]]
    place: dict[str, Any] | None


@dataclass
class Checkpoint:
    """A place where training is saved, and what is there already.

    Attributes
    ----------
    path, model
        The folder, and the name of the model.
    settings
        What has to be the same for training to go on, fingerprints among it.
    found
        What the folder had, or None.
    place
        How far the epoch had come that was under way, if one was.
    """

    path: Path
    model: str
    settings: dict[str, Any]
    found: Found | None
    place: dict[str, Any] | None

    @classmethod
    def of(cls, path: AnyPath, model: str, settings: dict[str, Any], epochs: int) -> Self:
        """Look at a folder, before anything long is begun.

        Raises
        ------
        TypeError, OSError
            No path, or a place where nothing could be saved.
        FormatError
            Something else than a checkpoint of the model, or a damaged one.
        ValueError
            It has other settings, or more epochs are finished than are asked for.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{model}: checkpoint is {type(path).__name__}, expected a path")
        check_folder(path)
        folder = Path(path)
        found = _read(folder / _FILE, f"{model.lower()}-checkpoint")
        saved = cls(folder, model, {}, found, found and found.place)
        saved.expect(**settings)
        if found is not None and len(found.losses) > epochs:
            finished = f"{len(found.losses)} finished epochs, expected at most epochs={epochs}"
            raise ValueError(f"{model}: the checkpoint {os.fspath(path)} has {finished}")
        return saved

    def expect(self, **settings: Any) -> None:
        """Raise ValueError unless the folder, if there is one, has these settings."""
        self.settings.update(settings)
        if self.found is None:
            return
        for name, value in settings.items():
            if name not in self.found.settings:
                raise FormatError(self.path / _FILE, "settings", repr(name), "no such entry")
            if self.found.settings[name] != value:
                there = f"{name}={self.found.settings[name]!r:.80}, expected {value!r:.80}"
                raise ValueError(f"{self.model}: the checkpoint {self.path} has {there}")

    def restore(self, **tables: Floats) -> list[float]:
        """Fill tables with what was saved, and forget it; return the losses until then.

        Raises
        ------
        FormatError
            The folder has other tables than these, or numbers that are not finite.
        """
        if self.found is None:
            return []
        losses, tensors = self.found.losses, self.found.tensors
        for name in tables.keys() | tensors.keys():
            wanted, there = (
                None if one is None else (one.dtype.name, one.shape)
                for one in (tables.get(name), tensors.get(name))
            )
            if wanted != there:
                raise FormatError(self.path / _FILE, f"tensor {name!r}", f"{wanted}", f"{there}")
        for name, table in tables.items():
            table[:] = tensors[name]
            try:
                check_finite(table)
            except FloatingPointError:
                what = "NaN or infinity"
                raise FormatError(self.path / _FILE, f"tensor {name!r}", "numbers", what) from None
        self.found = None
        return losses

    def save(
        self, losses: list[float], place: dict[str, Any] | None = None, **tables: Floats
    ) -> None:
        """Replace the folder by one with these tables, atomically."""
        config = {
            "format": "firth",
            "version": _VERSION,
            "kind": f"{self.model.lower()}-checkpoint",
            "settings": self.settings,
            "losses": losses,
            **({} if place is None else {"place": place}),
            "files": [_FILE],
        }
        with atomic_folder(self.path) as folder:
            write_tensors(folder / _FILE, tables, {"firth": json.dumps(config, allow_nan=False)})
            Path(folder, "config.json").write_text(json.dumps(config, indent=2) + "\n", "ascii")


def _read(file: Path, kind: str) -> Found | None:
    """Return what a checkpoint has; None where there is no folder, or an empty one."""

    def read() -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
        if not any(file.parent.iterdir()):  # or it was replaced while it was listed
            raise FileNotFoundError
        return read_tensors(file)

    try:
        tensors, notes = while_whole(file.parent, read)
    except FileNotFoundError as error:
        if error.filename is None or Path(error.filename) != file:
            return None
        raise FormatError(file, "file", f"a {kind}", "none") from None
    try:
        config = json.loads(notes.get("firth", ""))
        found = config["kind"], config["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(file, "header", f"a {kind}", f"{error!r:.80}") from None
    if found != (kind, _VERSION):
        what = f"{found[0]!r:.40}, version {found[1]!r:.40}"
        raise FormatError(file, "header", f"a {kind}, version {_VERSION}", what)
    settings, losses, place = (config.get(name) for name in ("settings", "losses", "place"))
    if not isinstance(settings, dict):
        raise FormatError(file, "settings", "names and values", f"{settings!r:.40}")
    if place is not None:
        whole = isinstance(place, dict) and place.keys() == _PLACE.keys()
        if not whole or not all(_is_a(place[name], kind) for name, kind in _PLACE.items()):
            raise FormatError(file, "place", "words, loss and pairs", f"{place!r:.80}")
    some = isinstance(losses, list) and (losses or place)
    if not some or not all(_is_a(loss, float) for loss in losses):
        raise FormatError(file, "losses", "a number for each epoch", f"{losses!r:.40}")
    return Found(settings, losses, tensors, place)


_PLACE = {"words": int, "loss": float, "pairs": int}


def _is_a(value: Any, kind: type[float]) -> bool:
    """Say whether a number is of a kind, finite and, if it counts something, in its range."""
    if isinstance(value, bool) or not isinstance(value, kind):
        return False
    return math.isfinite(value) if kind is float else 0 <= int(value) < 2**62
