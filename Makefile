# What a developer types. Everything made here lies in .venv, build and dist; `make clean` removes all three.
#   make PYTHON=python3.13 test      another interpreter        make CUDA_ARCHITECTURES=90a-real cuda      one architecture
PYTHON ?= python3
CUDA_ARCHITECTURES ?= 75-real;80-real;86-real;89-real;90a-real;100-real;120
NVCC := $(shell command -v nvcc)
export FIRTH_CUDA ?= OFF
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PIP := .venv/bin/python -m pip
SOURCES := $(shell find cpp cuda python -name '*.py' -o -name '*.pyi' -o -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name CMakeLists.txt)
CXX_FILES = $(shell git ls-files '*.cc' '*.h' '*.cu' '*.cuh')
CMAKE := cmake -G Ninja -S . -DCMAKE_BUILD_TYPE=Release

.PHONY: demo test test-cpp lint format bench fuzz sanitize trust native sdist wheel test-wheels cuda cuda-test cuda-sanitize cuda-bench device develop install clean

demo: install
	.venv/bin/firth demo tests/data/wiki-sample.txt.xz

# The closing line of pytest is the last one printed.
test: install .venv/test.stamp test-cpp
	.venv/bin/python -m pytest

test-cpp: native
	ctest --test-dir build/native --output-on-failure

lint: install .venv/test.stamp .venv/lint.stamp native
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/clang-format --dry-run -Werror $(CXX_FILES)
	.venv/bin/codespell $$(git ls-files ':!tests/data' ':!tests/*/corpus/*')
	.venv/bin/python tests/check_symbols.py build/native

format: .venv/lint.stamp
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/clang-format -i $(CXX_FILES)

# One executable per kernel, then firth against the peers that are installed; _*.py is what these share.
# The picture of speed against quality goes to bench/results/<machine>/word2vec_frontier-sample.png.
bench: install native .venv/bench.stamp
	set -e; for program in build/native/bench/native/bench_*; do [ -x $$program ] && $$program; done
	set -e; for task in bench/peers/[!_]*.py; do .venv/bin/python $$task; done

# The promises of SECURITY.md, tried: hours in all; tests/trust/README.md says what each part does.
trust: install .venv/test.stamp .venv/trust.stamp native
	.venv/bin/python tests/trust/table.py $(PARTS)

fuzz: install .venv/test.stamp .venv/trust.stamp
	.venv/bin/python tests/trust/table.py fuzz-cpp fuzz

sanitize: install .venv/test.stamp native
	.venv/bin/python tests/trust/table.py address thread valgrind

sdist: .venv/build.stamp
	rm -rf dist
	.venv/bin/python -c "from scikit_build_core.build import build_sdist as s; print(s('dist'))"

# From nothing but the source distribution.
wheel: sdist
	$(PIP) wheel -q --no-deps --no-build-isolation -w dist dist/firth-*.tar.gz
	.venv/bin/python tests/wheels.py --size dist

# Every Python 3.11, 3.12 and 3.13 found on PATH or under pyenv, or those named by PYTHONS.
test-wheels: sdist
	.venv/bin/python tests/wheels.py $(PYTHONS)

cuda: .venv/build.stamp
ifeq ($(NVCC),)
	@echo "make cuda: no nvcc on PATH, so nothing was compiled" >&2; exit 1
else
	$(CMAKE) -B build/cuda -DFIRTH_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$(CUDA_ARCHITECTURES)" \
	  -Dpybind11_DIR=$$(.venv/bin/python -m pybind11 --cmakedir) -DPython_EXECUTABLE=$(CURDIR)/.venv/bin/python
	cmake --build build/cuda --target _cuda
endif

device:
	@nvidia-smi -L || { echo "this target needs a CUDA device, and nvidia-smi finds none here" >&2; exit 1; }

# DEVICE_PYTHON has cupy, pytest, hypothesis, pybind11 and scikit-build-core; nothing is downloaded.
DEVICE_PYTHON ?= $(PYTHON)
build/device: device $(SOURCES)
	FIRTH_CUDA=ON $(DEVICE_PYTHON) -m pip install -q --no-index --no-build-isolation --no-deps --upgrade \
	  --target build/device . -Cbuild-dir=build/device-objects -Ccmake.define.CMAKE_CUDA_ARCHITECTURES=native

cuda-test: build/device
	PYTHONPATH=build/device $(DEVICE_PYTHON) -m pytest -m gpu

# Where the CUDA toolkit has compute-sanitizer: each of its tools over the same tests.
cuda-sanitize: build/device
	set -e; for tool in memcheck racecheck initcheck synccheck; do PYTHONPATH=build/device \
	  compute-sanitizer --tool $$tool --error-exitcode 1 $(DEVICE_PYTHON) -m pytest -m gpu -q; done

cuda-bench: build/device
	set -e; for task in bench/cuda/[!_]*.py; do PYTHONPATH=build/device $(DEVICE_PYTHON) $$task; done

# An installation that follows the sources: Python at once, C++ at the next import.
develop: .venv/build.stamp
	$(PIP) install -q --no-build-isolation -Ceditable.rebuild=true -Ceditable.verbose=false -Cbuild-dir=build/editable -e .
	touch .venv/editable .venv/install.stamp

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

install: .venv/install.stamp

.venv/install.stamp: .venv/build.stamp pyproject.toml CMakeLists.txt $(SOURCES)
	[ -e .venv/editable ] || $(PIP) install -q --no-build-isolation .
	@touch $@

# The C++ tests, the benches and the objects that the symbol check reads: everything but Python.
native: .venv/build.stamp
	$(CMAKE) -B build/native -DFIRTH_PYTHON=OFF -DFIRTH_CUDA=OFF -DFIRTH_TESTS=ON -DFIRTH_BENCH=ON --log-level=WARNING
	cmake --build build/native

.venv/build.stamp: pyproject.toml
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	$(PIP) install -q --upgrade 'pip>=25.1'
	$(PIP) install -q --group build
	@touch $@

.venv/%.stamp: .venv/build.stamp pyproject.toml
	$(PIP) install -q --group $*
	@touch $@
