import pytest

from mezzotint.errors import InputError
from mezzotint.world import art


@pytest.fixture(scope="session")
def tarball() -> bytes:
    """The art as npm gave it; tests that need it are skipped where it can't be had."""
    try:
        return art.fetch()
    except InputError as error:
        pytest.skip(str(error))
