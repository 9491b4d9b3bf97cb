"""What the package shows at its front door, at no cost until it is used."""

import subprocess
import sys

import pytest

import mezzotint as mz


def test_everything_that_is_named_is_there():
    for name in mz.__all__:
        assert getattr(mz, name).__name__ == name
        assert name in dir(mz)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        mz.lode  # noqa: B018


def test_the_package_imports_nothing_heavy():
    code = "import sys, mezzotint; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
