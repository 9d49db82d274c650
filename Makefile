# make install:    installs the package into .venv.
# make quickstart: trains on a synthetic sample; nothing to download.
# make test:       runs the tests.
# make lint:       checks format and style.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install quickstart test lint
.DELETE_ON_ERROR:

install: $(VENV)/installed
	@echo "Installed. Next: . $(BIN)/activate, then: discogan"

quickstart: $(VENV)/installed
	$(BIN)/python -m data_prep sample --data_dir=data
	$(BIN)/python train.py --flagfile=quickstart.cfg
	@echo
	@echo "Next: open the images and curves named above (. $(BIN)/activate brings the commands),"
	@echo "evaluate it: python -m discogan_tf.evaluate --workdir=runs/quickstart, and see README.md for"
	@echo "your own images, the real photos, and exports."

# In three parts, each with its own processes: TensorFlow never frees what it compiled, and one
# process for all tests would take 10 GB.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
APART := tests/contracts tests/experiments tests/serving
test: $(VENV)/installed-dev
	$(PYTEST) $(APART)
	$(PYTEST) tests --ignore=tests/training $(APART:%=--ignore=%)
	$(PYTEST) --dist loadgroup tests/training

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed; name one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "A virtual environment could not be made. On Debian: apt install python3-venv"; exit 1; }

# Without --no-compile, pip compiles thousands of modules of which most are never imported.
$(VENV)/installed: $(VENV)/bin/python setup.py requirements.txt
	@echo "Installing TensorFlow and other packages, about a minute ..."
	$(BIN)/pip install --quiet --no-compile -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python setup.py requirements.txt
	@echo "Installing TensorFlow and other packages, about a minute ..."
	$(BIN)/pip install --quiet --no-compile -e .[dev]
	touch $@ $(VENV)/installed
