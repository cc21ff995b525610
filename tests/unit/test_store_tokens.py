"""tests/store/test_tokens.py on moto."""

from tests.store.test_tokens import *  # noqa: F403
