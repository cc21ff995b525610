"""tests/store/test_table.py on moto."""

from tests.store.test_table import *  # noqa: F403
