"""Unit tests open no socket, and repeat the same random examples."""

import pytest
from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_socket(socket_disabled: None) -> None:
    """Make every attempt to open one an error."""
