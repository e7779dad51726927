"""The kernels' objects obey their law: no mergeable symbol, allocation, exception or thread.

The linker keeps one copy of a weak symbol. Were it the copy compiled for AVX-512, older processors
would crash in it.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What CMake compiles for a level that does not have all kernels.
SOME = re.compile(r"set\(FIRTH_KERNELS_(\w+) (kernels/[^)]*)\)")
MERGEABLE = re.compile(r" [WVu] ")
FORBIDDEN = re.compile(
    r" U (_Zn[wa]|_Zd[la]|_ZSt|_ZNSt|__cxa_|pthread_|Py|_Py"
    r"|(malloc|calloc|realloc|free|aligned_alloc|posix_memalign)$)"
)


def kernel_objects(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the newest object below ``folder`` of every (instruction set, kernel file)."""
    words = {path.stem for path in (ROOT / "cpp" / "kernels").glob("*.cc")}
    lists = SOME.findall((ROOT / "cpp" / "CMakeLists.txt").read_text())
    some = {level: {Path(file).stem for file in files.split()} for level, files in lists}
    found: dict[tuple[str, str], Path] = {}
    for path in folder.rglob("kernels/*.cc.o"):
        level = re.fullmatch(r"firth_(\w+)\.dir", path.parent.parent.name)
        word = path.name.removesuffix(".cc.o")
        if not level or word not in words:
            continue
        key = (level[1], word)
        if key not in found or path.stat().st_mtime > found[key].stat().st_mtime:
            found[key] = path
    levels = {level for level, _ in found} or {"(any instruction set)"}
    missing = [
        f"{word} for {level}"
        for level in levels
        for word in some.get(level, words)
        if (level, word) not in found
    ]
    if missing:
        raise FileNotFoundError(f"{folder}: no object of {', '.join(sorted(missing))}")
    return found


def offences(path: Path) -> list[str]:
    """Return the lines of ``nm`` that the law forbids."""
    lines = subprocess.run(
        ["nm", path], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return [f"{path}: {line}" for line in lines if MERGEABLE.search(line) or FORBIDDEN.search(line)]


if __name__ == "__main__":
    objects = kernel_objects(Path(sys.argv[1])).values()
    bad = [line for path in objects for line in offences(path)]
    sys.exit("\n".join(bad) or 0)
