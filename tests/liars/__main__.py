"""The table of liars: how each one ends, and how many end right, refused, and wrong."""

from __future__ import annotations

from collections import Counter

from tests.liars import LIARS
from tests.liars.table import outcome


def main() -> None:
    found = [(liar, outcome(liar)) for liar in LIARS]
    for liar, o in found:
        kind = "expressible" if liar.expressible else ""
        print(f"{liar.name:44} {kind:12} {o.verdict:8} {o.words.splitlines()[0][:110]}"
              if o.words else f"{liar.name:44} {kind:12} {o.verdict}")
    count = Counter(o.verdict for _, o in found)
    right = sum(o.verdict == "right" for liar, o in found if liar.expressible)
    print(f"{len(found)} liars: {count['right']} right, {count['refused']} refused, "
          f"{count['wrong']} wrong; of {sum(liar.expressible for liar in LIARS)} expressible "
          f"ones {right} right")


if __name__ == "__main__":
    main()
