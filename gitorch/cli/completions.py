"""Completion scripts for bash, zsh and fish, made from the commands' own descriptions.

All words are static: a key press starts no process and asks no repository. Each script serves both spellings,
`git orch` (through what git's completions offer foreign commands) and `git-orch`. Pure text to text; words and
summaries are this project's own, never a user's.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from gitorch.cli.describe import Page, Parameter
from gitorch.cli.table import DESCRIPTION

_BASH = """\
# bash completion for `git orch`; git's own completion calls _git_orch.

# $1: the words to choose from, $2: what follows a chosen one
__git_orch_reply ()
{
    local word
    COMPREPLY=()
    for word in $1; do
        if [[ $word == "$cur"* ]]; then
            COMPREPLY+=("$word$2")
        fi
    done
}

# Sets names and options for what was typed: $1 is the command, or the command and its subcommand
__git_orch_words ()
{
    case "$1" in
@cases@
    esac
}

# $1: index in words of the first word behind `orch`, $2: what follows a chosen word
__git_orch_complete ()
{
    local index=$1 word="" valued="" verb="" below="" names="" options=""
    for (( ; index < cword; index++ )); do
        word=${words[index]}
        if [[ -n $valued ]]; then
            valued=""
            continue
        fi
        case "$word" in
            --) return ;;
            @valued@) valued=$word ;;
            -*) ;;
            *) if [[ -z $verb ]]; then verb=$word; elif [[ -z $below ]]; then below=$word; fi ;;
        esac
    done
    if [[ -n $valued ]]; then
        return
    fi
    __git_orch_words "$verb"
    if [[ -n $below ]]; then
        names=""
        __git_orch_words "$verb $below"
    fi
    if [[ $cur == -* || -z $names ]]; then
        names=$options
    fi
    __git_orch_reply "$names" "$2"
}

# Called by git's completion, with words, cword and cur set. It adds no space behind a word, so this does.
_git_orch ()
{
    local index
    for (( index = 1; index < cword; index++ )); do
        if [[ ${words[index]} == orch ]]; then
            __git_orch_complete $(( index + 1 )) " "
            return
        fi
    done
}

__git_orch_alone ()
{
    local cword=$COMP_CWORD
    local cur=${COMP_WORDS[COMP_CWORD]}
    local -a words=("${COMP_WORDS[@]}")
    __git_orch_complete 1 ""
}

complete -F __git_orch_alone git-orch
"""

_ZSH = """\
#compdef git-orch
#description @description@

# zsh completion for `git orch`; zsh's completion of git calls _git-orch too. Keep it as _git-orch in a folder
# of $fpath, or source it.
_git-orch () {
  local -a names options
  if (( ${words[(I)--]} )) || [[ " @valued@ " == *" ${words[CURRENT-1]} "* ]]; then
    _default
    return
  fi
  case "${(j: :)words[2,CURRENT-1]}" in
@cases@
  esac
  if (( ${#names} )) && [[ $PREFIX != -* ]]; then
    _describe -t commands 'git orch' names
  else
    compadd -- $options
  fi
}

if [[ $funcstack[1] == _git-orch ]]; then
  _git-orch "$@"
else
  compdef _git-orch git-orch
fi
"""

_FISH = """\
# fish completion for `git orch` and `git-orch`.

# Whether the words behind `orch`, options left out, begin with the given ones; after --only, whether they are
# just these.
function __git_orch_at
    set -l only no
    if test "$argv[1]" = --only
        set only yes
        set -e argv[1]
    end
    set -l typed (commandline -opc)
    if not string match -q '*git-orch' -- $typed[1]
        set -l at (contains -i -- orch $typed); or return 1
        set typed $typed[$at..-1]
    end
    set -e typed[1]
    set typed (string match -v -- '-*' $typed)
    test $only = no -o (count $typed) -eq (count $argv); or return 1
    for word in $argv
        test "$typed[1]" = $word; or return 1
        set -e typed[1]
    end
end

complete -c git -n 'test (count (commandline -opc)) -eq 1' -f -a orch -d @description@
for program in git git-orch
@lines@
end
"""


def bash(pages: Sequence[Page]) -> str:
    """The script for bash; without git's own completion it serves the word `git-orch` only."""
    rows = [_bash_case("", _following((), pages), ())]
    rows += [_bash_case(" ".join(p.words), _following(p.words, pages), p.spellings) for p in pages]
    return _filled(_BASH, {"cases": "\n".join(rows), "valued": "|".join(_valued(pages)) or "--"})


def _bash_case(typed: str, following: Mapping[str, str], options: Sequence[str]) -> str:
    return f'        "{typed}") names="{" ".join(following)}" options="{" ".join(options)}" ;;'


def zsh(pages: Sequence[Page]) -> str:
    """The script for zsh."""
    # A pattern without a star is for the word right behind; the longer patterns must come first.
    rows = [_zsh_case("''", _following((), pages), ())]
    for page in sorted(pages, key=lambda page: -len(page.words)):
        typed = " ".join(page.words)
        rows.append(_zsh_case(f"'{typed}'", _following(page.words, pages), page.spellings))
        rows.append(_zsh_case(f"'{typed} '*", {}, page.spellings))
    values = {"cases": "\n".join(rows), "valued": " ".join(_valued(pages)), "description": DESCRIPTION}
    return _filled(_ZSH, values)


def _zsh_case(pattern: str, following: Mapping[str, str], options: Sequence[str]) -> str:
    names = " ".join(shlex.quote(f"{name}:{text}") for name, text in following.items())
    return f"    {pattern}) names=({names}) options=({' '.join(options)}) ;;"


def fish(pages: Sequence[Page]) -> str:
    """The script for fish."""
    lines = []
    for words in ((), *(page.words for page in pages)):
        at = " ".join(("--only", *words))
        lines += [_fish_line(at, f"-a {name}", text) for name, text in _following(words, pages).items()]
    for page in pages:
        options = [parameter for parameter in page.parameters if parameter.spellings]
        lines += [_fish_line(" ".join(page.words), _fish_option(option), option.text) for option in options]
    return _filled(_FISH, {"lines": "\n".join(lines), "description": shlex.quote(DESCRIPTION)})


def _fish_line(at: str, what: str, text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"    complete -c $program -n '__git_orch_at {at}' -f {what} -d '{quoted}'"


def _fish_option(option: Parameter) -> str:
    spelled = [f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.spellings]
    return " ".join([*spelled, "-x"] if option.takes_value else spelled)


def _following(words: tuple[str, ...], pages: Sequence[Page]) -> dict[str, str]:
    """The static words that may come next, with their summaries: subcommands, or the fixed values of an
    argument."""
    below = {p.words[-1]: p.summary for p in pages if p.words[:-1] == words}
    if words == ("help",):
        return _following((), pages)
    arguments = [a for p in pages if p.words == words for a in p.parameters if not a.spellings]
    return below or {choice: argument.text for argument in arguments for choice in argument.choices}


def _valued(pages: Sequence[Page]) -> list[str]:
    """All options that take a value, whose values are not ours to offer."""
    options = [p for page in pages for p in page.parameters if p.takes_value]
    return list(dict.fromkeys(word for option in options for word in option.spellings))


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template
