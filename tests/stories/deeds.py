"""What is done to a user while the server is killed, and what must have come of it once the server is back."""

from invariants import created, creates, pair
from support import ROTATIONS, require, until

LIVE = ("pending", "verified", "published", "displaced", "deactivated")


class Fate:
    """What a kill at a point leaves: yes, no, or None where it fell into the very commit that decides."""

    def __init__(self, points, point, uncertain=False):
        self.points, self.point, self.uncertain = points, point, uncertain

    def is_durable(self):
        """Whether the wish was recorded, so that nobody has to ask again."""
        return self.is_after("after:record:1") or (None if self.point.startswith("within:record:1:") else False)

    def is_lost(self):
        """Whether a key exists whose secret died with the server: created, and not recorded."""
        if self.uncertain or "before:create:1" not in self.points:
            return None if self.uncertain else False
        sent = self.points.index("before:create:1")
        recorded = next(point for point in self.points[sent:] if point.startswith("after:record:"))
        number = recorded.rpartition(":")[2]
        if self.point.startswith(f"within:record:{number}:"):
            return None
        return self.is_after("after:create:1") and not self.is_after(recorded)

    def is_after(self, point):
        """Whether the kill came at this point or later."""
        return self.points.index(self.point) >= self.points.index(point)

    def is_before(self, step):
        """Whether the kill came before a step was sent."""
        return self.points.index(self.point) <= self.points.index(f"before:{step}:1")


class Case:
    """One user, and what is done to it."""

    ends_the_pair = False

    def __init__(self, lane, user, keys=0):
        self.lane, self.user = lane, user
        self.aws, self.api = lane.aws, lane.api
        self.aws.user(user, keys)
        self.foreign = self.aws.keys(user)
        self.before = None

    def make(self):
        return self.api.call("POST", ROTATIONS, self.api.rotation(self.lane.connection, self.user))

    def path(self):
        place = f"projectId={self.api.project}&environment=dev&secretPath=/"
        found = self.api.ok("GET", f"{ROTATIONS}/rotation-name/rotate-{self.user}?{place}")
        return f"{ROTATIONS}/{found['secretRotation']['id']}"

    def make_two(self):
        """A rotation in its steady state."""
        status, made = self.make()
        require(status == 200, f"the first key is made: {made}")
        self.oldest = pair(self.api, self.user)
        self.api.rotate(made["secretRotation"]["id"])
        self.before = pair(self.api, self.user)

    def ask(self):
        """Asks for the deed."""

    def ask_in_vain(self):
        """Asks a server that will not live to answer."""
        try:
            self.ask()
        except OSError:
            pass

    def while_dead(self, fate):
        require(not self.before or self.aws.accepts(self.before), "the pair works while the server is dead")

    def own_keys(self):
        return set(self.aws.keys(self.user)) - set(self.foreign)

    def is_at_work(self):
        """Whether a run of it goes on, or that of a server that died waits to be taken over."""
        found = self.api.ok("GET", f"/api/v2/secret-rotations/search?projectId={self.api.project}&search={self.user}")
        return ("rotating", self.user) in ((one["state"], one["userName"]) for one in found["rotations"])

    def states(self):
        """The key ledger: the state of each key by its id."""
        keys = self.api.ok("GET", f"{self.path()}/keys")["keys"]
        return {key["accessKeyId"]: key["state"] for key in keys}

    def suspect(self):
        found = [key for key, state in self.states().items() if state == "orphan_suspect"]
        require(len(found) <= 1, f"at most one key is lost: {found}")
        return found[0] if found else None

    def remove_by_hand(self, key):
        self.aws.control("POST", "/foreign", {"do": "deleteKey", "userName": self.user, "accessKeyId": key})

    def check_foreign(self):
        now = self.aws.keys(self.user)
        require(all(now.get(key) == status for key, status in self.foreign.items()), f"foreign keys are kept: {now}")

    def check_ledger(self):
        """The ledger knows every key at AWS, and says of no other that it is there."""
        states, now = self.states(), self.aws.keys(self.user)
        require(set(now) <= set(states), f"every key is known: {now}, {states}")
        live = {key for key, state in states.items() if state in LIVE}
        require(live <= set(now), f"what is called live is there: {now}, {states}")
        require(not live & set(self.foreign), f"no foreign key is called ours: {states}")


