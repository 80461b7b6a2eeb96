"""What has to hold whatever becomes of the server, as its surroundings see it: an application, and AWS."""

import http.client

from support import Background, require

CHANGES = ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey")
# An application that reads and uses its pair this often misses no gap that people would notice.
USE_SECONDS = 0.03


class Application(Background):
    """Reads its pair as often as it can, and uses at AWS what it read last: with a server, and while it is dead."""

    def __init__(self, aws, api, user):
        super().__init__()
        self.aws, self.api, self.user = aws, api, user
        self.last = None
        self.refused = None
        self.goes_on(self.work)

    def work(self):
        while not self.ended.wait(USE_SECONDS) and not self.refused:
            self.last = self.read() or self.last
            if self.last and not self.aws.accepts(self.last):
                self.refused = self.last["accessKeyId"]

    def read(self):
        """The pair; none while the server is dead or the pair is not there."""
        try:
            return pair(self.api, self.user)
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def check(self):
        require(not self.refused, f"AWS accepts whatever {self.user} reads; it refused {self.refused}")


def pair(api, user):
    """Both halves from one answer, so that no publish comes between them; none if they are not there."""
    status, answer = api.call("GET", f"/api/v4/secrets?projectId={api.project}&environment=dev&secretPath=/")
    values = {s["secretKey"]: s["secretValue"] for s in answer["secrets"]} if status == 200 else {}
    key, secret = values.get(f"{user}_ID"), values.get(f"{user}_SECRET")
    return {"accessKeyId": key, "secretAccessKey": secret} if key and secret else None


def created(aws, user):
    """The keys that Keywheel made for a user, in order."""
    made = [e for e in aws.calls() if e["action"] == "CreateAccessKey" and e["effect"] and e["userName"] == user]
    return [entry["accessKeyId"] for entry in made]


def creates(aws, user):
    """How many creates were sent for a user, whatever came of them."""
    return sum(e["action"] == "CreateAccessKey" and e["userName"] == user for e in aws.calls())


def check_calls(aws, users):
    """As AWS saw it: Keywheel asked to change only keys that it had made, by their ids, and deactivated each before
    it deleted it; whether the call had an effect or not."""
    made, deactivated = set(), set()
    for entry in aws.calls():
        if entry["action"] not in CHANGES:
            continue
        require(entry["userName"] in users, f"no other user is touched: {entry}")
        key = (entry["userName"], entry["accessKeyId"])
        if entry["action"] == "CreateAccessKey":
            made.add(key)
        elif entry["action"] == "UpdateAccessKey":
            require(key in made, f"only own keys are changed: {entry}")
            if entry["effect"]:
                deactivated.add(key)
        else:
            require(key in deactivated, f"a key is deactivated before it is deleted: {entry}")
