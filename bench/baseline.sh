#!/bin/sh
# The merge queue a person would write: a file lock, fetch, rebase, test, push with a lease. One machine, one process.
# usage: baseline.sh CLONE GATE BRANCH...
set -u
clone=$1 gate=$2
shift 2
cd "$clone" || exit 2
git_dir=$(git rev-parse --absolute-git-dir)
tree=$git_dir/baseline-tree
exec 9>"$git_dir/baseline.lock"
for branch in "$@"; do
    flock 9
    git fetch -q origin main
    tip=$(git rev-parse refs/remotes/origin/main)
    [ -d "$tree" ] || git worktree add -q --detach "$tree" "$tip"
    git -C "$tree" checkout -q --detach --force "refs/heads/$branch"
    git -C "$tree" rebase -q "$tip" || { git -C "$tree" rebase --abort; flock -u 9; continue; }
    (cd "$tree" && sh -c "$gate") || { echo "$branch: red"; flock -u 9; continue; }
    new=$(git -C "$tree" rev-parse HEAD)
    git push -q --force-with-lease="refs/heads/main:$tip" origin "$new:refs/heads/main" || echo "$branch: refused"
    flock -u 9
done
