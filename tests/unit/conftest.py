"""Unit tests open no socket: a rule, a parser or a statement needs none."""

import pytest
from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_socket(socket_disabled: None) -> None:
    """Turn every attempt to open one into an error."""
