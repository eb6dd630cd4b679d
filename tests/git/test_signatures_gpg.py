"""Events signed with gpg: a principal is who the line of the fingerprint says, whatever the key says of itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.git.signing import require_signatures
from tests.support import Clone

pytestmark = [
    pytest.mark.unguarded,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is missing: apt-get install gnupg"),
]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Two keys in a ring of their own; both call themselves Ada. Fingerprints by the name of whose they are."""
    # Short: the agent's socket has a path of about a hundred characters at most.
    home = Path(tempfile.mkdtemp(prefix="orch-gpg-"))
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    found: dict[str, str] = {}
    for name in ("ada", "eve"):
        mail = "Ada <ada@example.org>" if name == "ada" else "Ada <ada@example.org.example>"
        command = ["gpg", "--batch", "--passphrase", "", "--quick-gen-key", mail, "ed25519", "sign", "never"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        listed = subprocess.run(
            ["gpg", "--batch", "--with-colons", "--list-keys"], check=True, capture_output=True, text=True
        )
        prints = re.findall(r"^fpr:+([0-9A-F]+):", listed.stdout, re.MULTILINE)
        found[name] = next(one for one in prints if one not in found.values())
        assert done.returncode == 0
    yield found
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    shutil.rmtree(home, ignore_errors=True)


def use(clone: Clone, key: str) -> None:
    clone.git("config", "gpg.format", "openpgp")
    clone.git("config", "user.signingKey", key)


def test_a_key_of_gpg_signs_and_another_with_its_name_does_not(tmp_path: Path, keys: dict[str, str]) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    require_signatures(clone, f"ada@example.org gpg {keys['ada'].lower()}\n")
    use(clone, keys["ada"])
    use(other, keys["eve"])
    other.git("fetch", "-q", "origin")
    clone.branch("one", {"src/one.txt": "call base\n"}, "Add one")
    clone.orch("submit", "one")
    clone.orch("land", "one")
    assert remote.tip() == clone.git("rev-parse", "one")
    assert "good: ada@example.org" in clone.orch("log", "one", "--show-signature").out
    other.branch("two", {"src/two.txt": "call base\n"}, "Add two")
    other.orch("submit", "two")
    refused = clone.orch("land", "two", check=16)
    assert f"key {keys['eve']}" in refused.err and "allowed signer" in refused.err


def test_a_server_judges_keys_of_gpg_too(tmp_path: Path, keys: dict[str, str]) -> None:
    remote = project(tmp_path)
    clone, other = remote.clone("a"), remote.clone("b")
    require_signatures(clone, f"ada@example.org gpg {keys['ada']}\n")
    clone.orch("hooks", "install", "--server", str(remote.path))
    use(clone, keys["ada"])
    use(other, keys["eve"])
    other.git("fetch", "-q", "origin")
    clone.orch("add", "Work")
    before = remote.refs()
    refused = other.orch("add", "More", check=16)
    assert f"is signed by key {keys['eve']}" in refused.err and "[signature]" in refused.err
    other.git("config", "orch.sign", "false")
    assert "is not signed [signature]" in other.orch("add", "More", check=16).err
    assert remote.refs() == before
