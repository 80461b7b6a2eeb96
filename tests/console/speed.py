#!/usr/bin/env python3
"""How long the server takes for what each page asks it, with many rotations: tests/console/speed.py BINARY

A server gets the rotations through its API, each with a user of its own at a sandbox. Then Chromium opens each page, and
what it asked for is asked for again several times, without a browser that takes the same cores. The server's log tells how
long each answer took; the middle one counts. docs/benchmarks.md has the last figures.

  --rotations N   how many [10000]
  --rounds N      how often everything is asked for [15]
  --postgres      on PostgreSQL instead of SQLite
"""

import argparse
import contextlib
import os
import pathlib
import re
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / name) for name in ("stories", "scale", "postgres")]

import stage as house  # noqa: E402  (the paths above)
from browser import Visitor, chromium  # noqa: E402
from server import running  # noqa: E402
from support import EMAIL, PASSWORD, Process, call, require, until  # noqa: E402

MS_MAX = 50
# Nobody has ten thousand rotations in one folder.
FOLDERS = [f"team-{number}" for number in range(100)]
ANSWERED = re.compile(r"answered method=GET path=.* ms=(\d+)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rotations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keywheel-speed-") as folder, chromium(pathlib.Path(folder) / "home") as browser:
        try:
            good = measure(options, pathlib.Path(folder), browser)
        finally:
            for program in Process.running:
                program.kill()
    sys.exit(not good)


def measure(options, folder, browser):
    with contextlib.ExitStack() as stack:
        scale = of_scale()
        if options.postgres:
            database = scale.PostgresDatabase(stack.enter_context(running()), "speed")
        else:
            database = scale.SqliteDatabase(folder / "keywheel.db")
        return measure_on(scale, database, options, folder, browser)


def measure_on(scale, database, options, folder, browser):
    stage = scale.Stage(os.path.abspath(options.binary), folder, database, 1, {"KEYWHEEL_LOG_LEVEL": "debug"})
    print(f"{options.rotations} rotations are made …", flush=True)
    stage.make_rotations(options.rotations, FOLDERS)
    if isinstance(database, scale.PostgresDatabase):
        # What autovacuum does within a minute: nobody makes ten thousand rotations in less.
        database.ask("VACUUM ANALYZE")
    (node,) = stage.nodes
    house.admit_people(stage.api)
    visitor = Visitor(browser, node)
    visitor.go("/")
    house.sign_in(visitor, PASSWORD, EMAIL)
    good = True
    for name, path in pages(stage.api).items():
        took = {asked: middle(node, visitor, asked, options.rounds) for asked in asked_by(visitor, path)}
        asked = max(took, key=took.get)
        slowest = took[asked]
        verdict = "PASS" if slowest <= MS_MAX else "FAIL"
        print(f"{name:<22} {slowest:>5.0f} ms  {asked.partition('?')[0]:<50} wanted: at most {MS_MAX} ms {verdict}", flush=True)
        good &= slowest <= MS_MAX
    return good


def of_scale():
    """The module `stage` of tests/scale, which is called as the one here."""
    here = sys.modules.pop("stage")
    sys.path.insert(0, str(HERE.parent / "scale"))
    try:
        import stage as scale
    finally:
        sys.path.pop(0)
        sys.modules["stage"] = here
    return scale


def pages(api):
    with api.as_administrator():
        (connection,) = api.ok("GET", "/api/v1/app-connections/aws")["appConnections"]
        found = api.ok("GET", f"/api/v2/secret-rotations/search?projectId={api.project}&pageSize=1")
    rotation = found["rotations"][0]["id"]
    return {
        "overview": "/",
        "rotations": "/rotations",
        "rotations, searched": "/rotations?search=app-77",
        "rotations, by age": "/rotations?orderBy=keyCreatedAt",
        "rotations, by state": "/rotations?state=healthy&orderBy=nextRotationAt",
        "rotation": f"/rotations/{rotation}",
        "new rotation": "/rotations/new",
        "connections": "/connections",
        "connection": f"/connections/{connection['id']}",
        "new connection": "/connections/new",
        "secrets": f"/secrets?projectId={api.project}&environment=dev&path=/{FOLDERS[0]}",
        "access": "/access",
        "machine identities": "/access?section=identities",
        "members of a project": "/access?section=projects",
        "identity": f"/access/identities/{api.deployer['id']}",
        "audit log": "/audit",
        "settings": "/settings",
        "sessions": "/settings?section=sessions",
        "notifications": "/settings?section=notifications",
    }


def asked_by(visitor, path):
    """What a page asks the API for, by path and query."""
    asked = {}

    def note(request):
        url = request.url.removeprefix(visitor.server.url)
        if request.method == "GET" and url.startswith("/api/"):
            asked[url] = None

    visitor.page.on("request", note)
    visitor.go(path)
    visitor.settle()
    visitor.page.remove_listener("request", note)
    visitor.page.goto("about:blank")
    return asked


def middle(node, visitor, asked, rounds):
    """Milliseconds that the answer takes."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies().items())
    all_ms = []
    for _ in range(rounds):
        before = node.program.output_file.stat().st_size
        status, _ = call("GET", node.url + asked, headers={"Cookie": cookies})
        require(200 <= status < 300, f"{asked} is answered, not refused with {status}")
        found = until("the log tells of it", lambda before=before: answered_since(node, before))
        all_ms.append(int(found[1]))
    return statistics.median(all_ms)


def answered_since(node, place):
    """The first answer that the log tells of behind a place in it."""
    with node.program.output_file.open("rb") as log:
        log.seek(place)
        return ANSWERED.search(COLOURS.sub("", log.read().decode(errors="replace")))


if __name__ == "__main__":
    main()
