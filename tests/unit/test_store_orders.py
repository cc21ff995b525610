"""tests/store/test_orders.py on moto."""

from tests.store.test_orders import *  # noqa: F403
