"""Valid inputs, made by the project's own writers from random records: what mutation starts from."""

from __future__ import annotations

import json
from random import Random

from gitorch.core.archive import entry_text
from gitorch.core.codec import AnyRecord, encode
from gitorch.core.gitobjects import TreeEntry, encode_commit, encode_tree
from gitorch.core.model import Color, GraphEdit, Job, JobId, LandingRecord, Lease, Oid, Slot, State, Verdict, Worker
from gitorch.core.names import Namespace
from gitorch.core.verdicts import format_landing, format_verdict
from gitorch.core.writes import ArchiveEntry

TITLES = ("Fix the parser", "x", "ünï 日本 \u202eevil", "-x --force", "a: b = c", "'quoted' \"too\" $(x)", "t" * 500)
BRANCHES = ("main", "fix-parser", "release/1.0", "rel%2F1", "-x", "--upload-pack=x", "ünï", "b" * 300)
HOLDERS = ("ada on host-1", "w-1", "\u2066x", "h" * 200)
NAMESPACE = Namespace()


def oid(random: Random) -> Oid:
    return Oid(f"{random.getrandbits(160):040x}" if random.random() < 0.8 else f"{random.getrandbits(256):064x}")


def job_id(random: Random) -> JobId:
    return JobId(random.choice(("fix", "a", "0", "orch-26", "x" * 64, f"{random.getrandbits(40):x}")))


def _time(random: Random) -> int:
    return random.choice((0, 1_700_000_000_000, -62_135_596_800_000, 253_402_300_799_999, random.getrandbits(40)))


def _extra(random: Random) -> tuple[tuple[str, str], ...]:
    return random.choice(((), (), (("Later", "1"), ("X-Y", "a: b")), (("Zz9", "a\u2028b"),)))


def a_job(random: Random) -> Job:
    """Any legal job."""
    state, often = random.choice(tuple(State)), random.random() < 0.7
    return Job(
        id=job_id(random),
        title=random.choice(TITLES),
        state=state,
        target=random.choice(BRANCHES),
        created_ms=_time(random),
        updated_ms=_time(random),
        branch=random.choice(BRANCHES) if often else None,
        head=oid(random) if often or state is State.SUBMITTED else None,
        priority=random.choice((0, 5, -1_000_000)),
        after=tuple(job_id(random) for _ in range(random.choice((0, 0, 1, 30)))),
        attempt=random.choice((0, 3, 1_000_000)),
        worker=random.choice(HOLDERS),
        token=f"{random.getrandbits(160):040x}",
        ttl_s=random.choice((1, 300, 31_536_000)),
        kept=often,
        slot=random.choice((None, 1, 10_000)),
        landed=oid(random) if often else None,
        labels=random.choice(((), ("a", "Z0._/:+-"))),
        run=random.choice((None, "make test", "$(touch x)")),
        lands=often,
        reason=random.choice((None, "red: \u202e", "r" * 2_000)),
        extra=_extra(random),
    )


def a_lease(random: Random) -> Lease:
    """Any legal lease."""
    ids = {name: random.choice((None, oid(random))) for name in ("base", "candidate", "tree", "gate")}
    return Lease(
        target=random.choice(BRANCHES),
        epoch=random.choice((1, 7, 10**15)),
        held=random.random() < 0.5,
        ttl_s=300,
        since_ms=_time(random),
        updated_ms=_time(random),
        holder=random.choice(HOLDERS),
        token="0" * 40,
        job=random.choice((None, job_id(random))),
        verdict=random.choice((None, Color.GREEN, Color.RED)),
        reason=random.choice((None, "because", "\u2066")),
        extra=_extra(random),
        **ids,
    )


def a_worker(random: Random) -> Worker:
    return Worker(
        id=job_id(random),
        holder=random.choice(HOLDERS),
        present=random.random() < 0.5,
        capacity=random.choice((1, 10_000)),
        ttl_s=random.choice((1, 300)),
        since_ms=_time(random),
        updated_ms=_time(random),
        extra=_extra(random),
    )


def a_slot(random: Random) -> Slot:
    number, extra = random.choice((1, 10_000)), _extra(random)
    return Slot(number=number, held=True, updated_ms=_time(random), job=job_id(random), token="1" * 40, extra=extra)


def a_graph_edit(random: Random) -> GraphEdit:
    after = tuple(job_id(random) for _ in range(random.choice((0, 2, 30))))
    return GraphEdit(job=job_id(random), edits=random.choice((1, 10**15)), updated_ms=_time(random), after=after)


def message(random: Random, record: AnyRecord) -> bytes:
    """An event of a record."""
    body = random.choice(("", "Some words.", "Orch-Format: 1\nRecord: job\n\nState: done", "ünï\n\n\n\x1b[31m"))
    return encode(record, event="submit", subject="s", nonce=f"{random.getrandbits(128):032x}", body=body).encode()


def record(random: Random) -> AnyRecord:
    """Any legal record."""
    return random.choice((a_job, a_lease, a_worker, a_slot, a_graph_edit))(random)


def ref_name(random: Random) -> str:
    """A ref of the namespace."""
    names = NAMESPACE
    whole = (names.graph, names.archive, names.notes, names.lease(random.choice(BRANCHES)), names.slot(7))
    return random.choice((*whole, names.job(job_id(random)), names.worker("w-1"), names.scratch("x")))


