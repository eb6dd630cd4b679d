"""Keys for tests of signatures: made anew, for ssh and for gpg, and a project that requires signatures."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support import Clone


@dataclass(frozen=True)
class SshKey:
    """A key of ssh and its principal."""

    path: Path
    principal: str

    @property
    def line(self) -> str:
        """As a line of allowed signers."""
        kind, key, *_ = self.path.with_suffix(".pub").read_text().split()
        return f"{self.principal} {kind} {key}\n"

    def limited(self, options: str) -> str:
        """The line with options."""
        return self.line.replace(" ssh-", f" {options} ssh-", 1)

    def use(self, clone: Clone) -> None:
        """Sign with it in a clone."""
        clone.git("config", "gpg.format", "ssh")
        clone.git("config", "user.signingKey", str(self.path))


def ssh_key(folder: Path, name: str) -> SshKey:
    path = folder / f"key-{name}"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return SshKey(path, f"{name}@example.org")


def require_signatures(clone: Clone, *lines: str, more: str = "") -> None:
    """Let main say that events are signed, and by whom."""
    gitorch = "[orch]\n\tgate = ./gate.sh\n\trequireSigned = true\n" + more
    clone.git("switch", "-q", "main")
    clone.commit({".gitorch": gitorch, ".gitorch-signers": "".join(lines)}, "Require signatures")
    clone.push("main")
