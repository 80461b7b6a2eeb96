#!/usr/bin/env python3
"""Walks through `keywheel dev` as a newcomer would, looking at it only from the outside.

    tests/dev_tour.py COMMAND…      such as: target/debug/keywheel
                                    or:      cargo run --quiet --release --

Starts it in an empty folder; logs in and reads the published key; rotates and checks that AWS (the sandbox)
accepts both the new key and the previous one; stops it, starts it again, and finds everything as it was;
then pastes the printed commands into a shell. Needs curl and nothing outside Python's own library.
"""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

# A debug build on a busy machine needs a few seconds; `cargo run` may first find out that nothing is to be built.
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 60
# Verification in `keywheel dev` takes a second or two.
ROTATION_SECONDS_MAX = 60
PASTE_SECONDS_MAX = 120
POLL_SECONDS = 0.1

CREDENTIAL_FIELDS = (
    "url adminEmail adminPassword clientId clientSecret organizationId projectId environment secretPath connectionId rotationId sandboxUrl"
).split()


class Failure(Exception):
    """What was promised and did not happen."""


def require(condition, promise):
    if not condition:
        raise Failure(promise)


def step(text):
    print(f"  - {text}", flush=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(seconds, what, attempt):
    """Repeats `attempt` until it returns something; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (result := attempt()) is not None:
            return result
        time.sleep(POLL_SECONDS)
    raise Failure(f"{what} took longer than {seconds} s")


def request(method, url, body=None, token=None):
    """The parsed answer to a request; anything but a success is a failure that shows the answer."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(call, timeout=REQUEST_SECONDS_MAX) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failure(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from error


class Dev:
    """One run of `keywheel dev`, from start to stop."""

    def __init__(self, command, folder, port):
        self.credentials_file = folder / "credentials.json"
        self.output_file = folder / "output.txt"
        self.credentials_file.unlink(missing_ok=True)
        arguments = [
            *command, "dev",
            "--listen", f"127.0.0.1:{port}",
            "--data-dir", str(folder / "data"),
            "--credentials-file", str(self.credentials_file),
        ]  # fmt: skip
        step(shlex.join(arguments))
        with self.output_file.open("wb") as output:
            # A group of its own, so that a signal reaches the server also from behind `cargo run`.
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def output(self):
        return self.output_file.read_text(errors="replace")

    def credentials(self):
        """The file that --credentials-file names, once it is complete and the server answers."""

        def attempt():
            require(self.process.poll() is None, f"keywheel dev keeps running; it ended with:\n{self.output()}")
            try:
                credentials = json.loads(self.credentials_file.read_text())
                urllib.request.urlopen(credentials["url"] + "/api/status", timeout=REQUEST_SECONDS_MAX).close()
                return credentials
            except (OSError, ValueError):
                return None

        credentials = until(START_SECONDS_MAX, "starting keywheel dev", attempt)
        missing = [field for field in CREDENTIAL_FIELDS if not credentials.get(field)]
        require(not missing, f"the credentials file has every field; missing: {missing}")
        return credentials

    def stop(self):
        """Ends it as Ctrl-C does, and requires a clean end."""
        self.signal(signal.SIGINT)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Failure(f"keywheel dev stops within {STOP_SECONDS_MAX} s of Ctrl-C") from None
        require(status == 0, f"keywheel dev ends with status 0 after Ctrl-C, not {status}")

    def kill(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def signal(self, number):
        os.killpg(self.process.pid, number)


class Client:
    """An application: it knows the credentials file and the public API, nothing else."""

    def __init__(self, credentials):
        self.seeded = credentials
        self.url = credentials["url"]
        login = {field: credentials[field] for field in ("clientId", "clientSecret")}
        self.token = request("POST", f"{self.url}/api/v1/auth/universal-auth/login", login)["accessToken"]

    def secret(self, name):
        query = urllib.parse.urlencode(
            {
                "workspaceId": self.seeded["projectId"],
                "environment": self.seeded["environment"],
                "secretPath": self.seeded["secretPath"],
            }
        )
        answer = request("GET", f"{self.url}/api/v3/secrets/raw/{name}?{query}", token=self.token)
        return answer["secret"]["secretValue"]

    def published_key(self):
        return {
            "accessKeyId": self.secret("AWS_ACCESS_KEY_ID"),
            "secretAccessKey": self.secret("AWS_SECRET_ACCESS_KEY"),
        }

    def rotate(self):
        rotation = f"/api/v2/secret-rotations/aws-iam-user-secret/{self.seeded['rotationId']}"
        request("POST", f"{self.url}{rotation}/rotate-secrets", {}, self.token)

    def require_accepted(self, key, which):
        answer = request("POST", self.seeded["sandboxUrl"] + "/_sandbox/try", key)
        require(answer.get("accepted") is True, f"AWS accepts the {which} key {key['accessKeyId']}; it said {answer}")


def printed_commands(output):
    """The lines to copy and paste: those that run curl, with what continues them after a backslash."""
    joined = re.sub(r"\\\n\s*", "", output)
    lines = (re.sub(r"^\s*\$ ", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if re.match(r"(curl\s|(export\s+)?\w+=[\"']?\$\(\s*curl\s)", line)]


def paste(commands):
    """Runs the commands one after the other in one shell, as they are, and returns what they print."""
    for command in commands:
        step(command)
    script = "set -euo pipefail\n" + "\necho\n".join(commands)
    try:
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=PASTE_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"the printed commands end within {PASTE_SECONDS_MAX} s") from None
    require(done.returncode == 0, f"the printed commands work; they said:\n{done.stdout}{done.stderr}")
    return done.stdout


def tour(command, folder, runs):
    port = free_port()

    def start():
        runs.append(Dev(command, folder, port))
        return runs[-1]

    print("first start", flush=True)
    dev = start()
    seeded = dev.credentials()
    client = Client(seeded)
    first = client.published_key()
    client.require_accepted(first, "first")
    step(f"published {first['accessKeyId']}, AWS accepts it")

    client.rotate()
    second = until(
        ROTATION_SECONDS_MAX,
        "publishing a new key",
        lambda: key if (key := client.published_key())["accessKeyId"] != first["accessKeyId"] else None,
    )
    require(second["secretAccessKey"] != first["secretAccessKey"], "both halves of the published key are new")
    client.require_accepted(second, "new")
    client.require_accepted(first, "previous")
    step(f"rotated to {second['accessKeyId']}, AWS accepts both")

    dev.stop()
    print("second start, on the same folder", flush=True)
    dev = start()
    again = dev.credentials()
    for field in ("adminPassword", "organizationId", "projectId", "connectionId", "rotationId"):
        require(again[field] == seeded[field], f"{field} is the same after a restart")
    client = Client(again)
    require(client.published_key() == second, "the published key is the same after a restart")
    client.require_accepted(second, "published")
    step(f"continued with {second['accessKeyId']}")

    require(
        seeded["adminEmail"] in dev.output() and seeded["adminPassword"] in dev.output(),
        f"e-mail address and password for the console are printed; the output was:\n{dev.output()}",
    )
    person = {"email": again["adminEmail"], "password": again["adminPassword"]}
    session = request("POST", f"{again['url']}/api/v1/sessions", person)["session"]
    step(f"signed in as {session['account']['email']}")

    print("the printed commands, in a shell", flush=True)
    commands = printed_commands(dev.output())
    require(len(commands) >= 3, f"curl lines to log in, read and rotate are printed; the output was:\n{dev.output()}")
    said = paste(commands)
    require(second["accessKeyId"] in said, f"the printed commands show the published key; they said:\n{said}")
    third = client.published_key()
    require(third["accessKeyId"] != second["accessKeyId"], "the printed commands rotate the key")
    client.require_accepted(third, "new")
    client.require_accepted(second, "previous")
    step(f"rotated to {third['accessKeyId']}, AWS accepts both")
    dev.stop()


def main(command):
    if not command:
        sys.exit(__doc__)
    runs = []
    with tempfile.TemporaryDirectory(prefix="keywheel-dev-") as folder:
        try:
            tour(command, pathlib.Path(folder), runs)
        except Failure as failure:
            sys.exit(f"broken promise: {failure}")
        finally:
            for run in runs:
                run.kill()
    print("keywheel dev keeps its promises")


if __name__ == "__main__":
    main(sys.argv[1:])
