"""tests/store/test_leases.py on moto."""

from tests.store.test_leases import *  # noqa: F403
