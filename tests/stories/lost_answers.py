"""A proxy between the server and AWS loses answers: AWS has done what it was asked, and nobody hears of it."""

import concurrent.futures
import functools
import itertools

from invariants import Application, check_calls, created, creates, pair
from support import ROTATIONS, Api, Broken, Sandbox, Server, require, until
from wire import VERIFY, AwsWire

LANES = 6
CALLS = ["GetCallerIdentity", "GetUser", "ListAccessKeys", "GetAccessKeyLastUsed", "UpdateAccessKey",
         "DeleteAccessKey", "CreateAccessKey", VERIFY]
MANNERS = ["closed", "half", "silent"]
# While each answer is lost, a rotation is asked for this often.
TRIES = 3


class Lane:
    """A server that reaches its AWS over a wire that loses answers."""

    def __init__(self, binary, folder):
        folder.mkdir()
        self.aws = Sandbox(binary, folder)
        self.wire = AwsWire(self.aws)
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
