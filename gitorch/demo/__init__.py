"""The demonstration behind `git orch demo`: real git and the real program in a directory that is thrown away.

`stage` is the directory and the processes in it, `project` what the two people of the story work on, `narrator` how it
is told, `story` what happens and what must come of it. A story that does not come out as told is a failure, so
the demonstration is a test as well. Of git orch it imports errors, text and the clock: it sees the program from
outside, as its users do.
"""
