"""tests/store/test_carts.py on moto."""

from tests.store.test_carts import *  # noqa: F403
