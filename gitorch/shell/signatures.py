"""Signs what git orch writes, and reads signatures, by the user's own git: `gpg.format`, `user.signingKey`,
`gpg.program` and what belongs to them are obeyed as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitorch.core.errors import OrchError, UsageError
from gitorch.core.gitobjects import decode_commit
from gitorch.core.model import Job, Oid, Seen, Snapshot
from gitorch.core.names import Mirror, RefKind, branch_ref
from gitorch.core.settings import Settings
from gitorch.core.signing import (
    SIGNATURE_FORMAT,
    SIGNERS_FILE,
    Signature,
    SigningRules,
    duty_of,
    fault,
    gpg_principals,
    parse_signatures,
    signing_rules,
    ssh_signers,
    with_principal,
)
from gitorch.core.times import format_time
from gitorch.shell.gitcmd import Git
from gitorch.shell.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitorch.ports import Clock, Policy

_IDENT = re.compile(rb"^(.*) <([^>]*)> (\d+) ([+-]\d{4})$")


class SignedObjects:
    """Objects whose commits are signed. Everything else passes through."""

    def __init__(self, git: Git, objects: Objects) -> None:
        self.oid_bytes = objects.oid_bytes
        self._git = git
        self._objects = objects

    def read(self, oid: Oid) -> tuple[str, bytes] | None:
        """See Objects."""
        return self._objects.read(oid)

    def write(self, kind: str, data: bytes) -> Oid:
        """See Objects. Raises UsageError when a commit cannot be signed."""
        return self._sign(data) if kind == "commit" else self._objects.write(kind, data)

    def close(self) -> None:
        """See Objects."""
        self._objects.close()

    def _sign(self, data: bytes) -> Oid:
        """The same commit, signed. Git makes it anew, with our identity, time and bytes."""
        head, _, message = data.partition(b"\n\n")
        author = next(line for line in head.split(b"\n") if line.startswith(b"author "))
        found = _IDENT.match(author[7:])
        assert found is not None, author
        name, mail = found[1].decode("utf-8", "surrogateescape"), found[2].decode("utf-8", "surrogateescape")
        date = f"@{found[3].decode()} {found[4].decode()}"
        env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
               (("NAME", name), ("EMAIL", mail), ("DATE", date))}  # fmt: skip
        parts = decode_commit(data)
        parents = [word for parent in parts.parents for word in ("-p", parent)]
        command = ("-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S", parts.tree, *parents)
        result = self._git.run(*command, stdin=message, env=env, ok=())
        if result.status != 0:
            said = result.error_text().strip().splitlines()
            raise UsageError(
                f"an event must be signed, and git could not: {said[0] if said else 'it did not say why'}",
                hint="git config user.signingKey KEY (with ssh keys: git config gpg.format ssh); try: git commit -S",
            )
        return Oid(result.text())


class SignatureReader:
    """Asks git about signatures."""

    def __init__(self, git: Git, clock: Clock) -> None:
        self._git = git
        self._clock = clock

    def read(self, commits: Sequence[Oid], signers: str) -> dict[Oid, Signature]:
        """The signatures of commits, judged by these allowed signers; one that is missing here has none."""
        return self._log(("--no-walk=unsorted",), commits, signers)

    def chain(self, tip: Oid, signers: str) -> dict[Oid, Signature]:
        """The signatures of a chain of events, newest first."""
        return self._log(("--first-parent",), [tip], signers)

    def _log(self, options: Sequence[str], commits: Sequence[Oid], signers: str) -> dict[Oid, Signature]:
        if not commits:
            return {}
        text = "".join(f"{oid}\n" for oid in commits).encode()
        gpg = gpg_principals(signers)
        with self._signers_file(signers) as path:
            result = self._git.run(
                "-c",
                f"gpg.ssh.allowedSignersFile={path}",
                "log",
                *options,
                "--no-show-signature",
                f"--format={SIGNATURE_FORMAT}",
                "--ignore-missing",
                "--stdin",
                stdin=text + b"--\n",
                ok=(),
            )
        if result.status != 0:
            raise OrchError(
                f"the signatures cannot be read: {result.error_text().strip()[:200]}", hint="git orch doctor"
            )
        found = parse_signatures(result.out.decode("utf-8", "replace"))
        return {Oid(oid): with_principal(signature, gpg) for oid, signature in found.items()}

    @contextmanager
    def _signers_file(self, signers: str) -> Iterator[Path]:
        import tempfile  # needed by few

        stamp = re.sub(r"[^0-9]", "", format_time(self._clock.now_ms()))[:14]
        with tempfile.NamedTemporaryFile(
            "w", prefix="git-orch-signers-", encoding="utf-8", errors="surrogateescape"
        ) as file:
            file.write(ssh_signers(signers, stamp))
            file.flush()
            yield Path(file.name)


class SigningPolicy:
    """The rules in force for a target: `orch.*` and, for the signers, the file of `orch.signers`, otherwise
    `.gitorch-signers` of the target's tip."""

    def __init__(self, git: Git, policy: Policy, local: Settings) -> None:
        self._git = git
        self._policy = policy
        self._local = local

    def rules(self, target: str, tip: Oid | None, *, always: bool = False) -> SigningRules:
        """`always`: also what is not required. Raises UsageError when they cannot be read."""
        settings = self._policy.settings(target, tip)
        if not always and not settings.flag("orch.requireSigned", False):
            return SigningRules()
        return signing_rules(settings, self._signers(target, tip))

    def _signers(self, target: str, tip: Oid | None) -> str:
        own = self._local.text("orch.signers")
        if own is not None:
            try:
                return Path(own).expanduser().read_text("utf-8", "surrogateescape")
            except OSError as problem:
                raise UsageError(
                    f"orch.signers: {own}: {problem.strerror}", hint="git config orch.signers PATH"
                ) from None
        found = self._git.run("cat-file", "blob", f"{tip}:{SIGNERS_FILE}", ok=())
        if found.status != 0:
            raise UsageError(
                f"events must be signed, but {target} has no {SIGNERS_FILE} to say by whom",
                hint=f"land a {SIGNERS_FILE} (see docs/security.md), or git config orch.signers PATH",
            )
        return found.out.decode("utf-8", "surrogateescape")


