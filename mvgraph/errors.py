"""The one exception that stands for a user's mistake."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake in what the user gave: data, options, file or key.

    The message is one sentence that names the offending part and what would be right.
    The command line prints it and exits with code 2; no traceback is shown.
    """
