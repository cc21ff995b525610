"""How commands fail: a line that says what to do, and an exit code that scripts can tell apart."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's end means (docs/operate.md, "Exit codes")."""

    DONE = 0
    FAILED = 1
    """The command could not do what was asked; nothing is half done that another run would not complete."""
    USAGE = 2
    """The command line was wrong; nothing was done."""
    NOT_FOUND = 3
    """What was named is not there."""
    INCOMPLETE = 4
    """Some of it was done; the rest was refused, row by row, with reasons."""
    FINDINGS = 5
    """The doctor found something that does not work."""
    INTERRUPTED = 130
    """Somebody pressed Ctrl-C; the same command again goes on."""


class CartctlError(Exception):
    """A command cannot go on; the message is one line that says why and what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        """Keep the line and the code."""
        super().__init__(message)
        self.exit_code = exit_code


class NotFoundError(CartctlError):
    """What was named is not there."""

    def __init__(self, message: str) -> None:
        """Keep the line."""
        super().__init__(message, ExitCode.NOT_FOUND)
