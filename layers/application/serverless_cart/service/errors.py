"""Failures of the database, as every store reports them."""


class Unavailable(Exception):
    """The database throttles or does not answer in time, retries included."""


class Ambiguous(Unavailable):
    """A write may or may not have been applied: its answer never came."""
