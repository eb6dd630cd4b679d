"""The two streams that people and programs read. Everything the command line prints passes through here.

Promises: a reader that left (`git orch list | head`) ends the output quietly; any other failure to write is one
error, OutputError; characters that the encoding lacks are escaped. Imports nothing, because `--version` prints
through it; gitorch.shell.terminal does the rest.
"""

from __future__ import annotations

import sys


class OutputError(Exception):
    """Standard output took no more: a full disk, say. Says why."""


def say(text: str) -> None:
    """Write to standard output, now. Raises OutputError."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Write to standard error, now. Where that fails there is nobody left to tell."""
    try:
        _write(sys.stderr, text)
    except OutputError:
        return


def complain_of_output(problem: OutputError) -> int:
    """Say that standard output took no more. Returns the exit status for it."""
    complain(f"the output could not be written: {problem}\nhint: make room, or send the output elsewhere\n")
    return 1


def _write(stream: object, text: str) -> None:
    if stream is None or not text:
        # The stream was closed before we started: nobody wants to read.
        return
    try:
        _put(stream, text)
    except UnicodeEncodeError:
        from gitorch.shell.terminal import prepare_streams

        # Every command begins with this; usage errors and help get here without.
        prepare_streams()
        _put(stream, text)


def _put(stream: object, text: str) -> None:
    try:
        stream.write(text)  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
    except OSError as problem:
        _give_up(stream, problem)


def _give_up(stream: object, problem: OSError) -> None:
    import errno

    from gitorch.shell.terminal import silence

    # Or the interpreter tries once more at its exit, and complains in its own words.
    silence(stream)  # type: ignore[arg-type]
    if problem.errno not in (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO):
        raise OutputError(problem.strerror or str(problem)) from None
