"""tests/store/test_methods.py on moto."""

from tests.store.test_methods import *  # noqa: F403
