"""A proxy between the server and AWS loses answers: AWS has done what it was asked, and nobody hears of it."""

import concurrent.futures
import contextlib
import functools
import itertools
import re
import socket
import threading

from invariants import Application, check_calls, created, creates, pair
from support import ROTATIONS, Api, Broken, Sandbox, Server, require, until

LANES = 6
# `GetCallerIdentity` asks who the connection is, or, signed with the new key, whether that works.
VERIFY = "verify"
CALLS = ["GetCallerIdentity", "GetUser", "ListAccessKeys", "GetAccessKeyLastUsed", "UpdateAccessKey",
         "DeleteAccessKey", "CreateAccessKey", VERIFY]
MANNERS = ["closed", "half", "silent"]
# While each answer is lost, a rotation is asked for this often.
TRIES = 3


class Wire:
    """A TCP proxy on loopback, one thread for a connection. It understands just enough of HTTP to tell calls apart."""

    def __init__(self, aws):
        self.aws = aws
        self.call, self.manner, self.left, self.lost = None, None, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def lose(self, call, manner, times):
        with self.lock:
            self.call, self.manner, self.left, self.lost = call, manner, times, 0

    def heal(self):
        self.lose(None, None, 0)

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        upstream = socket.create_connection(("127.0.0.1", int(self.aws.url.rsplit(":", 1)[1])))
        with client, upstream, contextlib.suppress(OSError):
            while request := message(client):
                upstream.sendall(request)
                answer = message(upstream)
                manner = self.harm(self.name(request))
                if not manner:
                    client.sendall(answer)
                    continue
                if manner == "half":
                    client.sendall(answer[: len(answer) // 2])
                if manner == "silent":
                    client.recv(1)  # until the client has given up
                return

    def name(self, request):
        action = re.search(rb"Action=(\w+)", request)[1].decode()
        by_connection = self.aws.connection["accessKeyId"].encode() in request
        return VERIFY if action == "GetCallerIdentity" and not by_connection else action

    def harm(self, call):
        with self.lock:
            if call != self.call or self.left == 0:
                return None
            self.left -= 1
            self.lost += 1
            return self.manner


def message(stream):
    """One request or answer, head and body; empty if the other side has closed."""
    read = b""
    while b"\r\n\r\n" not in read:
        if not (more := stream.recv(65536)):
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        if not (more := stream.recv(missing)):
            return b""
        read += more
        missing -= len(more)
    return read


class Lane:
    """A server that reaches its AWS over a wire that loses answers."""

    def __init__(self, binary, folder):
        folder.mkdir()
        self.aws = Sandbox(binary, folder)
        self.wire = Wire(self.aws)
        # A key that is never verified is given up soon enough to be seen.
        settings = {"AWS_ENDPOINT_URL": self.wire.url, "KEYWHEEL_VERIFY_DEADLINE": "3s"}
        self.server = Server(binary, folder, self.aws, settings)
        self.api = Api(self.server)
        self.connection = self.api.connect()["id"]
        self.users = []

    def tell(self, call, manner, times):
        """One user with two keys of ours, and a rotation of it while answers are lost."""
        user = f"user{len(self.users)}"
        self.users.append(user)
        self.aws.user(user)
        made = self.api.ok("POST", ROTATIONS, self.api.rotation(self.connection, user))["secretRotation"]
        rotation = f"{ROTATIONS}/{made['id']}"
        self.api.rotate(made["id"])
        before = pair(self.api, user)
        with Application(self.aws, self.api, user) as application:
            self.wire.lose(call, manner, times)
            for _ in range(1 if times == 1 else TRIES):
                if self.is_answered(rotation, user, before):
                    break
            require(self.wire.lost > 0, "an answer was lost")
            orphans = 0
            if call == "CreateAccessKey":
                orphans = 1
                self.remove_orphan(rotation, user, before)
                if times > 1:
                    require(not self.is_answered(rotation, user, before), "and again")
                    self.remove_orphan(rotation, user, before)
                    orphans = 2
            self.wire.heal()
            until("the rotation completes", lambda: self.is_done(rotation, user, before))
            application.check()
        after = pair(self.api, user)
        require(set(self.aws.keys(user)) == {before["accessKeyId"], after["accessKeyId"]},
                f"there are just the new key and the one before it: {self.aws.keys(user)}")
        require(self.aws.accepts(before) and self.aws.accepts(after), "both work")
        require(creates(self.aws, user) == 3 + orphans, f"no create is sent twice: {created(self.aws, user)}")
        check_calls(self.aws, self.users)

    def is_answered(self, rotation, user, before):
        """Rotates; whether that went well in spite of the wire."""
        status, _ = self.api.call("POST", f"{rotation}/rotate-secrets")
        require(status == 200 or pair(self.api, user) == before, "a failed attempt leaves the published pair alone")
        return status == 200

    def remove_orphan(self, rotation, user, before):
        """What its owner does with a key whose secret was lost; before that, nothing happens."""
        orphan = created(self.aws, user)[-1]

        def named():
            status, answer = self.api.call("POST", f"{rotation}/rotate-secrets")
            require(status != 200, "no rotation goes through while a lost key holds the slot")
            return True if orphan in str(answer) else None

        until("the lost key is named", named)
        require(created(self.aws, user)[-1] == orphan, "nothing was created meanwhile")
        require(set(self.aws.keys(user)) == {before["accessKeyId"], orphan}, "the lost key is left alone")
        self.aws.control("POST", "/foreign", {"do": "deleteKey", "userName": user, "accessKeyId": orphan})

    def is_done(self, rotation, user, before):
        if pair(self.api, user) == before:
            self.api.call("POST", f"{rotation}/rotate-secrets")
            return None
        shown = self.api.ok("GET", rotation)["secretRotation"]
        return True if shown["rotationStatus"] == "success" else None


def lose_each(binary, folder, times):
    """Each call in each manner, in several lanes."""
    cases = list(itertools.product(CALLS, MANNERS))

    def lane_of(number):
        lane = Lane(binary, folder / f"lane{number}")
        for call, manner in cases[number::LANES]:
            try:
                lane.tell(call, manner, times)
            except Broken as promise:
                raise Broken(f"{call} {manner}: {promise}") from None

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lane_of, range(LANES)))


STORIES = [
    ("the answer of each call is lost once", functools.partial(lose_each, times=1)),
    ("the answers of each call are lost until somebody mends the wire", functools.partial(lose_each, times=1_000_000)),
]
