"""tests/store/test_any_order.py on moto."""

from tests.store.test_any_order import *  # noqa: F403
