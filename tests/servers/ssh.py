"""ssh: an sshd of our own with git-shell behind a key, and gitolite on top of it.

Clients share one connection, which `start` opens: a handshake for each command would cost a quarter of a second.
"""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.servers.daemons import HOST, NotInstalledError, Server, found
from tests.support import Remote, eventually, git

RUN_DIRECTORY = Path("/run/sshd")
GITOLITE_SHELL = "/usr/share/gitolite3/gitolite-shell"


class Sshd(Server):
    """An sshd without PAM that lets one key in, as whoever runs the tests, and to git-shell only."""

    needs: ClassVar[dict[str, str]] = {
        "sshd": "openssh-server",
        "ssh": "openssh-client",
        "ssh-keygen": "openssh-client",
        "git-shell": "git",
    }
    restrictions = "no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding"

    def launch(self) -> None:
        if os.geteuid() == 0:
            # Where a privileged sshd locks itself up; its package makes it when the system's own one is started.
            RUN_DIRECTORY.mkdir(mode=0o755, exist_ok=True)
        for name in ("host", "client"):
            if not (self.scratch / name).exists():
                self.call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.scratch / name)
        self.authorize()
        config = self.write("sshd_config", self.server_config())
        self.run_listener(found("sshd"), "-D", "-e", "-f", config)
        self.write("known_hosts", f"[{HOST}]:{self.port} {(self.scratch / 'host.pub').read_text()}")
        self.write("ssh_config", self.ssh_config())
        self._open_connection()

    def url_of(self, repo: Path) -> str:
        return f"ssh://{HOST}:{self.port}{repo}"

    def client_environment(self) -> dict[str, str]:
        return {"GIT_SSH_COMMAND": self.ssh}

    @property
    def ssh(self) -> str:
        """The command for git."""
        return f"ssh -F {self.scratch}/ssh_config"

    @property
    def key(self) -> str:
        """The public key of the client."""
        return (self.scratch / "client.pub").read_text()

    def authorize(self) -> None:
        """Say what the key may do."""
        command = f'{found("git-shell")} -c \\"$SSH_ORIGINAL_COMMAND\\"'
        self.write("authorized_keys", f'command="{command}",{self.restrictions} {self.key}')

    def server_config(self) -> str:
        sealed = " ".join(f"{name}={value}" for name, value in self.environment().items() if name.startswith("GIT_"))
        return f"""ListenAddress {HOST}:{self.port}
HostKey {self.scratch}/host
PidFile none
AuthorizedKeysFile {self.scratch}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
PrintMotd no
PrintLastLog no
MaxStartups 500
MaxSessions 500
AcceptEnv GIT_PROTOCOL
SetEnv {sealed}
LogLevel VERBOSE
"""

    def ssh_config(self) -> str:
        return f"""Host {HOST}
    User {getpass.getuser()}
    IdentityFile {self.scratch}/client
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {self.scratch}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ControlPath {self.scratch}/c
    LogLevel ERROR
"""

    def call(self, *argv: str | Path, **env: str) -> None:
        """A command that must succeed."""
        words = [str(arg) for arg in argv]
        done = subprocess.run(
            words, cwd=self.scratch, env={**self.environment(), **env}, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout!r} {done.stderr!r}"

    def _open_connection(self) -> None:
        master = self.run("ssh", "-F", self.scratch / "ssh_config", "-M", "-N", "-p", str(self.port), HOST)
        opened = self.scratch / "c"
        eventually(lambda: opened.exists() or master.poll() is not None, "ssh is connected")
        if opened.exists():
            return
        said = self.said()
        if "account is locked" in said:
            raise NotInstalledError("sshd lets nobody in whose account is locked: passwd -u, or another user")
        raise AssertionError(f"ssh ended: {said}")


class Gitolite(Sshd):
    """gitolite over that sshd, in a home of its own. Its repositories are made by `make`."""

    needs: ClassVar[dict[str, str]] = {**Sshd.needs, "gitolite": "gitolite3", GITOLITE_SHELL: "gitolite3"}

    @property
    def home(self) -> Path:
        return self.scratch / "home"

    def authorize(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.write("admin.pub", self.key)
        self.gitolite("setup", "-pk", "../admin.pub")
        command = f"env HOME={self.home} {GITOLITE_SHELL} admin"
        self.write("authorized_keys", f'command="{command}",{self.restrictions} {self.key}')

    def url_of(self, repo: Path) -> str:
        return f"ssh://{HOST}:{self.port}/{repo.stem}"

    def gitolite(self, *args: str) -> None:
        self.call("sh", "-c", 'cd "$HOME" && exec gitolite "$@"', "gitolite", *args, HOME=str(self.home))

    def make(self, name: str, source: Remote, *rules: str) -> Remote:
        """A repository with what is in `source`, and with these rules only."""
        conf = self.home / ".gitolite/conf/gitolite.conf"
        lines = "".join(f"    {rule} = admin\n" for rule in rules)
        conf.write_text(f"{conf.read_text()}\nrepo {name}\n{lines}")
        self.gitolite("compile")
        self.gitolite("trigger", "POST_COMPILE")
        path = self.home / f"repositories/{name}.git"
        git(path, "fetch", "-q", str(source.path), "main:main")
        git(path, "symbolic-ref", "HEAD", "refs/heads/main")
        return Remote(path, source.ticks)
