"""Checkpoints: a firth folder that has all that an interrupted training goes on from.

model.safetensors holds the tables as they are trained, and in its header the settings, the
fingerprints of what is learnt from, and the losses of the epochs that are finished. config.json
repeats the header for people.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from firth._backend import Floats
from firth._errors import FormatError
from firth._files import atomic_folder, check_folder
from firth._reading import AnyPath
from firth.formats.tensors import read_tensors, write_tensors
from firth.models._training import check_finite

_FILE = "model.safetensors"
_VERSION = 1
_CHUNK = 8 << 20  # bytes; between chunks an interrupt is answered


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
        The settings, losses and tables that the folder had, or None.
    """

    path: Path
    model: str
    settings: dict[str, Any]
    found: tuple[dict[str, Any], list[float], dict[str, npt.NDArray[Any]]] | None

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
        there = folder.exists() and any(folder.iterdir())
        found = _read(folder / _FILE, f"{model.lower()}-checkpoint") if there else None
        saved = cls(folder, model, {}, found)
        saved.expect(**settings)
        if found is not None and len(found[1]) > epochs:
            finished = f"{len(found[1])} finished epochs, expected at most epochs={epochs}"
            raise ValueError(f"{model}: the checkpoint {os.fspath(path)} has {finished}")
        return saved

    def expect(self, **settings: Any) -> None:
        """Raise ValueError unless the folder, if there is one, has these settings."""
        self.settings.update(settings)
        if self.found is None:
            return
        for name, value in settings.items():
            if name not in self.found[0]:
                raise FormatError(self.path / _FILE, "settings", repr(name), "no such entry")
            if self.found[0][name] != value:
                there = f"{name}={self.found[0][name]!r:.80}, expected {value!r:.80}"
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
        _, losses, tensors = self.found
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

    def save(self, losses: list[float], **tables: Floats) -> None:
        """Replace the folder by one with these tables, atomically."""
        config = {
            "format": "firth",
            "version": _VERSION,
            "kind": f"{self.model.lower()}-checkpoint",
            "settings": self.settings,
            "losses": losses,
            "files": [_FILE],
        }
        with atomic_folder(self.path) as folder:
            write_tensors(folder / _FILE, tables, {"firth": json.dumps(config, allow_nan=False)})
            Path(folder, "config.json").write_text(json.dumps(config, indent=2) + "\n", "ascii")


def fingerprint(*parts: npt.NDArray[Any] | list[str]) -> str:
    """Return what tells these arrays or lists of words from all others, as 32 hexadecimal digits.

    Examples
    --------
    >>> fingerprint(["a", "b"])
    '777fc7183606258540ba9945a55d73a7'
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, list):
            part = np.frombuffer(json.dumps(part).encode("ascii"), np.uint8)
        digest.update(f"{part.dtype.str} {part.shape} ".encode())
        data = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
        for at in range(0, len(data), _CHUNK):
            digest.update(data[at : at + _CHUNK])
    return digest.hexdigest()


def _read(file: Path, kind: str) -> tuple[dict[str, Any], list[float], dict[str, npt.NDArray[Any]]]:
    """Return settings, losses and tables of a checkpoint."""
    try:
        tensors, notes = read_tensors(file)
    except FileNotFoundError:
        raise FormatError(file, "file", f"a {kind}", "none") from None
    try:
        config = json.loads(notes.get("firth", ""))
        found = config["kind"], config["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(file, "header", f"a {kind}", f"{error!r:.80}") from None
    if found != (kind, _VERSION):
        what = f"{found[0]!r:.40}, version {found[1]!r:.40}"
        raise FormatError(file, "header", f"a {kind}, version {_VERSION}", what)
    settings, losses = config.get("settings"), config.get("losses")
    if not isinstance(settings, dict):
        raise FormatError(file, "settings", "names and values", f"{settings!r:.40}")
    if not isinstance(losses, list) or not losses or not all(map(_is_number, losses)):
        raise FormatError(file, "losses", "a number for each epoch", f"{losses!r:.40}")
    return settings, losses, tensors


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
