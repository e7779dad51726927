"""Builds a wheel for every Python that is found and tries it in a fresh virtual environment.

``wheels.py [PYTHON...]`` needs a source distribution in dist; without names it takes every Python
3.11, 3.12 and 3.13 on PATH or under pyenv. ``--size`` and ``--smoke`` are what it does inside.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ["3.11", "3.12", "3.13"]
LIMIT = 5_000_000
ROOT = Path(__file__).parents[1]


def version_of(python: str | Path) -> str | None:
    """Return "3.12" and the like, or None where this does not run (a pyenv shim, say)."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def find_pythons() -> dict[str, Path]:
    """Return an interpreter for each version that this machine has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found: dict[str, Path] = {}
    for version in VERSIONS:
        candidates = [Path(path) for path in [shutil.which(f"python{version}")] if path]
        candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
        for python in candidates:
            if version_of(python) == version:
                found[version] = python
                break
    return found


def check_size(folder: Path) -> None:
    """Print the size of the wheel and fail if it has grown out of bounds."""
    (wheel,) = folder.glob("firth-*.whl")
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size:,} bytes")
    if size > LIMIT:
        sys.exit(f"{wheel.name} is larger than {LIMIT:,} bytes")


def try_wheel(version: str, python: Path) -> None:
    """Build from the source distribution alone, install in a new environment, use it there."""
    (source,) = (ROOT / "dist").glob("firth-*.tar.gz")
    room = ROOT / "build" / "wheels" / version
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)

    def do(*command: str | Path) -> None:
        subprocess.run(command, check=True, cwd=room, stdin=subprocess.DEVNULL)

    do(python, "-m", "venv", room / "venv")
    inside = room / "venv" / "bin" / "python"
    do(inside, "-m", "pip", "wheel", "-q", "--no-deps", "-w", room, source)
    check_size(room)
    (wheel,) = room.glob("firth-*.whl")
    do(inside, "-m", "pip", "install", "-q", wheel)
    do(inside, "-I", Path(__file__).resolve(), "--smoke")


def check_parts(distribution: importlib.metadata.Distribution) -> None:
    """Fail unless the list of what firth is made of (PEP 770) lies in the wheel and is true."""
    parts = json.loads(distribution.read_text("sboms/firth.cdx.json") or "{}")
    assert parts["metadata"]["component"]["version"] == distribution.version
    assert parts["metadata"]["component"]["purl"] == f"pkg:pypi/firth@{distribution.version}"
    needed = {text.split(">")[0] for text in distribution.requires or [] if "extra" not in text}
    assert {part["name"] for part in parts["components"]} == {"pybind11", *needed}


def smoke() -> None:
    """Import, train, query, save and load; in the environment that runs this."""
    import tempfile

    import firth

    assert firth.__version__ == importlib.metadata.version("firth")
    assert Path(firth.__file__).with_name("py.typed").is_file()
    check_parts(importlib.metadata.distribution("firth"))
    line = " ".join(f"{a} {b} {a}" for a, b in [("cat", "dog"), ("sun", "moon")] * 50)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "corpus.txt")
        text.write_text(f"{line}\n" * 20, encoding="utf-8")
        embedding = firth.Word2Vec(dim=16, epochs=2, min_count=1, seed=1).fit(text)
        assert set(embedding.keys) == {"cat", "dog", "sun", "moon"}
        neighbours = embedding.most_similar("cat", k=2)
        embedding.save(Path(folder, "model"))
        again = firth.load(Path(folder, "model"))
        assert again.most_similar("cat", k=2) == neighbours
    command = Path(sys.executable).with_name("firth")
    subprocess.run([command, "--version"], check=True, stdout=subprocess.DEVNULL)
    print(f"works with Python {sys.version.split()[0]}")


def try_wheels(arguments: list[str]) -> None:
    """Try the named interpreters, or all that are found."""
    named = {version_of(python) or python: Path(python).absolute() for python in arguments}
    pythons = named or find_pythons()
    if not pythons:
        sys.exit(f"no Python {', '.join(VERSIONS)} found; name some: make test-wheels PYTHONS=...")
    for version, python in pythons.items():
        try_wheel(version, python)
    missing = sorted(set(VERSIONS) - set(pythons))
    print(f"tried {', '.join(pythons)}; not found: {', '.join(missing) or 'none'}")


def main(arguments: list[str]) -> None:
    """Do what the module says."""
    if arguments == ["--smoke"]:
        smoke()
    elif arguments[:1] == ["--size"]:
        check_size(Path(arguments[1]))
    else:
        try_wheels(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
