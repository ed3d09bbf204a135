"""From the arguments of the process to its exit code, with one line for every mistake."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from isocortex.cli.root import app, say
from isocortex.errors import UserError, nearest

# typer moves its click about from version to version; what its exceptions derive from stays.
_UsageError: Any = typer.BadParameter.__mro__[1]

_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0; 1 where `doctor` finds something wrong, or nobody reads the output any more; 2 for a
        mistake that the user can mend, told in one line; 130 after an interruption.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    command = typer.main.get_command(app)
    try:
        code = command.main(args=given, prog_name="isocortex", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough; what is still buffered must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UserError as error:
        say(str(error))
        return 2
    except _UsageError as error:
        say(_usage(error))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        what = f"{error.strerror}: {error.filename or 'a file'}"
        say(f"{what}; see to its rights and to the free disk space")
        return 2
    if code == 130:
        say("interrupted; give the same command again to go on from the last finished step")
    return int(code or 0)


def _usage(error: Any) -> str:
    """Return one line for a mistake in how the command was written."""
    text = str(error.format_message()).rstrip(".")
    option = getattr(error, "option_name", None)
    context = error.ctx
    if option is not None and context is not None and text.startswith("No such option"):
        known = [name for parameter in context.command.params for name in parameter.opts]
        close = nearest(option, known)
        text = f"unknown option {option}" + (
            f"; did you mean {' or '.join(close)}?" if close else ""
        )
    command = context.command_path if context is not None else "isocortex"
    return f"{text} ({command} --help describes it)"