class Rotation(Case):
    """Two keys of ours are there; the older one has to go for the new one."""

    def __init__(self, lane, user):
        super().__init__(lane, user)
        self.make_two()

    def ask(self):
        return self.api.call("POST", f"{self.path()}/rotate-secrets")

    def afterwards(self, fate):
        outcome = until("it rotates, or a lost key is named", lambda: self.ended(fate))
        lost = outcome == "lost"
        require(fate.is_lost() in (lost, None), f"a key is lost only if its answer was: {outcome}")
        if lost:
            self.check_lost(fate)
            until("it rotates", self.asked_again)
        after = pair(self.api, self.user)
        require(self.aws.accepts(after) and self.aws.accepts(self.before), "the new pair and the one before it work")
        wanted = {after["accessKeyId"]: "Active", self.before["accessKeyId"]: "Active"}
        require(self.aws.keys(self.user) == wanted, f"there are just these two keys: {self.aws.keys(self.user)}")
        require(creates(self.aws, self.user) == (4 if lost else 3), "no create is sent twice")

    def ended(self, fate):
        """How it ended; what was recorded ends without being asked again."""
        shown = self.api.ok("GET", self.path())["secretRotation"]
        if pair(self.api, self.user) != self.before:
            return "rotated" if shown["rotationStatus"] == "success" else None
        suspect = self.suspect()
        if suspect and shown["rotationStatus"] == "failed" and suspect in shown["lastRotationMessage"]:
            return "lost"
        # A run that goes on may be this very rotation: asked for beside it, there would be two.
        if not fate.is_durable() and not self.is_at_work() and pair(self.api, self.user) == self.before:
            self.ask()
        return None

    def asked_again(self):
        return True if self.ask()[0] == 200 else None

    def check_lost(self, fate):
        """The key is left alone until its owner has spoken or removed it."""
        suspect = self.suspect()
        require(pair(self.api, self.user) == self.before, "the published pair stays")
        require(self.own_keys() == {self.before["accessKeyId"], suspect}, "the suspect is left alone")
        require(created(self.aws, self.user)[-1] == suspect, "nothing is created while it is there")
        if fate.point.startswith("after:create"):
            self.remove_by_hand(suspect)
        else:
            self.api.ok("POST", f"{self.path()}/keys/{suspect}/resolve", {"owner": "ours"})


class FirstCreate(Case):
    """The first key of a rotation."""

    def ask(self):
        return self.make()

    def afterwards(self, fate):
        outcome = until("it is made, or a lost key is named", self.ended)
        made = created(self.aws, self.user)
        if outcome == "lost":
            require(self.own_keys() == {made[0]}, "it is left alone")
            self.remove_by_hand(made[0])
            until("it is made", self.ended)
        lost = len(created(self.aws, self.user)) == 2
        require(fate.is_lost() in (lost, None), "a key is lost only if its answer was")
        first = pair(self.api, self.user)
        require(self.aws.accepts(first), "its pair works")
        wanted = {first["accessKeyId"]} | ({made[0]} if lost and not self.foreign else set())
        require(self.own_keys() == wanted, f"there is no other key: {self.own_keys()}, {wanted}")
        require(creates(self.aws, self.user) == (2 if lost else 1), "no create is sent twice")
        require(self.suspect() == (made[0] if lost and not self.foreign else None), "the ledger names a lost key")
        self.check_foreign()

    def ended(self):
        """Whether it is there, asked for again. With a foreign key beside it, a lost one leaves no room."""
        status, answer = self.make()
        if status == 200 or "already exists" in str(answer):
            return "made"
        named = [key for key in self.own_keys() if key in str(answer)]
        return "lost" if named and self.foreign else None


class RollBack(Case):
    """The key before the published one is published again."""

    def __init__(self, lane, user):
        super().__init__(lane, user)
        self.make_two()

    def ask(self):
        return self.api.call("POST", f"{self.path()}/keys/{self.oldest['accessKeyId']}/roll-back")

    def afterwards(self, fate):
        # It is not noted: a person watches, and nothing that applications read has changed before its last commit.
        is_published = fate.is_after("after:publish:1") or fate.point.startswith("within:publish")
        if not (is_published and pair(self.api, self.user) == self.oldest):
            require(not fate.is_after("after:publish:1"), "what was published stays")
            until("asked again, it is done", lambda: True if self.ask()[0] == 200 else None)
        require(pair(self.api, self.user) == self.oldest, "the earlier pair is published")
        require(self.aws.accepts(self.oldest) and self.aws.accepts(self.before), "both pairs work")
        require(creates(self.aws, self.user) == 2, "no key was made")


class Retirement(Case):
    """The key before the published one goes by its owner's word."""

    def __init__(self, lane, user):
        super().__init__(lane, user)
        self.make_two()

    def ask(self):
        return self.api.call("POST", f"{self.path()}/keys/{self.oldest['accessKeyId']}/retire")

    def afterwards(self, fate):
        if not fate.is_durable():
            self.ask()
        until("the key goes", lambda: True if self.states()[self.oldest["accessKeyId"]] == "deleted" else None)
        require(set(self.aws.keys(self.user)) == {self.before["accessKeyId"]}, "only the published key is left")
        require(pair(self.api, self.user) == self.before, "and it is published")


class Revoke(Case):
    """A deletion that revokes: two keys of ours go, and one of somebody else stays."""

    ends_the_pair = True

    def __init__(self, lane, user):
        super().__init__(lane, user)
        self.make_two()
        self.aws.control("POST", "/foreign", {"do": "createKey", "userName": user, "pastQuota": True})
        own = set(created(self.aws, user))
        self.foreign = {key: status for key, status in self.aws.keys(user).items() if key not in own}
        self.known_path = self.path()

    def ask(self):
        return self.api.call("DELETE", f"{self.known_path}?deleteSecrets=true&revokeGeneratedCredentials=true")

    def while_dead(self, fate):
        if fate.is_before("deactivate"):
            super().while_dead(fate)

    def afterwards(self, fate):
        if not fate.is_durable():
            until("asked again, it is done", lambda: True if self.ask()[0] in (200, 404) else None)
        until("the rotation goes", lambda: True if self.api.call("GET", self.known_path)[0] == 404 else None)
        require(not self.own_keys(), f"no key of ours is left: {self.aws.keys(self.user)}")
        require(pair(self.api, self.user) is None, "its secrets are gone")
        self.check_foreign()

    def check_ledger(self):
        """It went with the rotation."""