def note(random: Random) -> bytes:
    """A note with verdicts, landings and a line of somebody else."""
    lines = ["somebody's own words"]
    for _ in range(random.randrange(4)):
        job, by = random.choice((None, job_id(random))), random.choice((None, *HOLDERS))
        verdict = Verdict(
            color=random.choice(tuple(Color)),
            tree=oid(random),
            gate=oid(random),
            time_ms=_time(random),
            seconds=random.choice((0.0, 1.25, 99_999.9)),
            url=random.choice((None, "https://ci.example.org/?a=b&c=%20", "\u202e")),
            job=job,
            by=by,
        )
        lines.append(format_verdict(verdict))
        lines.append(
            format_landing(
                LandingRecord(
                    job=job_id(random),
                    target=random.choice(BRANCHES),
                    head=oid(random),
                    base=oid(random),
                    time_ms=_time(random),
                    branch=random.choice((None, *BRANCHES)),
                    gate=random.choice((None, oid(random))),
                )
            )
        )
    random.shuffle(lines)
    return "\n".join(lines).encode()


def archived(random: Random, name: JobId) -> bytes:
    """An entry of the archive."""
    job = a_job(random)
    text = message(random, job).decode().replace(f"\nId: {job.id}\n", f"\nId: {name}\n")
    diary = ("2024-01-01T00:00:00.000Z " + "1" * 40 + " add: x by Ada",) * random.randrange(3)
    return entry_text(ArchiveEntry(name, oid(random), text, job.branch, diary)).encode("utf-8", "surrogateescape")


def tree(random: Random) -> bytes:
    """A tree of a sha1 repository."""
    names = (b"README", b"a", b"a.b", b"..", b".git", b"-x", b"\xff\xfe", b"\x1b[31m", b"n" * 300)
    modes = ("100644", "100755", "40000", "120000", "160000")
    chosen = random.sample(names, random.randrange(len(names)))
    return encode_tree(TreeEntry(random.choice(modes), name, Oid(f"{random.getrandbits(160):040x}")) for name in chosen)


def commit(random: Random) -> bytes:
    """A commit, also with headers that we do not write."""
    parents = [oid(random) for _ in range(random.choice((0, 1, 2, 100)))]
    text = message(random, record(random)).decode()
    data = encode_commit(oid(random), parents, random.choice(("A <a@x>", "ü \u202e <>", "> <")), _time(random), text)
    odd = random.choice((b"", b"encoding latin-1\n", b"gpgsig -----BEGIN\n x\n -----END\n", b"mergetag object 1\n"))
    return data.replace(b"\n\n", b"\n" + odd + b"\n", 1) if odd else data


def porcelain(random: Random) -> bytes:
    """What `git push --porcelain` says, and after a form feed what it says on standard error."""
    summaries = ("[up to date]", "[new reference]", "[rejected] (stale info)", "[remote rejected] (hook declined)")
    more = (
        "111..222",
        "[remote rejected] (atomic push failure)",
        "[remote rejected] (cannot lock ref 'x')",
        "[deleted]",
    )
    lines = [
        f"{random.choice(' +-*!=')}\t{oid(random)}:{ref_name(random)}\t{random.choice((*summaries, *more))}"
        for _ in range(random.randrange(5))
    ]
    err = ("", "remote: no\n", "fatal: unpack error\n", "error: 403\n", "ssh: \x1b[31m\n", "fatal: aborted by hook\n")
    return "\n".join(["To /srv/x.git", *lines, "Done"]).encode() + b"\x0c" + random.choice(err).encode()


def configuration(random: Random) -> bytes:
    """A configuration as `git config -z --list` gives it."""
    keys = ("gate", "gatetimeout", "gateretries", "rebase", "everystep", "leasettl", "claimttl", "workerttl")
    more = ("maxattempts", "maxconcurrency", "pollinterval", "namespace", "target", "missingdependency", "jobcommands")
    values = ("300", "true", "make test", "none", "always", "refs/orch", "main", "open", "0", "-1", "")
    chosen = random.choices((*keys, *more), k=random.randrange(12))
    return b"".join(f"orch.{key}\n{random.choice(values)}\x00".encode() for key in chosen)


def words(random: Random) -> bytes:
    """Text that people write."""
    return " ".join(random.choices((*TITLES[:6], *BRANCHES[:7], "https://u:p@h/x?token=1"), k=4)).encode()


def draft(random: Random) -> bytes:
    """Jobs as JSON Lines."""
    one = {
        "title": random.choice(TITLES),
        "id": job_id(random),
        "after": [job_id(random)],
        "priority": 3,
        "body": "x\n",
    }
    two = {"title": "x", "labels": ["a"], "run": "make", "land": False, "target": "main", "branch": "b"}
    return "\n".join(json.dumps(line, ensure_ascii=random.random() < 0.5) for line in (one, two)).encode()


def remembered(random: Random) -> bytes:
    """A small file of the git directory."""
    boot = {"oid": "1" * 40, "boot": "boot", "since_s": random.choice((0, 1.5, 10**9))}
    kept = {"token": "1" * 32, "command": "land"}
    return json.dumps(random.choice((boot, {"tokens": [kept]}, {"tokens": ["a", kept, {}]}, {"token": "a"}))).encode()


def last_seen(random: Random) -> bytes:
    """The file of refs that were seen last."""
    return "".join(f"{ref_name(random)} {oid(random)}\n" for _ in range(random.randrange(6))).encode()


def dependencies(random: Random) -> bytes:
    """`Depends-on:` values as git lists them."""
    return b"\x00".join(random.choice((b"fix\n", b" orch-26 ", b"\x1b[31m", b"a b", b"")) for _ in range(5))


def identity(random: Random) -> bytes:
    """A configured name and mail."""
    return random.choice(("Ada\x0cada@example.org", "\x0c", "ü <x>\x0c<>", ". , :\x0c\u202e", "a\nb\x0cc\td")).encode()
