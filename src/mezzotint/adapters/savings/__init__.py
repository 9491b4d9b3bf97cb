"""Approximate savings: adapters that compute less of a network, for a picture that is nearly it."""

from collections.abc import Callable

from mezzotint.adapters.base import Adapter
from mezzotint.adapters.savings.deepcache import deepcache
from mezzotint.adapters.savings.first_block import first_block
from mezzotint.adapters.savings.token_merging import token_merging

SAVINGS: dict[str, Callable[..., Adapter]] = {
    "deepcache": deepcache,
    "first_block": first_block,
    "token_merging": token_merging,
}
"""Each is called with nothing, for its default, or with how much is to be saved."""
