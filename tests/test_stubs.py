"""The stubs of the compiled modules, held against what the modules' own signatures say."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import firth

FOLDER = Path(__file__).parents[1] / "python" / "firth"
MODULES = [name for name in ("_cpu", "_cuda") if importlib.util.find_spec(f"firth.{name}")]


def split(text: str) -> list[str]:
    """Split at the commas that stand in no bracket and no quotes."""
    parts, depth, start, quote = [], 0, 0, ""
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "[({":
            depth += 1
        elif c in "])}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def compiled_signature(function) -> list[str]:
    """Return ``[name, name=, *, ...]`` from the first line of a pybind11 docstring."""
    first = function.__doc__.splitlines()[0]
    inside = re.fullmatch(r"\w+\((.*)\) -> .*", first)
    assert inside, first
    arguments = []
    for part in split(inside[1]):
        name = re.match(r"[*/]?\w*", part)[0]
        arguments.append(name + "=" if " = " in part else name)
    return arguments


def stub_signature(node: ast.FunctionDef) -> list[str]:
    """Return the same from a stub."""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    given = len(positional) - len(a.defaults)
    names = [arg.arg + ("=" if i >= given else "") for i, arg in enumerate(positional)]
    if a.posonlyargs:
        names.insert(len(a.posonlyargs), "/")
    if a.kwonlyargs:
        names.append("*")
    pairs = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    return names + [arg.arg + ("=" if default is not None else "") for arg, default in pairs]


def public(scope: object) -> dict[str, object]:
    return {name: value for name, value in vars(scope).items() if not name.startswith("_")}


def check(scope: object, body: list[ast.stmt], where: str) -> None:
    stubbed = {n.name: n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    values = {n.target.id for n in body if isinstance(n, ast.AnnAssign)}
    compiled = public(scope)
    assert {n for n in stubbed if not n.startswith("_")} | values == set(compiled), where
    for name, node in stubbed.items():
        if isinstance(node, ast.ClassDef):
            check(compiled[name], node.body, f"{where}.{name}")
        elif name == "__init__" or (not name.startswith("_") and callable(compiled[name])):
            got = compiled_signature(getattr(scope, name))
            assert got == stub_signature(node), f"{where}.{name}"


@pytest.mark.parametrize("name", MODULES)
def test_the_stub_says_what_the_module_says(name):
    module = importlib.import_module(f"firth.{name}")
    check(module, ast.parse((FOLDER / f"{name}.pyi").read_text()).body, name)


def test_the_stubs_travel_with_the_package():
    installed = Path(firth.__file__).parent
    for name in ["_cpu.pyi", "py.typed"]:
        assert (installed / name).is_file()


def test_signatures_are_told_apart():
    def compiled():
        """f(a: int, *, b: Annotated[x, "[m, n]"], c: dict[str, int] = {}) -> tuple[int, int]"""

    same, other = (
        ast.parse(text).body[0]
        for text in ["def f(a, *, b, c=...): ...", "def f(a, b, *, c=...): ..."]
    )
    assert compiled_signature(compiled) == stub_signature(same) != stub_signature(other)
