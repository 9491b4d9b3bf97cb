"""What the package shows at its front door, at no cost until it is used."""

import os
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


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE"])
def test_what_is_asked_of_torch_is_the_users_to_change(name: str):
    code = f"import os, mezzotint; print(os.environ[{name!r}])"
    told = {
        value: subprocess.run(
            [sys.executable, "-c", code],
            env={key: told for key, told in os.environ.items() if key != name}
            | ({name: value} if value else {}),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for value in ("", "0")
    }
    assert int(told[""]) > 0
    assert told["0"] == "0\n"
