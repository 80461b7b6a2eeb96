#!/usr/bin/env python3
"""Clients as they are, against the started server: three SDKs are run, the others' requests are replayed.

    tests/clients/main.py BINARY [NAME…]

Without a NAME all stories are told. `./test clients` installs the SDKs first. docs/clients.md tells what is run, what
is replayed, and how a replay is written.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))

import replays  # noqa: E402  (the path above)
import sdks  # noqa: E402
from support import tell_chosen  # noqa: E402


def main(binary, *names):
    tell_chosen([*sdks.STORIES, *replays.STORIES], names, binary, "{} clients work, {} do not")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
