#!/bin/sh
# Make the virtual environment `.venv` in the current folder and install the project into it.
#
#   environment.sh              with the first of python3, python3.14 ... python3.11 that will do
#   PYTHON=... environment.sh   with this interpreter and no other
#
# Each thing that can be missing is said in one line.
set -eu

fail() {
    echo "make: $*" >&2
    exit 1
}

# Say why the interpreter $1 will not do; nothing when it will.
objection() {
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "there is no $1 on this machine"
    elif ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$1 is $("$1" --version 2>&1)"
    fi
}

choose() {
    if [ -n "${PYTHON:-}" ]; then
        why=$(objection "$PYTHON")
        [ -z "$why" ] || fail "S2S needs Python 3.11 or later, and $why; set PYTHON to another."
        return
    fi
    first=$(objection python3)
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$(objection "$PYTHON")" ] || return 0
    done
    fail "S2S needs Python 3.11 or later, and $first; install one, or set PYTHON to it."
}

choose

# A Debian machine can have Python without these two parts of its standard library.
"$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
    fail "$PYTHON cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv"

# True when .venv is of this folder (its programs name their interpreter by its full path, so a
# copied or moved one is of no use), and its interpreter is there, recent, and has pip.
usable() {
    [ ! -e .venv/.installed ] || [ "$(cat .venv/.installed)" = "$(pwd -P)" ] || return 1
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if ! usable; then
    echo "Making .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear .venv
fi

echo "Installing the versions in constraints.txt"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --editable '.[reference,sign-on,plan,development]' --constraint constraints.txt ||
    fail "pip could not install the project, see above"

# Says which folder this environment was made for; the Makefile compares.
pwd -P > .venv/.installed
