"""One module a command. How to write one:

The table (gitorch.cli.table) names the command, its group and its summary. `gitorch/cli/commands/<name>.py`
defines

    def run(job: Annotated[str, typer.Argument(...)], as_json: AsJson = False) -> Answer:
        '''First line: what it does. Then a paragraph or two; `-h` and the manual page show all of it.'''

    EXITS = ("nothing", "busy", "red")        # outcomes beyond those that every command may have, best first
    EXAMPLES = ("git orch land --all --wait",)  # optional

- `run` builds the adapters, calls one engine function, and *returns* an Answer (gitorch.cli.outcome): for
  everything that is to be expected, with its code. It prints nothing itself; progress goes to standard error
  through the terminal of the shell.
- It raises OrchError for failures, and UsageError, not an error of typer's, for arguments that turn out wrong.
  Anything else that it raises is a fault and becomes a report.
- Every command takes `as_json`; shared options come from gitorch.cli.options and keep their names (`remote`,
  `target`, `quiet`, `color`).
- At the head of the module it imports the standard library, typer, gitorch.cli and gitorch.core only; the
  engine, the shell, pygit2 and filelock are imported inside `run`, so that help, completion and usage errors
  stay fast.
- A command with subcommands (`lease`) defines `SUBCOMMANDS = {"show": show, "break": break_, ...}` instead of
  `run`, one function each, in the names of the table; the module's docstring is then the help of the whole.
"""
