"""tests/store/test_sessions.py on moto."""

from tests.store.test_sessions import *  # noqa: F403
