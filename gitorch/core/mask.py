"""Credentials in URLs never reach a screen, a record or a report.

Masks the secret part of anything in a text that looks like a URL. It errs towards masking: `https://name@host`
may carry a token as its name, so the whole user part goes; ssh user names are no secrets and stay. Secrets that
are not part of a URL are not recognised.
"""

from __future__ import annotations

import re

MASK = "***"

# git and curl end the authority of a URL at the first of `/ ? #` and take the last `@` before it; so does this. The
# scheme is looked at afterwards: a pattern that begins with one takes the square of the length of `a.a.a.a`.
_USER_PART = re.compile(r"://([^\s/?#]*)@")
_SCHEME = re.compile(r"[A-Za-z0-9+.-]*\Z")
_SCHEME_LIMIT = 40
_SECRET_PARAMETER = re.compile(
    r"(?i)([?&#](?:[a-z0-9_-]*(?:token|secret|password|signature)|api_?key|auth|sig)=)[^&\s#'\"<>]+"
)
_NAMES_ARE_PUBLIC = ("ssh", "git+ssh", "ssh+git", "svn+ssh", "sftp")


def mask_urls(text: str) -> str:
    """The text with the credentials of all its URLs replaced by `***`."""
    if "://" not in text:
        return text
    return _SECRET_PARAMETER.sub(rf"\1{MASK}", _USER_PART.sub(_masked, text))


def _masked(match: re.Match[str]) -> str:
    scheme = _SCHEME.search(match.string[max(0, match.start() - _SCHEME_LIMIT) : match.start()])
    if scheme is None or scheme[0].lower() not in _NAMES_ARE_PUBLIC:
        return f"://{MASK}@"
    name, colon, _ = match[1].partition(":")
    return f"://{name}{colon and ':' + MASK}@"
