"""tests/store/test_statistics.py on moto."""

from tests.store.test_statistics import *  # noqa: F403
