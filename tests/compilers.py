"""A mark for tests that compile, which needs a C++ compiler."""

import os
import shutil

import pytest

compiler = pytest.mark.skipif(
    not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))),
    reason="there is no C++ compiler",
)
