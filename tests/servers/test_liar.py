"""A server that compares, and swaps later (dulwich): every probe passes one after another, and two win at the same
moment. The counterexample for `git orch doctor --remote-race`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

from tests.git.landing import project
from tests.servers import ALL
from tests.servers.conftest import Client, Start
from tests.servers.daemons import HOST, NotInstalledError, Server
from tests.support import Clone, git

pytestmark = pytest.mark.skipif(not ALL, reason="make test-servers")

SERVE = """
import sys
from importlib.util import find_spec
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from dulwich.repo import Repo
from dulwich.server import Backend
from dulwich.web import WSGIRequestHandlerLogger, make_wsgi_chain

class Folder(Backend):
    def open_repository(self, path):
        name = path.decode() if isinstance(path, bytes) else path
        return Repo(sys.argv[2] + "/" + name.lstrip("/"))

class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True

make_server("127.0.0.1", int(sys.argv[1]), make_wsgi_chain(Folder()), Threads, WSGIRequestHandlerLogger).serve_forever()
"""


class Dulwich(Server):
    """dulwich's own web server, with a thread for each request."""

    needs: ClassVar[dict[str, str]] = {}

    def launch(self) -> None:
        if find_spec("dulwich") is None:
            raise NotInstalledError("dulwich is missing: make test-servers installs it")
        self.run_listener(sys.executable, "-c", SERVE, str(self.port), self.folder)

    def url_of(self, repo: Path) -> str:
        return f"http://{HOST}:{self.port}/{repo.relative_to(self.folder).as_posix()}"


def test_a_server_that_compares_first_and_swaps_later_is_found_by_the_race_alone(
    start: Start, client: Client, tmp_path: Path
) -> None:
    server = start(Dulwich)
    client.use(server)
    remote = project(tmp_path)
    git(tmp_path, "clone", "-q", server.url_of(remote.path), str(tmp_path / "a"))
    clone = Clone(tmp_path / "a", remote.ticks)
    clone.git("config", "user.email", "ada@example.org")
    plain = clone.orch("doctor", "--json", check=None).json()["data"]["findings"]
    raced = clone.orch("doctor", "--remote-race", "--json", check=1).json()["data"]["findings"]
    assert any("refuses to create what exists" in one["what"] for one in plain if one["level"] == "problem")
    assert any("does not compare and swap" in one["what"] for one in raced if one["level"] == "problem")
    assert not remote.refs("refs/orch")
