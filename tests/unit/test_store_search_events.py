"""tests/store/test_search_events.py on moto."""

from tests.store.test_search_events import *  # noqa: F403
