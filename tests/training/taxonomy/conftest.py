"""Each kind of generator in turn."""

import pytest
from blobs import KINDS, SHAPE

from mezzotint.training.taxonomy.kind import Kind


@pytest.fixture(params=list(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def kind(name: str) -> Kind:
    """Each kind, with its first weights."""
    return KINDS[name](SHAPE)
