"""The one error that a user sees, and the help that it gives.

Everything that a user can mend (a wrong name, a broken file, a value out of range) is raised as
`UserError` with one line that says what is wrong, where, and how to mend it. The command line
prints that line and exits with code 2; in a notebook it is an ordinary `ValueError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something that the user can mend, said in one line: what, where, how to mend it."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` known names that look most like `name`, best first."""
    known = list(known)
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(folded), n=count, cutoff=0.5)
    return [folded[c] for c in close]


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UserError:
    """Build the error for a name that is not in a registry.

    Parameters
    ----------
    kind : str
        What the name should have been, e.g. ``"study"`` or ``"layer"``.
    name : str
        What the user wrote.
    known : iterable of str
        The names there are. The nearest are listed; all of them if there are at most eight.
    hint : str
        How to list them all, e.g. ``"list them with: isocortex layers MODEL"``.
    """
    known = list(known)
    close = nearest(name, known)
    if len(known) <= 8:
        help_ = f"known: {', '.join(sorted(known))}" if known else "there is none"
        if close:
            help_ = f"did you mean {' or '.join(close[:2])}? {help_}"
    else:
        help_ = f"nearest: {', '.join(close)}" if close else f"{len(known)} are known"
    return UserError(f"unknown {kind} {name!r}; {help_}{'; ' + hint if hint else ''}")
