"""Signatures of events: who must sign what, and what a signature is worth. Pure; git makes and checks them.

Allowed signers are lines in the form of ssh-keygen (`principals [options] keytype key`); a key of gpg is a line
`principal gpg FINGERPRINT`. The same rules are in the server's `pre-receive` hook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitorch.core.lease import LeaseEvent
from gitorch.core.names import RefKind
from gitorch.core.settings import Settings
from gitorch.core.states import Event

SIGNERS_FILE = ".gitorch-signers"

DUTIES: Mapping[str, str] = {
    "submit": "orch.maySubmit",
    "land": "orch.mayLand",
    "break": "orch.mayBreak",
    "verdict": "orch.mayVerdict",
}
"""What can be limited to some principals, and by which setting; without a setting, every allowed signer may."""

SIGNATURE_FORMAT = "%H%x00%G?%x00%GS%x00%GF%x00%(trailers:key=Event,valueonly=true,separator=%x2C)%x00"

_LANDERS = frozenset({Event.CATCH_UP.value, Event.CONFLICT.value, Event.RED.value, Event.LAND.value})
_BEFORE = re.compile(r'(?:^|[ \t,])valid-before="?([0-9]{8})([0-9]{4}(?:[0-9]{2})?)?Z?"?(?=[ \t,]|$)', re.IGNORECASE)
_GPG = re.compile(r"(\S+)[ \t]+gpg[ \t]+([0-9A-Fa-f]{16,64})[ \t]*")


@dataclass(frozen=True, slots=True)
class Signature:
    """What git says about a commit: a letter as of `%G?`, the principal (empty when unknown), the fingerprint,
    and which event it is that was signed."""

    status: str = "N"
    principal: str = ""
    key: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRules:
    """Whether events must be signed, by whom, and who may do what (a duty without an entry: everybody who may
    sign)."""

    required: bool = False
    signers: str = ""
    may: Mapping[str, frozenset[str]] = field(default_factory=dict)


def signing_rules(settings: Settings, signers: str) -> SigningRules:
    """The rules that a configuration states. Raises UsageError for a value that makes no sense."""
    may = {
        duty: frozenset(word for entry in settings.entries(key) for word in entry.value.split())
        for duty, key in DUTIES.items()
    }
    return SigningRules(
        required=settings.flag("orch.requireSigned", False),
        signers=signers,
        may={duty: names for duty, names in may.items() if names},
    )


def duty_of(kind: RefKind, word: str) -> str | None:
    """What an event amounts to; None for what every signer may do."""
    if kind is RefKind.JOB:
        if word == Event.SUBMIT.value:
            return "submit"
        return "land" if word in _LANDERS else None
    if kind is RefKind.LEASE:
        return "break" if word == LeaseEvent.BREAK.value else "land"
    return None


def ssh_signers(signers: str, now: str) -> str:
    """The lines for ssh that are in force. `now` is UTC as YYYYMMDDHHMMSS: whoever has an expired key chooses the date
    of what he signs, so the date of the commit must not decide."""
    lines = (line for line in signers.splitlines() if not line.startswith("#") and not _GPG.fullmatch(line))
    return "".join(f"{line}\n" for line in lines if line.strip() and not _expired(line, now))


def _expired(line: str, now: str) -> bool:
    found = _BEFORE.search(line)
    return found is not None and (found[1] + (found[2] or "")).ljust(14, "0") <= now


def gpg_principals(signers: str) -> dict[str, str]:
    """Fingerprints of gpg keys, in capitals, to principals."""
    found = (_GPG.fullmatch(line) for line in signers.splitlines())
    return {match[2].upper(): match[1] for match in found if match}


def with_principal(signature: Signature, gpg: Mapping[str, str]) -> Signature:
    """A signature by gpg names whatever the key says of itself: what counts is the line of its fingerprint."""
    if signature.key.startswith("SHA256:"):
        return signature
    return replace(signature, principal=gpg.get(signature.key.upper(), ""))


def fault(signature: Signature, duty: str | None, rules: SigningRules) -> str:
    """What is wrong with a signature for a duty, as the end of a sentence; empty when nothing is."""
    who = signature.principal or (f"key {signature.key}" if signature.key else "an unknown key")
    if signature.status == "N":
        return "is not signed"
    if signature.status == "B":
        return f"has a wrong signature ({who})"
    if signature.status in "XY":
        return f"has a signature that expired ({who})"
    if signature.status == "R":
        return f"is signed by a key that was revoked ({who})"
    # Of gpg, "U" is a good signature by a key that its owner's ring does not vouch for: the fingerprint does. Of ssh,
    # it is one by a key that is in no line.
    good = "G" if signature.key.startswith("SHA256:") else "GU"
    if signature.status not in good or not signature.principal:
        return f"is signed by {who}, which is not, or no longer, an allowed signer"
    allowed = rules.may.get(duty) if duty else None
    if allowed is not None and signature.principal not in allowed:
        assert duty is not None
        return f"is signed by {signature.principal}, who is not in {DUTIES[duty]}"
    return ""


def parse_signatures(out: str) -> dict[str, Signature]:
    """What git prints for SIGNATURE_FORMAT. Parts end in NUL, which no part of a commit can hold."""
    parts = out.split("\0")
    rows = zip(parts[::5], parts[1::5], parts[2::5], parts[3::5], parts[4::5], strict=False)
    return {oid.strip(): Signature(*row) for oid, *row in rows}
