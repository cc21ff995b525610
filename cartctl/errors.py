"""How commands fail: a one-line message that says what to do, and an exit code for scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The meaning of an exit code (docs/operate.md, "Exit codes")."""

    DONE = 0
    FAILED = 1
    """The command failed. Running it again completes whatever it had started."""
    USAGE = 2
    """The command line was wrong; nothing was changed."""
    NOT_FOUND = 3
    """The named object does not exist."""
    INCOMPLETE = 4
    """Rows of a file were refused, with reasons; the others were done, if the command does parts."""
    FINDINGS = 5
    """The doctor found something that does not work."""
    INTERRUPTED = 130
    """Ctrl-C; the same command continues."""


class CartctlError(Exception):
    """A command cannot continue. The message is one line with the reason and what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NotFoundError(CartctlError):
    """The named object does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.NOT_FOUND)
