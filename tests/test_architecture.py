"""The house, held to its plan: ARCHITECTURE.md's tree and laws, and where a kernel must stand."""

import ast
import re
from pathlib import Path

import pytest

import firth

ROOT = Path(__file__).parents[1]
ROOMS = ["cpp", "cuda", "python/firth", "tests", "bench", ".ci", ".github"]
FILES = [path for path in ROOT.glob("*") if path.is_file()] + [
    path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*"))
    if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
]
CXX = [path for path in FILES if path.suffix in {".cc", ".h", ".cu", ".cuh"}]
PACKAGE = [path for path in FILES if path.suffix == ".py" and ROOT / "python" in path.parents]


def read(path: str) -> str:
    """Return a file's text, or nothing where it is missing: what is looked for is then missing."""
    file = ROOT / path
    return file.read_text() if file.is_file() else ""


def functions(path: str) -> set[str]:
    """Return the names that a Python file or stub defines with ``def``, in classes too."""
    return {n.name for n in ast.walk(ast.parse(read(path))) if isinstance(n, ast.FunctionDef)}


# What kernels.h declares, {kernel: its struct of arguments}, and {kernel: its contract header}.
DECLARED = re.compile(r"^  void (\w+)\(const (\w+)&, Range\);", re.MULTILINE)
KERNELS = dict(DECLARED.findall(read("cpp/kernels/kernels.h")))
CONTRACTS = {
    kernel: path.stem
    for kernel, struct in KERNELS.items()
    for path in (ROOT / "cpp/include/firth").glob("*.h")
    if re.search(rf"\bstruct {struct}\b", path.read_text())
}


def test_kernels_are_found_in_the_list_of_names():
    assert {"tokens", "negative_sampling", "prepare", "topk"} <= set(KERNELS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_stands_in_every_place(kernel):
    word = CONTRACTS.get(kernel, kernel)
    defined = rf"\bvoid {kernel}\(const {KERNELS[kernel]}&"
    bound = rf'\bdef\(\s*"{kernel}"'
    python = ["_cpu.pyi", "_backend.py", f"_arrays/_{word}.py", f"kernels/_{word}.py"]
    places = {
        f"cpp/include/firth/{word}.h, its struct": kernel in CONTRACTS,
        f"cpp/kernels/{word}.cc": re.search(defined, read(f"cpp/kernels/{word}.cc")),
        f"cpp/bindings/{word}.cc": re.search(bound, read(f"cpp/bindings/{word}.cc")),
        **{f"python/firth/{file}": kernel in functions(f"python/firth/{file}") for file in python},
        f"tests/oracle/_{word}.py": kernel in functions(f"tests/oracle/_{word}.py"),
        f"tests/kernels/test_{kernel}.py": read(f"tests/kernels/test_{kernel}.py"),
        f"bench/native/{word}.cc": read(f"bench/native/{word}.cc"),
    }
    missing = [place for place, there in places.items() if not there]
    assert not missing, f"{kernel} is missing in {'; '.join(missing)}"
    assert kernel in firth.kernels.__all__


def test_every_kernel_file_belongs_to_a_kernel():
    files = {path.stem: path.read_text() for path in (ROOT / "cpp/kernels").glob("*.cc")}
    acts = re.findall(r"^  i64 (\w+)\(const \w+&", read("cpp/kernels/kernels.h"), re.MULTILINE)
    assert set(files) >= set(CONTRACTS.values())
    for word in set(files) - set(CONTRACTS.values()):  # further acts of a kernel
        assert any(re.search(rf"^i64 {act}\(", files[word], re.MULTILINE) for act in acts), word


@pytest.mark.parametrize(
    "path", sorted((ROOT / "cuda/kernels").glob("*.cu")), ids=lambda path: path.stem
)
def test_a_cuda_kernel_has_the_word_of_a_contract_and_a_stub(path):
    kernels = {kernel for kernel, word in CONTRACTS.items() if word == path.stem}
    assert kernels, f"no kernel of kernels.h has the word {path.stem}"
    assert kernels <= functions("python/firth/_cuda.pyi")


def limit(path: Path) -> int:
    """Return how many lines a file may have."""
    if path == ROOT / "CMakeLists.txt":
        return 60
    return 200 if path.parent == ROOT / "python/firth/models" else 400


def test_files_are_short():
    texts = [path for path in FILES if path.name != "LICENSE" and "data" not in path.parts]
    lines = {path: path.read_bytes().count(b"\n") for path in texts}
    assert len(lines) > 40
    long = [f"{path.relative_to(ROOT)}: {n}" for path, n in lines.items() if n > limit(path)]
    assert not long, f"too many lines in {long}"


def test_no_file_is_deeper_than_three_folders():
    assert not [path for path in FILES if len(path.relative_to(ROOT).parents) > 4]


def test_conditional_compilation_stays_in_its_five_files():
    condition = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b", re.MULTILINE)
    found = {str(p.relative_to(ROOT)) for p in CXX if condition.search(p.read_text())}
    kernels = {f"cpp/kernels/{name}.h" for name in ("simd", "simd_text", "matrix")}
    assert found == {"cpp/include/firth/array.h", *kernels, "cpp/dispatch.cc"}


def test_nothing_is_built_for_one_processor_or_with_openmp():
    builds = [p for p in FILES if p.name in {"CMakeLists.txt", "Makefile", "pyproject.toml", "run"}]
    words = re.compile(r"march=native|mtune=native|fopenmp|OpenMP|#pragma omp|\bomp\.h")
    assert len(builds) > 5
    assert not [p for p in builds if words.search(p.read_text())]
    assert not [p for p in CXX if re.search(r"#pragma omp|\bomp\.h", p.read_text())]


def runs_data(node: ast.AST) -> bool:
    """Say whether this piece of Python could run what a file says."""
    imports = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code"}
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    if imports & {name.split(".")[0] for name in names}:
        return True
    if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
        return not (isinstance(node.value, ast.Constant) and node.value.value is False)
    calls = {"eval", "exec", "compile", "__import__"}
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) in calls


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.stem)
def test_the_package_cannot_run_what_a_file_says(path):
    assert not [node for node in ast.walk(ast.parse(path.read_text())) if runs_data(node)]


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "np.load(f, allow_pickle=True)",
        "exec(text)",
    ],
)
def test_code_that_could_run_a_file_is_seen(code):
    assert any(runs_data(node) for node in ast.walk(ast.parse(code)))
