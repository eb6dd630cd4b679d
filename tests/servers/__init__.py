"""Scenarios over real git servers, which the tests start on 127.0.0.1 with configuration of their own.

A failure here and not in tests/git means that git orch relies on something that a path does and a server does not.
With ORCH_SERVERS_ALL=1 (`make test-servers`) every scenario is run over every server, and the rarer servers too.
"""

from __future__ import annotations

import os

REQUIRED = frozenset(os.environ.get("ORCH_SERVERS_REQUIRED", "").split())
"""Kinds of servers without which the tests fail, instead of skipping what needs them: `.ci/run` names them."""

ALL = bool(os.environ.get("ORCH_SERVERS_ALL"))
