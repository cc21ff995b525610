"""The error of the local cloud."""


class LocalCloudError(Exception):
    """The local cloud cannot continue. The message has the reason and what to do."""
