"""Pushes to the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gitorch.core.model import Job, JobId, Oid, State
from tests.hooks.vectors import ARCHIVE, A, B, Build, queued, several, vector
from tests.hooks.world import ARCHIVE_MESSAGE, NS, World, archive_files, job

# -- the archive


class Fold:
    """Two finished jobs that are there. `push` archives them."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.final: dict[str, Job] = {}
        for name, branch in (("a", "feature/a"), ("b", None)):
            record = job(name, state=State.CANCELLED, branch=branch)
            w.put(NS.job(JobId(name)), w.event(record, "cancel", queued(w, name, branch=branch)))
            self.final[name] = record
        self.files = archive_files(w, *((self.tip(name), record) for name, record in self.final.items()))
        self.message = ARCHIVE_MESSAGE

    def tip(self, name: str) -> Oid:
        found = self.w.now(NS.job(JobId(name)))
        assert found is not None
        return found

    def push(self, *gone: str, first: Oid | None = None, parents: list[Oid] | None = None) -> None:
        tips = [self.tip(name) for name in self.final]
        parents = parents if parents is not None else [first or self.w.now(ARCHIVE) or self.w.root, *tips]
        self.w.push(ARCHIVE, self.w.commit(self.message, parents, self.w.tree(self.files)))
        for name in gone:
            self.w.push(NS.job(JobId(name)), None)


@vector("")
def finished_jobs_are_archived(w: World) -> None:
    Fold(w).push("a", "b")


@vector("")
def finished_jobs_join_those_of_a_branch(w: World) -> None:
    made = Fold(w)
    earlier = {path: text for path, text in made.files.items() if path.startswith("by-branch")}
    before = {"aa/old": "tip\n\n", **dict.fromkeys(earlier, "old\n")}
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root], w.tree(before)))
    made.files = {**before, **made.files, **{path: "old\n" + text for path, text in earlier.items()}}
    made.push("a", "b")


@vector("")
def a_job_of_a_branch_in_another_script_is_archived(w: World) -> None:
    record = job(state=State.CANCELLED, branch="größe")
    tip = w.put(A, w.event(record, "cancel", queued(w, branch="größe")))
    w.push(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(archive_files(w, (tip, record)))))
    w.push(A, None)


@vector("archive")
def a_job_of_a_branch_in_another_script_is_left_out_of_the_list(w: World) -> None:
    record = job(state=State.CANCELLED, branch="größe")
    tip = w.put(A, w.event(record, "cancel", queued(w, branch="größe")))
    files = archive_files(w, (tip, replace(record, branch=None)))
    w.push(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(files)))
    w.push(A, None)


def _fold(change: Callable[[Fold], object]) -> Build:
    def build(w: World) -> None:
        made = Fold(w)
        change(made)
        made.push("a", "b")

    return build


def _files(change: Callable[[dict[str, str]], object]) -> Build:
    return _fold(lambda made: change(made.files))


def _entry(files: dict[str, str], name: str = "a") -> str:
    return next(path for path in files if path.endswith(f"/{name}"))


def _edited(old: str, new: str) -> Build:
    def change(files: dict[str, str]) -> None:
        path = _entry(files)
        assert old in files[path]
        files[path] = files[path].replace(old, new)

    return _files(change)


several(
    "archive",
    an_archive_without_an_entry=_files(lambda files: files.pop(_entry(files))),
    an_archive_without_a_branchs_list=_files(
        lambda files: files.pop(next(path for path in files if path.startswith("by-branch")))
    ),
    an_archive_with_a_stranger=_files(lambda files: files.update({"aa/stranger": "tip\n\n"})),
    an_archive_with_a_file_at_the_top=_files(lambda files: files.update({"README": "x"})),
    an_entry_in_another_folder=_files(lambda files: files.update({"zz/a": files.pop(_entry(files))})),
    an_entry_that_tells_another_story=_edited("State: cancelled", "State: done"),
    an_entry_that_names_another_event=_edited("tip ", "tip 0"),
    an_entry_that_lacks_its_end=_edited("Updated: ", "Updated:"),
    a_branchs_list_with_a_stranger=_files(
        lambda files: files.update({p: t + "b\n" for p, t in files.items() if p.startswith("by-branch")})
    ),
)


@vector("archive")
def an_archive_that_loses_an_entry(w: World) -> None:
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root], w.tree({"aa/old": "tip\n\n"})))
    Fold(w).push("a", "b")


@vector("archive")
def an_archive_that_changes_an_entry(w: World) -> None:
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root], w.tree({"aa/old": "tip\n\n"})))
    made = Fold(w)
    made.files["aa/old"] = "tip\n\nelse"
    made.push("a", "b")


@vector("archive")
def an_archive_of_jobs_that_stay(w: World) -> None:
    Fold(w).push()


@vector("archive")
def an_archive_of_one_job_more_than_it_deletes(w: World) -> None:
    Fold(w).push("a")


@vector("archive")
def an_archive_that_begins_anew(w: World) -> None:
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root]))
    Fold(w).push("a", "b", first=w.root)


@vector("archive")
def an_archive_that_does_not_keep_the_diaries(w: World) -> None:
    made = Fold(w)
    made.push("a", "b", parents=[w.root])


@vector("archive")
def an_archive_of_a_job_that_is_not_final(w: World) -> None:
    record = job()
    tip = queued(w)
    w.push(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(archive_files(w, (tip, record)))))
    w.push(A, None)


@vector("damaged")
def an_archive_of_damage(w: World) -> None:
    tip = w.put(A, w.code("damage"))
    w.push(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip]))
    w.push(A, None)


@vector("deletion")
def a_deleted_archive(w: World) -> None:
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root]))
    w.push(ARCHIVE, None)


@vector("kind")
def an_archive_that_is_a_blob(w: World) -> None:
    w.push(ARCHIVE, w.blob("x"))


several(
    "format",
    an_archive_with_any_message=_fold(lambda made: setattr(made, "message", "hello\n")),
    an_archive_without_a_nonce=_fold(lambda made: setattr(made, "message", ARCHIVE_MESSAGE.replace("Nonce: x1\n", ""))),
    an_archive_of_a_later_format=_fold(
        lambda made: setattr(made, "message", ARCHIVE_MESSAGE.replace("Format: 1", "Format: 2"))
    ),
)


@vector("archived")
def a_job_with_the_id_of_an_archived_one(w: World) -> None:
    record = job(state=State.CANCELLED)
    tip = w.event(record, "cancel", w.event(job(), "add"))
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(archive_files(w, (tip, record)))))
    w.push(A, w.event(job(), "add"))


@vector("")
def a_job_with_another_id_than_the_archived_one(w: World) -> None:
    record = job(state=State.CANCELLED)
    tip = w.event(record, "cancel", w.event(job(), "add"))
    w.put(ARCHIVE, w.commit(ARCHIVE_MESSAGE, [w.root, tip], w.tree(archive_files(w, (tip, record)))))
    w.push(B, w.event(job("b"), "add"))
