"""What these stories are told with: the command line as somebody who types, and as a job without a terminal."""

import json
import os
import pty
import select
import subprocess
import time

from support import ROTATIONS, Api, Process, Sandbox, Server, require

SECONDS_MAX = 60


class Stage:
    """A server with a rotation, and a folder for logins."""

    def __init__(self, binary, folder, **settings):
        self.binary, self.folder = binary, folder
        self.aws = Sandbox(binary, folder)
        self.server = Server(binary, folder, self.aws, settings)
        self.api = Api(self.server)
        self.aws.user("app")
        self.connection = self.api.connect()["id"]
        made = self.api.ok("POST", ROTATIONS, self.api.rotation(self.connection))
        self.rotation = made["secretRotation"]["id"]

    def environment(self, **more):
        """No variable of Keywheel but those that are given."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KEYWHEEL_")}
        return kept | {"XDG_CONFIG_HOME": str(self.folder / "config"), "TERM": "xterm"} | more

    def as_deployer(self, **more):
        """The variables of a job that is the administrator of the project."""
        return self.environment(KEYWHEEL_URL=self.server.url, KEYWHEEL_CLIENT_ID=self.api.deployer["clientId"],
                                KEYWHEEL_CLIENT_SECRET=self.api.deployer["clientSecret"], **more)

    def as_administrator(self, **more):
        return self.environment(KEYWHEEL_URL=self.server.url, KEYWHEEL_TOKEN=self.api.admin_token, **more)

    def run(self, *arguments, stdin="", environment=None):
        """A command without a terminal: its status, data, and words."""
        ran = subprocess.run([self.binary, *arguments], input=stdin, capture_output=True, text=True, check=False,
                             timeout=SECONDS_MAX, env=environment or self.as_deployer())
        return ran.returncode, ran.stdout, ran.stderr

    def good(self, *arguments, **more):
        """The data of a command that succeeds."""
        status, data, words = self.run(*arguments, **more)
        require(status == 0, f"keywheel {' '.join(arguments)} succeeds: {status} {data} {words}")
        return data

    def json(self, *arguments, **more):
        return json.loads(self.good(*arguments, "--output", "json", **more))

    def refused(self, wanted, containing, *arguments, **more):
        """Requires a status and a word about it; no token and no secret is ever told."""
        status, data, words = self.run(*arguments, **more)
        require(status == wanted and containing in words,
                f"keywheel {' '.join(arguments)} ends with {wanted} and {containing!r}: {status} {data} {words}")
        self.hides_secrets(data + words)
        return words

    def hides_secrets(self, text):
        for secret in (self.api.deployer["clientSecret"], self.api.admin_token):
            require(secret not in text, f"no secret is told: {text}")

    def typed(self, *arguments, environment=None):
        return Typed([self.binary, *arguments], environment or self.as_deployer())

    def in_background(self, *arguments, environment=None):
        """A command that goes on; what it says is in a file."""
        output = self.folder / f"{arguments[0]}-{time.monotonic_ns()}.txt"
        return Process([self.binary, *arguments], output, environment or self.as_deployer())


class Typed:
    """A command on a terminal."""

    def __init__(self, arguments, environment):
        self.shown = ""
        child, self.terminal = pty.fork()
        if child == 0:
            os.execve(arguments[0], arguments, environment)
        self.child = child

    def shows(self, text):
        """Waits for a text, and forgets what came before it."""
        deadline = time.monotonic() + SECONDS_MAX
        while text not in self.shown:
            require(time.monotonic() < deadline, f"the terminal shows {text!r}: {self.shown!r}")
            if not self.read():
                break
        require(text in self.shown, f"the terminal shows {text!r}: {self.shown!r}")
        return self

    def read(self):
        if not select.select([self.terminal], [], [], 1)[0]:
            return True
        try:
            part = os.read(self.terminal, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += part.decode(errors="replace")
        return bool(part)

    def types(self, text):
        os.write(self.terminal, (text + "\r").encode())
        return self

    def ends(self, wanted):
        """All that was shown."""
        while self.read():
            pass
        _, status = os.waitpid(self.child, 0)
        status = os.waitstatus_to_exitcode(status)
        os.close(self.terminal)
        require(status == wanted, f"it ends with status {wanted}, not {status}: {self.shown!r}")
        return self.shown
