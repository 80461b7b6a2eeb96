#!/usr/bin/env python3
"""Stories of several servers on one PostgreSQL, told from outside: through their API, and as AWS sees them.

    tests/cluster/main.py BINARY [NAME…]

Without a NAME all are told, a few at a time. Those about clocks need KEYWHEEL_FAULT_POINTS_BUILD, the path of a build
with the feature `fault-points`.
"""

import concurrent.futures
import itertools
import os
import pathlib
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "stories"), str(TESTS / "postgres")]

import clocks
import limits
import moving
import outages
import serving
import sharing
import taking_over
from server import running
from support import end_telling, tell

# Stories at the same time. They mostly wait.
LANES = 3
STORIES = dict(
    taking_over.STORIES
    + outages.STORIES
    + serving.STORIES
    + sharing.STORIES
    + limits.STORIES
    + clocks.STORIES
    + moving.STORIES
)


def told(name, binary, folder):
    """Tells one story, in a process of its own; what broke."""
    return tell([(name, STORIES[name])], binary, folder)


def main(binary, *names):
    chosen = [name for name in STORIES if not names or name in names]
    with (
        tempfile.TemporaryDirectory(prefix="keywheel-cluster-") as folder,
        # A server that crashes keeps what it said it had kept.
        running(synchronous_commit="on") as server,
        concurrent.futures.ProcessPoolExecutor(LANES) as pool,
    ):
        os.environ["KEYWHEEL_TEST_POSTGRES"] = server.address()
        told_all = pool.map(told, chosen, [os.path.abspath(binary)] * len(chosen), [folder] * len(chosen))
        broken = list(itertools.chain.from_iterable(told_all))
    end_telling(len(chosen), broken, "{} stories told, {} broken")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
