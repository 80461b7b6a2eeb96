"""Runs a command beside a PostgreSQL server of its own: tests/postgres/main.py COMMAND [ARGUMENT…]

The command finds the server's address in KEYWHEEL_TEST_POSTGRES; its user may make databases. The server is ended with
the command.
"""

import os
import signal
import subprocess
import sys

from server import running


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # Whoever ends this ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with running(synchronous_commit="off") as server:
        environment = os.environ | {"KEYWHEEL_TEST_POSTGRES": server.address()}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
