"""tests/store/test_discounts.py on moto."""

from tests.store.test_discounts import *  # noqa: F403
