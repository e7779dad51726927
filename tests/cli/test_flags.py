"""Flags out of a dataclass: types, defaults, help, and what is refused."""

import argparse
import dataclasses
from typing import Literal

import pytest

from firth.cli import flags


@dataclasses.dataclass(frozen=True)
class Model:
    """A model that learns nothing.

    Parameters
    ----------
    dim
        Numbers per vector.
    lr, decay : float
        Step of the descent, of which
        100 % are taken.
    threads
        How many.

    Returns
    -------
    nothing
        At all.
    """

    dim: int = 100
    lr: float = 0.025
    decay: float = 0.5
    threads: int | None = None
    min_count: int | None = 5
    cbow: bool = False
    shuffle: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    name: str = "nobody"
    memory: int | str | None = None
    made: int = dataclasses.field(default=7, init=False)

    def __post_init__(self):
        if self.dim < 1:
            raise ValueError(f"Model: dim={self.dim} is not at least 1")


def parse(*argv, model=Model):
    parser = argparse.ArgumentParser()
    flags.add_fields(parser, model)
    return flags.from_options(model, parser.parse_args(argv))


def test_without_flags_it_is_the_default():
    assert parse() == Model()


def test_every_type_has_its_flag():
    assert parse(
        *("--dim", "5", "--lr", "1e-3", "--threads", "2", "--min-count", "none", "--cbow"),
        *("--no-shuffle", "--device=cuda", "--name", "x", "--memory", "2 GB"),
    ) == Model(5, 1e-3, 0.5, 2, None, True, False, "cuda", "x", "2 GB")
    assert parse("--memory", "2000").memory == 2000
    assert parse("--memory", "none").memory is None
    assert parse("--threads", "None", "--no-cbow", "--shuffle") == Model()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--dim", "x"], "argument --dim: invalid int value: 'x'"),
        (["--dim", "none"], "argument --dim: invalid int value: 'none'"),
        (["--threads", "1.5"], "argument --threads: invalid int value: '1.5'"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["--made", "3"], "unrecognized arguments: --made 3"),
    ],
)
def test_a_value_of_another_type_is_wrong_usage(capsys, argv, said):
    with pytest.raises(SystemExit) as stop:
        parse(*argv)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_the_dataclass_may_refuse_a_value():
    with pytest.raises(ValueError, match="Model: dim=0 is not at least 1"):
        parse("--dim", "0")


def test_help_comes_from_the_docstring_and_shows_defaults():
    assert flags.parameters(Model) == {
        "dim": "Numbers per vector.",
        "lr": "Step of the descent, of which 100 % are taken.",
        "decay": "Step of the descent, of which 100 % are taken.",
        "threads": "How many.",
    }
    parser = argparse.ArgumentParser()
    flags.add_fields(parser, Model)
    text = " ".join(parser.format_help().split())
    assert "--dim N Numbers per vector. (default: 100)" in text
    assert "--decay X Step of the descent, of which 100 % are taken. (default: 0.5)" in text
    assert "--threads N How many. (default: none)" in text
    assert "--cbow, --no-cbow (default: no)" in text
    assert "--device {cpu,cuda} (default: cpu)" in text


def test_a_field_without_default_is_required(capsys):
    @dataclasses.dataclass
    class Needs:
        dim: int

    with pytest.raises(SystemExit):
        parse(model=Needs)
    assert "the following arguments are required: --dim" in capsys.readouterr().err
    assert parse("--dim", "3", model=Needs) == Needs(3)


@pytest.mark.parametrize("kind", [list[int], bool | None, int | float, Literal["a"] | None])
def test_a_type_without_a_flag_is_an_error_of_the_programmer(kind):
    odd = dataclasses.make_dataclass("Odd", [("things", kind, None)])
    with pytest.raises(TypeError, match="add_fields: things: no flag for a field of type"):
        parse(model=odd)


def test_help_of_a_model_made_from_another_is_found():
    @dataclasses.dataclass(frozen=True)
    class More(Model):
        """A model with one more setting.

        Parameters
        ----------
        dim
            Numbers, as many as you like.
        extra
            What it has more.
        """

        extra: int = 1

    texts = flags.parameters(More)
    assert texts["extra"] == "What it has more."
    assert texts["dim"] == "Numbers, as many as you like."
    assert texts["threads"] == "How many."
