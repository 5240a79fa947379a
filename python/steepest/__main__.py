"""``python -m steepest``: the command line, the same as the binary's."""

import signal
import sys
from typing import NoReturn

from steepest._core import run_command_line


def main() -> NoReturn:
    """Runs the command line that Python was given, and exits with its code."""
    # As in the binary: Ctrl-C ends the process, and a run that trains listens by itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_command_line(["steepest", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
