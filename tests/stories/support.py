"""What the stories are told with: a server as a process of its own, the AWS that it talks to, and its API."""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 60
PROBE_SECONDS_MAX = 5
SETTLE_SECONDS_MAX = 60
POLL_SECONDS = 0.05
PORTS = (12_000, 32_000)
PORTS_TAKEN = set()
PORTS_LOCK = threading.Lock()
# Between the choice of a port and its use anybody may take it; hardly so often in a row.
PORT_TRIES = 5
ROTATIONS = "/api/v2/secret-rotations/aws-iam-user-secret"
# The first account.
EMAIL, PASSWORD = "admin@keywheel.example", "correct horse battery"

# A rotation takes less than a second, and what waits for a lost call waits for two.
QUICK = {
    "KEYWHEEL_UNSAFE_TIMINGS": "true",
    "KEYWHEEL_VERIFY_SPACING": "50ms",
    "KEYWHEEL_VERIFY_SETTLE": "50ms",
    "KEYWHEEL_VERIFY_DEADLINE": "20s",
    "KEYWHEEL_LIST_GAP": "100ms",
    "KEYWHEEL_CALL_TIMEOUT": "2s",
    "KEYWHEEL_LATE_LANDING": "500ms",
    "KEYWHEEL_LEASE": "6s",
    "KEYWHEEL_RETRY_FIRST": "300ms",
    "KEYWHEEL_RETRY_CAP": "1s",
}


class Broken(Exception):
    """A promise that was not kept."""


def require(condition, promise):
    if not condition:
        raise Broken(promise)


