"""Servers for the scenarios: each kind is started once a test process, on the folder that holds the folders of all its
tests. What is not installed is skipped, with the package to install."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.git.landing import project
from tests.servers import ALL, REQUIRED
from tests.servers.daemons import GitDaemon, NotInstalledError, PathServer, Server
from tests.servers.http import HttpServer, Nginx, http_server
from tests.servers.ssh import Sshd
from tests.support import Clone, Remote, git

KINDS: dict[str, Callable[[], Server]] = {
    "path": PathServer,
    "daemon": GitDaemon,
    "http": http_server,
    "ssh": Sshd,
    **({"nginx": Nginx} if ALL else {}),
}
DISTANT = [kind for kind in KINDS if ALL or kind in ("http", "ssh")]
"""Where scenarios go that are known to work on a path; both, as they answer in most different ways."""

Start = Callable[[Callable[[], Server]], Server]


@dataclass(frozen=True, slots=True)
class ServedRemote(Remote):
    """A remote that its clones know by the URL of a server."""

    url: str = field(kw_only=True)

    def clone(self, name: str, *options: str) -> Clone:
        path = self.path.parent / name
        git(self.path.parent, "clone", "--quiet", *options, self.url, str(path))
        return Clone(path, self.ticks)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a kind of server, or returns the one that runs already; skips the test when there is none to be had."""
    running: dict[Callable[[], Server], Server | str] = {}
    with ExitStack() as stack:

        def started(kind: Callable[[], Server]) -> Server:
            if kind not in running:
                try:
                    running[kind] = stack.enter_context(kind().start(tmp_path_factory.getbasetemp()))
                except NotInstalledError as problem:
                    running[kind] = str(problem)
            server = running[kind]
            if isinstance(server, str):
                assert not REQUIRED & {name for name, known in KINDS.items() if known is kind}, server
                pytest.skip(server)
            return server

        yield started


@dataclass(frozen=True, slots=True)
class Client:
    """The user of a test: her configuration of git, and her environment."""

    monkeypatch: pytest.MonkeyPatch
    config: Path

    def use(self, server: Server, *, replaces: Path | None = None) -> None:
        """Know how to reach a server. Where tests say the path of the repository `replaces`, take the server's URL."""
        text = server.client_config()
        if replaces is not None and server.url_of(replaces) != str(replaces):
            text += f'[url "{server.url_of(replaces)}"]\n\tinsteadOf = {replaces}\n'
        self.config.write_text(text)
        self.monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(self.config))
        for name, value in server.client_environment().items():
            self.monkeypatch.setenv(name, value)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sealed_environment: None) -> Client:
    return Client(monkeypatch, tmp_path / "client.gitconfig")


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, start: Start, client: Client, tmp_path: Path) -> ServedRemote:
    """The project of the landing tests, on each kind of server in turn."""
    server = start(KINDS[request.param])
    client.use(server)
    made = project(tmp_path)
    return ServedRemote(made.path, made.ticks, url=server.url_of(made.path))


@pytest.fixture(params=DISTANT)
def over(request: pytest.FixtureRequest, start: Start, client: Client, tmp_path: Path) -> Server:
    """Whatever names `remote.git` by its path goes over a server."""
    server = start(KINDS[request.param])
    client.use(server, replaces=tmp_path / "remote.git")
    return server


@pytest.fixture
def private_http(client: Client, tmp_path: Path) -> Iterator[HttpServer]:
    """An HTTP server for one test, who may stop it. Its client has no password but what is in a URL."""
    try:
        server = http_server().start(tmp_path)
    except NotInstalledError as problem:
        pytest.skip(str(problem))
    with server:
        yield server
