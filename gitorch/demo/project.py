"""What Alice and Bob work on: recipes that call steps, a file that defines the steps, and a gate that compares the two.

Small enough to be understood at a glance, and it has what a merge queue is for: two branches that are right alone and
wrong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GATE = """\
#!/bin/sh
# Green when every step that a recipe calls is defined in steps.txt.
if [ -p ~/hang ]; then   # on a machine that is about to die, the gate hangs
    : >~/hang.reached
    read -r never <~/hang
fi
result=0
for recipe in recipes/*; do
    for step in $(sed -n 's/^call //p' "$recipe"); do
        grep -qx "def $step" steps.txt && continue
        echo "gate: $recipe calls \\"$step\\", which steps.txt does not define"
        result=1
    done
done
[ $result != 0 ] || echo "gate: every step is defined"
exit $result
"""

SETTINGS = "[orch]\n\tgate = sh gate.sh\n\tgateTimeout = 60\n"


def first_files(gate: str) -> Mapping[str, str]:
    """What is on main when the story begins."""
    return {
        ".gitorch": SETTINGS,
        "gate.sh": gate,
        "hours.txt": "open from 9 to 5\n",
        "recipes/water": "call boil\n",
        "steps.txt": "def boil\ndef bake\n",
    }


@dataclass(frozen=True, slots=True)
class Branch:
    """One commit on top of main as it was when its author began."""

    name: str
    title: str
    files: Mapping[str, str]


SOUP = Branch("soup", "Add soup", {"recipes/soup": "call boil\n"})
EARLY = Branch("early", "Open two hours earlier", {"hours.txt": "open from 7 to 5\n"})
TEA = Branch("tea", "Add tea", {"recipes/tea": "call boil\n"})
CAKE = Branch("cake", "Add a cake", {"recipes/cake": "call bake\n"})

LATE = Branch("late", "Close three hours later", {"hours.txt": "open from 9 to 8\n"})

ROAST = Branch("roast", "Say roast, not bake", {"steps.txt": "def boil\ndef roast\n", "recipes/cake": "call roast\n"})
BREAD = Branch("bread", "Add bread", {"recipes/bread": "call bake\n"})
