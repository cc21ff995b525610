"""The failures of the database that every store raises."""


class Unavailable(Exception):
    """The database throttles or does not answer in time, retries included."""


class Ambiguous(Unavailable):
    """A write may or may not have been applied: no answer arrived."""
