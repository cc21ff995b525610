"""The end of the function's time: no call of the database begins that could last longer."""

from collections.abc import Callable
from typing import Final

from serverless_cart.service.errors import Unavailable

CALL_TIME: Final = 6.5
"""Seconds that one call of the database may take: three attempts of one second, up to three seconds of waits between
them, and the answer.
"""


def check_time(time_left: Callable[[], float]) -> None:
    """Raise `Unavailable` if another call could last longer than ``time_left`` (seconds).

    It is for operations that begin again after a conflict, before each of their calls. Only to check whether a whole
    operation fits would be too strict: after three slow calls, 18 seconds, a fourth one still finds the order of a
    transaction without an answer.
    """
    if time_left() <= CALL_TIME:
        raise Unavailable