class GitTrust:
    """Implements ports.Trust."""

    def __init__(self, reader: SignatureReader, rules: Callable[[str, Oid | None], SigningRules], git: Git) -> None:
        self._reader = reader
        self._rules = rules
        self._git = git
        self._known: dict[Oid, str] = {}

    def distrust(self, snapshot: Snapshot, seen: Seen[Job]) -> str:
        """See ports.Trust."""
        rules = self._rules(seen.record.target, snapshot.heads.get(seen.record.target))
        if not rules.required:
            return ""
        if seen.oid not in self._known:
            self._known[seen.oid] = self._chain_fault(seen, rules)
        return self._known[seen.oid]

    def _chain_fault(self, seen: Seen[Job], rules: SigningRules) -> str:
        events = self._reader.chain(seen.oid, rules.signers)
        for number, (oid, signature) in enumerate(events.items(), 1):
            word = signature.event
            if number == len(events) > 1 and not word:
                continue  # the constant root
            wrong = fault(signature, duty_of(RefKind.JOB, word), rules)
            if wrong:
                return f"its event {oid[:12]} ({word}) {wrong}"
        return ""

    def trusted_note(self, snapshot: Snapshot, target: str, noted: Oid) -> bool:
        """See ports.Trust."""
        rules = self._rules(target, snapshot.heads.get(target))
        if not rules.required or snapshot.notes is None:
            return True
        paths = (noted, f"{noted[:2]}/{noted[2:]}")
        found = self._git.run("log", "-1", "--no-show-signature", "--format=%H", snapshot.notes, "--", *paths).text()
        if not found:
            return False
        signature = self._reader.read([Oid(found)], rules.signers).get(Oid(found), Signature())
        return not fault(signature, "verdict", rules)


def shared_wish(git: Git, remote: str, mirror: Mirror, target: str) -> bool:
    """Whether the target's `.gitorch`, as this clone saw it last, wants signatures: what is written before the target
    was looked at must be signed, too."""
    tips = (branch_ref(target),) if mirror.is_self else (mirror.heads + target, f"refs/remotes/{remote}/{target}")
    for tip in tips:
        found = git.run("config", "--blob", f"{tip}:.gitorch", "--type=bool", "--get", "orch.requireSigned", ok=())
        if found.status == 0:
            return found.text() == "true"
    return False