def until(what, attempt, seconds=SETTLE_SECONDS_MAX):
    """Repeats `attempt` until it gives something; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (result := attempt()) is not None:
            return result
        time.sleep(POLL_SECONDS)
    raise Broken(f"{what}, within {seconds} s")


def free_port():
    """A port that stays free while its process is down: below those that the system lends to outgoing connections."""
    with PORTS_LOCK:
        while True:
            port = random.randrange(*PORTS)
            # Not even tried: its process may be starting just now.
            if port in PORTS_TAKEN:
                continue
            PORTS_TAKEN.add(port)
            with contextlib.suppress(OSError):
                socket.create_server(("127.0.0.1", port)).close()
                return port


def on_free_port(start):
    """Starts something on a free port; on another one if somebody else was faster."""
    for left in reversed(range(PORT_TRIES)):
        try:
            return start(free_port())
        except Broken as promise:
            if not left or "Address already in use" not in str(promise):
                raise
    return None


def call(method, url, body=None, token=None, seconds=REQUEST_SECONDS_MAX, headers=None):
    """Status and parsed body of a request."""
    headers = dict(headers or {})
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


class Process:
    """A program that is ended at the end of the story, whatever happens."""

    running = []

    def __init__(self, arguments, output, environment=None):
        self.output_file = output
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("KEYWHEEL_", "AWS_"))}
        with output.open("ab") as stream:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=inherited | (environment or {}),
            )
        Process.running.append(self)

    def output(self):
        return self.output_file.read_text(errors="replace")

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Broken(f"the server stops within {STOP_SECONDS_MAX} s of SIGTERM") from None
        require(status == 0, f"the server ends with status 0 after SIGTERM, not {status}")

    def answers(self, url):
        """Waits until a URL answers."""

        def attempt():
            require(self.process.poll() is None, f"it keeps running; it ended with:\n{self.output()}")
            try:
                # Who holds its port in its place may never answer.
                return urllib.request.urlopen(url, timeout=PROBE_SECONDS_MAX).status
            except OSError:
                return None

        until(f"{url} answers", attempt, START_SECONDS_MAX)


class Sandbox:
    """The embedded AWS, as a process of its own."""

    name = "sandbox"

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        on_free_port(self.start)
        made = self.control("POST", "/users", {"userName": "keywheel", "accessKey": True})
        self.connection = {k: made["accessKey"][k] for k in ("accessKeyId", "secretAccessKey")}

    def start(self, port):
        self.url = f"http://127.0.0.1:{port}"
        arguments = [self.binary, "sandbox", "--listen", f"127.0.0.1:{port}"]
        self.program = Process(arguments, self.folder / "sandbox.txt")
        self.program.answers(self.url + "/_sandbox/health")

    def control(self, method, path, body=None):
        status, answer = call(method, f"{self.url}/_sandbox{path}", body)
        require(status in (200, 204), f"the sandbox takes {method} {path} {body}: {status} {answer}")
        return answer

    def user(self, name, keys=0):
        self.control("POST", "/users", {"userName": name, "admin": False})
        for _ in range(keys):
            self.control("POST", "/foreign", {"do": "createKey", "userName": name})

    def keys(self, name):
        return {key["accessKeyId"]: key["status"] for key in self.control("GET", f"/users/{name}")["keys"]}

    def accepts(self, key):
        return self.control("POST", "/try", key)["accepted"]

    def calls(self):
        return self.control("GET", "/calls")["calls"]


class Emulator:
    """An AWS by others. Its users are made with Amazon's own Python library."""

    def __init__(self, name, arguments, environment, folder, ready, connection):
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        filled = {k: v.replace("PORT", str(self.port)) for k, v in environment.items()}
        arguments = [part.replace("PORT", str(self.port)) for part in arguments]
        self.program = Process(arguments, folder / f"{name}.txt", filled)
        self.program.answers(self.url + ready)
        self.connection = connection

    def client(self, service, key):
        import botocore.config
        import botocore.session

        return botocore.session.get_session().create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=key["accessKeyId"],
            aws_secret_access_key=key["secretAccessKey"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def user(self, name, keys=0):
        iam = self.client("iam", self.connection)
        iam.create_user(UserName=name)
        for _ in range(keys):
            iam.create_access_key(UserName=name)

    def keys(self, name):
        listed = self.client("iam", self.connection).list_access_keys(UserName=name)
        return {key["AccessKeyId"]: key["Status"] for key in listed["AccessKeyMetadata"]}

    def accepts(self, key):
        try:
            return self.client("sts", key).get_caller_identity()["Arn"].endswith(("user/app", "user/app2"))
        except Exception:  # a refusal, in whatever form the library gives it
            return False


class Server:
    """Keywheel on a data folder; started, killed and started again."""

    def __init__(self, binary, folder, aws, settings=None):
        self.binary, self.folder, self.aws = binary, folder, aws
        self.environment = QUICK | {"AWS_ENDPOINT_URL": aws.url} | (settings or {})
        on_free_port(self.start_at)

    def start_at(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self):
        arguments = [self.binary, "server", "--listen", f"127.0.0.1:{self.port}"]
        arguments += ["--data-dir", str(self.folder / "data")]
        self.program = Process(arguments, self.folder / "server.txt", self.environment)
        self.program.answers(self.url + "/api/status")

    def restart(self, **settings):
        self.environment |= settings
        self.start()


class Api:
    """The API with a machine identity that administers one project."""

    def __init__(self, server, organization="Stories", project="Story"):
        self.server = server
        self.token = None
        answer = self.ok("POST", "/api/v1/admin/bootstrap", {"email": EMAIL, "password": PASSWORD, "organization": organization})
        self.token = self.admin_token = answer["identity"]["credentials"]["token"]
        self.organization = answer["organization"]["id"]
        self.project = self.ok("POST", "/api/v1/projects", {"projectName": project})["project"]["id"]
        self.deployer = self.identity("deployer")
        self.token = self.deployer["token"]

    @contextlib.contextmanager
    def as_administrator(self):
        """Within it, calls are made by the administrator of the organization."""
        token, self.token = self.token, self.admin_token
        try:
            yield
        finally:
            self.token = token

    def identity(self, name, role="member", **settings):
        """A machine identity that administers the project, with what it logs in with and a token."""
        with self.as_administrator():
            wanted = {"name": name, "organizationId": self.organization, "role": role}
            identity = self.ok("POST", "/api/v1/identities", wanted)["identity"]["id"]
            self.ok("POST", f"/api/v2/workspace/{self.project}/identity-memberships/{identity}", {"role": "admin"})
            base = f"/api/v1/auth/universal-auth/identities/{identity}"
            client = self.ok("POST", base, settings)["identityUniversalAuth"]["clientId"]
            secret = self.ok("POST", base + "/client-secrets", {})
            login = {"clientId": client, "clientSecret": secret["clientSecret"]}
        token = self.ok("POST", "/api/v1/auth/universal-auth/login", login)["accessToken"]
        return login | {"id": identity, "token": token, "clientSecretId": secret["clientSecretData"]["id"]}

    def call(self, method, path, body=None):
        return call(method, self.server.url + path, body, self.token)

    def ok(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        require(status == 200, f"{method} {path} is answered with 200, not {status}: {answer}")
        return answer

    def refused(self, wanted, method, path, body=None, containing=""):
        """Requires a refusal in the shape of the contract, and returns its message."""
        status, answer = self.call(method, path, body)
        require(status == wanted, f"{method} {path} is answered with {wanted}, not {status}: {answer}")
        for field in ("reqId", "statusCode", "message", "error"):
            require(field in answer, f"a refusal has {field}: {answer}")
        require(answer["statusCode"] == wanted, f"statusCode repeats the status: {answer}")
        text = json.dumps(answer["message"])
        require(containing in text, f"{method} {path} is refused with {containing!r}: {text}")
        return answer["message"]

    def connect(self, name="aws", method="access-key", credentials=None, **more):
        wanted = {"name": name, "method": method, "credentials": credentials or self.server.aws.connection} | more
        # Identities of the organization's administrator make connections for all projects.
        with self.as_administrator():
            return self.ok("POST", "/api/v1/app-connections/aws", wanted)["appConnection"]

    def rotation(self, connection, user="app", **more):
        """The body of a create."""
        return {
            "name": f"rotate-{user}", "projectId": self.project, "connectionId": connection,
            "environment": "dev", "secretPath": "/", "rotationInterval": 30,
            "parameters": {"userName": user},
            "secretsMapping": {"accessKeyId": f"{user}_ID", "secretAccessKey": f"{user}_SECRET"},
        } | more

    def secret(self, name, environment="dev", path="/"):
        query = urllib.parse.urlencode({"workspaceId": self.project, "environment": environment, "secretPath": path})
        return self.ok("GET", f"/api/v3/secrets/raw/{name}?{query}")["secret"]

    def published(self, user="app"):
        return {
            "accessKeyId": self.secret(f"{user}_ID")["secretValue"],
            "secretAccessKey": self.secret(f"{user}_SECRET")["secretValue"],
        }

    def rotate(self, rotation):
        return self.ok("POST", f"{ROTATIONS}/{rotation}/rotate-secrets")["secretRotation"]


class Background:
    """What goes on beside a story until the block that it is entered by ends."""

    def __init__(self):
        self.ended, self.is_entered, self.threads = threading.Event(), False, []

    def goes_on(self, work, *arguments):
        """Works in a thread, which looks whether `ended` is set."""
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self.threads.append(thread)
        if self.is_entered:
            thread.start()

    def __enter__(self):
        self.is_entered = True
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def tell_chosen(stories, names, binary, summary):
    """Tells the stories of these names, or all, in a folder that goes with them, and ends the program: with status 1 if
    one broke. The summary has a place for how many held, and one for how many did not."""
    chosen = [(name, story) for name, story in stories if not names or name in names]
    with tempfile.TemporaryDirectory(prefix="keywheel-stories-") as folder:
        broken = tell(chosen, os.path.abspath(binary), folder)
    end_telling(len(chosen), broken, summary)


def end_telling(told, broken, summary):
    """Says once more what broke, where whoever reads only the end sees it, and ends the program."""
    if broken:
        print("\nWhat broke:", *broken, sep="\n")
    print(summary.format(told - len(broken), len(broken)))
    sys.exit(bool(broken) or not told)


def tell(stories, binary, folder):
    """Tells each story in a folder of its own; for each that broke a line that names it and its promise."""
    broken = []
    for name, story in stories:
        place = pathlib.Path(folder) / name.replace(" ", "-")
        place.mkdir(parents=True)
        started = time.monotonic()
        try:
            story(binary, place)
            print(f"ok      {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception as promise:  # who does not answer at all, or answers in no form, has broken one, too
            broken.append(f"BROKEN  {name}: {promise if isinstance(promise, Broken) else repr(promise)}")
            print(broken[-1], flush=True)
            if not isinstance(promise, Broken):
                traceback.print_exc()
            for log in place.rglob("*.txt"):
                print(f"--- {log.relative_to(place)}, last lines\n" + "\n".join(log.read_text().splitlines()[-15:]), file=sys.stderr)
        finally:
            for program in Process.running:
                program.kill()
            Process.running.clear()
    return broken
