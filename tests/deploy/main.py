#!/usr/bin/env python3
"""What deploy/ offers, as far as one machine can check it: main.py BINARY [NAME…]

Without a NAME all stories are told. Needs the packages of pins.txt, `haproxy` and `systemd-analyze`, and for the rolling
restart KEYWHEEL_TEST_POSTGRES, which tests/postgres/main.py gives; it fails without, unless KEYWHEEL_TEST_WITHOUT names
postgres.
"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))

import files  # noqa: E402  (the path above)
import rolling  # noqa: E402
from support import tell  # noqa: E402


def main(binary, *names):
    stories = [*files.STORIES, *rolling.stories()]
    chosen = [(name, story) for name, story in stories if not names or name in names]
    with tempfile.TemporaryDirectory(prefix="keywheel-deploy-") as folder:
        broken = tell(chosen, os.path.abspath(binary), folder)
    print(f"{len(chosen) - broken} stories hold, {broken} broke")
    sys.exit(broken != 0 or not chosen)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
