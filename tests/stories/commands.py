"""The operators' commands from outside: what a backup is worth, and a new root key while the server runs."""

import os
import subprocess

from support import ROTATIONS, Api, Sandbox, Server, call, require, until

SECONDS_MAX = 120


def run(binary, *arguments, settings=None):
    """Status and words of a command."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("KEYWHEEL_")}
    command = [binary, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, env=inherited | (settings or {}),
                         check=False)
    return ran.returncode, ran.stdout + ran.stderr


def good(binary, *arguments, settings=None):
    status, words = run(binary, *arguments, settings=settings)
    require(status == 0, f"keywheel {' '.join(map(str, arguments))} succeeds: {words}")
    return words


def refused(binary, containing, *arguments, settings=None):
    status, words = run(binary, *arguments, settings=settings)
    require(status == 1 and containing in words,
            f"keywheel {' '.join(map(str, arguments))} is refused with {containing!r}: {status} {words}")


def rotating(binary, folder, **settings):
    """A server with a rotation of the user `app`."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws, settings)
    api = Api(server)
    aws.user("app")
    rotation = api.ok("POST", ROTATIONS, api.rotation(api.connect()["id"]))["secretRotation"]["id"]
    return aws, server, api, rotation


def backup(binary, folder):
    """A backup that is taken while the server rotates is of one moment, and the pair in it works elsewhere."""
    aws, server, api, rotation = rotating(binary, folder)
    data, during, after = folder / "data", folder / "during", folder / "after"
    command = subprocess.Popen([binary, "backup", "--data-dir", data, during], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    api.rotate(rotation)
    words, _ = command.communicate(timeout=SECONDS_MAX)
    require(command.returncode == 0 and "read back and the same" in words, f"a backup beside the server: {words}")
    require(during.stat().st_mode & 0o777 == 0o600, "a backup is for its owner only")
    refused(binary, "never replaces", "backup", "--data-dir", data, during)
    words = good(binary, "backup", "verify", "--data-dir", data, during)
    require("whole" in words and "secret_versions" in words, f"it can be read again: {words}")
    good(binary, "backup", "--data-dir", data, after)
    server.program.stop()
    refuse_what_is_no_backup_for_it(binary, folder, after)

    # Whether the rotation is in the one that was taken meanwhile is chance. Half of one it never is.
    other = restored(binary, folder / "one", aws, during, data / "root.key")
    api.server = other
    require(aws.accepts(api.published()), "the restored pair is one pair, and works")
    refused(binary, "in use", "copy", "--data-dir", folder / "one" / "data", "--to", f"sqlite://{folder / 'copy.db'}",
            settings={"KEYWHEEL_ROOT_KEY_FILE": str(data / "root.key")})
    other.program.stop()
    other = restored(binary, folder / "two", aws, after, data / "root.key")
    api.server = other
    api.rotate(rotation)
    require(aws.accepts(api.published()), "the restored server rotates")
    other.program.stop()


def restored(binary, folder, aws, file, key):
    """A server on what a backup held."""
    folder.mkdir()
    place = ["--data-dir", folder / "data", "--root-key-file", key]
    words = good(binary, "restore", *place, file)
    require("the audit log holds" in words, f"a restored audit log is proven: {words}")
    refused(binary, "not empty", "restore", *place, file)
    return Server(binary, folder, aws, {"KEYWHEEL_ROOT_KEY_FILE": str(key)})


def refuse_what_is_no_backup_for_it(binary, folder, file):
    """A changed file, and one without its root key, leave nothing behind."""
    away, key = folder / "away", folder / "data" / "root.key"
    broken = folder / "broken"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    refused(binary, "was changed", "restore", "--data-dir", away, "--root-key-file", key, broken)
    refused(binary, "root key", "restore", "--data-dir", away, file)
    other = folder / "other.key"
    good(binary, "root-key", "new", other)
    refused(binary, "needs root key", "restore", "--data-dir", away, "--root-key-file", other, file)
    require(not away.exists(), "nothing is made of it")


def copy(binary, folder):
    """A copy has everything, and its server goes on where the first one ended."""
    aws, server, api, rotation = rotating(binary, folder)
    pair = api.published()
    server.program.stop()
    target = folder / "copy.db"
    words = good(binary, "copy", "--data-dir", folder / "data", "--to", f"sqlite://{target}")
    require("copied" in words, f"the copy is told of: {words}")
    key = str(folder / "data" / "root.key")
    other = Server(binary, folder, aws, {"KEYWHEEL_DATABASE_URL": f"sqlite://{target}", "KEYWHEEL_ROOT_KEY_FILE": key})
    api.server = other
    require(api.published() == pair, "the copy has the same pair, and the token is still good")
    api.rotate(rotation)
    require(aws.accepts(api.published()), "the copy rotates")
    other.program.stop()


def migrate(binary, folder):
    """The version of a database is told without a database, and brought up once."""
    data = folder / "data"
    words = good(binary, "migrate", "status", "--data-dir", data)
    require("does not exist" in words and "pending" in words, f"no database is no fault: {words}")
    require(not data.exists(), "a question makes nothing")
    good(binary, "migrate", "up", "--data-dir", data)
    words = good(binary, "migrate", "status", "--data-dir", data)
    require("up to date" in words, f"it is done: {words}")
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    refused(binary, "in use", "migrate", "up", "--data-dir", data)
    good(binary, "migrate", "status", "--data-dir", data)
    server.program.stop()


def root_key(binary, folder):
    """A new root key comes into use beside the server; tokens and pairs stay good, and the old one is not needed."""
    aws, server, api, rotation = rotating(binary, folder)
    data, old, new = folder / "data", folder / "data" / "root.key", folder / "new.key"
    words = good(binary, "root-key", "new", new)
    require(new.stat().st_mode & 0o777 == 0o600, f"a root key is for its owner only: {words}")
    refused(binary, "new.key", "root-key", "new", new)
    pair, token = api.published(), api.token
    both = {"KEYWHEEL_ROOT_KEY_FILE": str(new), "KEYWHEEL_MORE_ROOT_KEY_FILES": str(old)}
    server.program.stop()
    server.restart(**both)
    words = good(binary, "root-key", "rotate", "--data-dir", data, settings=both)
    require("everything is sealed under" in words and "may be taken out" in words, f"it waits for the server: {words}")
    words = good(binary, "root-key", "status", "--data-dir", data, settings=both)
    require("everything is sealed under the current root key" in words and "(further)" not in words, words)
    until("the server says so", lambda: True if "everything is under it" in server.program.output() else None)
    server.program.stop()

    refused(binary, "root key", "audit", "verify", "--data-dir", data, "--root-key-file", old)
    server.restart(KEYWHEEL_MORE_ROOT_KEY_FILES="")
    require(api.published() == pair, "the pair is the same under the new root key alone")
    api.rotate(rotation)
    status, _ = call("GET", f"{server.url}/api/v1/projects", token=token)
    require(status == 200, "a token of before is still good")
    server.program.stop()
    words = good(binary, "root-key", "rotate", "--data-dir", data, "--root-key-file", new)
    require("0 values came under" in words, f"again there is nothing to do: {words}")


STORIES = [
    ("a backup while the server rotates", backup),
    ("a copy of a database", copy),
    ("the version of a database", migrate),
    ("a new root key", root_key),
]
