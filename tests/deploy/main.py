#!/usr/bin/env python3
"""What deploy/ offers, as far as one machine can check it: main.py BINARY [NAME…]

Without a NAME all stories are told. Needs the packages of pins.txt, `haproxy` and `systemd-analyze`, and for the rolling
restart KEYWHEEL_TEST_POSTGRES, which tests/postgres/main.py gives; it fails without, unless KEYWHEEL_TEST_WITHOUT names
postgres.
"""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / name) for name in ("stories", "postgres", "cluster")]

import files  # noqa: E402  (the path above)
import monitoring  # noqa: E402
import rolling  # noqa: E402
from support import tell_chosen  # noqa: E402


def main(binary, *names):
    tell_chosen([*files.STORIES, *monitoring.STORIES, *rolling.stories()], names, binary, "{} stories hold, {} broke")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
