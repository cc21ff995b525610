"""How the local cloud fails."""


class LocalCloudError(Exception):
    """The local cloud cannot do what was asked; the message says why and what to do, for a person to read."""
