"""Sends what clients send that no package registry has, and decodes the answers as they do.

A file of `replays/` holds one client: its headers, the shapes that it decodes, and chapters of steps, each a request
with what has to come back. docs/clients.md describes the fields.
"""

import base64
import functools
import gzip
import http.client
import json
import pathlib
import re
import urllib.parse

from shapes import at, require_shape
from stage import FREE_USER, PAIR, USER, Stage
from support import REQUEST_SECONDS_MAX, Broken, require

FOLDER = pathlib.Path(__file__).resolve().parent / "replays"
# Decoded by all clients that are built on the Go SDK.
SHARED_SHAPES = "shapes.json"
# What stands for a value that was kept; `${NAME}` is a reference between secrets.
NAME = re.compile(r"(?<!\$)\{(\w+)\}")
FIELDS = set("note send headers body status reads finds differs says keep again".split())
DEEDS = set("note rotate works claims".split())


class Player:
    def __init__(self, script, stage):
        self.script, self.stage = script, stage
        login = stage.api.identity("client", script.get("role", "member"))
        self.kept = {
            "clientId": login["clientId"],
            "clientSecret": login["clientSecret"],
            "adminToken": stage.api.admin_token,
            "organizationId": stage.api.organization,
            "projectId": stage.project,
            "projectSlug": stage.slug,
            "rotationId": stage.rotation,
            "pairId": PAIR[0],
            "pairSecret": PAIR[1],
            "user": USER,
            "freeUser": FREE_USER,
            "awsId": stage.aws.connection["accessKeyId"],
            "awsSecret": stage.aws.connection["secretAccessKey"],
        }

    def play(self):
        for chapter in self.script["chapters"]:
            for number, step in enumerate(chapter["steps"], 1):
                try:
                    self.step(step)
                except Broken as broken:
                    what = step.get("send") or next(iter(step))
                    raise Broken(f"{chapter['title']}, step {number}, {what}: {broken}") from None

    def step(self, step):
        if "send" in step:
            require(set(step) <= FIELDS, f"the step is well written: {set(step) - FIELDS}")
            self.request(step)
            return
        require(set(step) <= DEEDS, f"the step is well written: {set(step) - DEEDS}")
        if step.get("rotate"):
            self.stage.rotate()
        if "works" in step:
            works = self.filled(step["works"])
            self.stage.require_works(works["pair"], works["user"])
        if "claims" in step:
            claims = claims_of(self.filled(step["claims"]["of"]))
            self.check(step["claims"], claims, {})

    def request(self, step):
        wanted = step.get("status", 200)
        status, headers, answer = self.exchange(step)
        require(status == wanted, f"the status is {wanted}, not {status}: {answer}")
        self.check(step, answer, headers)
        for name, path in step.get("keep", {}).items():
            self.kept[name] = value_of(path, answer, headers)
        if "again" in step:
            # The answer got lost, and the client sends the request a second time.
            status, _, answer = self.exchange(step)
            require(status == step["again"], f"sent again, the status is {step['again']}, not {status}: {answer}")

    def check(self, step, answer, headers):
        if "reads" in step:
            require_shape(answer, step["reads"], self.script["shapes"])
        for path, value in step.get("finds", {}).items():
            found = value_of(path, answer, headers)
            require(found == self.filled(value), f"{path} is {self.filled(value)!r}, not {found!r}")
        for path, value in step.get("differs", {}).items():
            require(value_of(path, answer, headers) != self.filled(value), f"{path} is no longer {value}")
        if "says" in step:
            # The shape of a refusal: what the Go clients decode it into.
            refusal = {"statusCode": "integer", "message": "text", "reqId": "text", "error": "text"}
            require_shape(answer, refusal, {})
            require(self.filled(step["says"]) in answer["message"], f"{step['says']!r} is said: {answer['message']}")

    def exchange(self, step):
        """Status, headers and parsed body of the answer to a step's request."""
        method, target = step["send"].split(" ", 1)
        if target.startswith("$"):
            target = self.script["targets"][target[1:]]
        target = self.filled(target, urllib.parse.quote_plus)
        body = json.dumps(self.filled(step["body"])).encode() if "body" in step else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= self.script["headers"] | step.get("headers", {})
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.server.port, timeout=REQUEST_SECONDS_MAX)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, self.filled(value))
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, parsed(answer)
        finally:
            connection.close()

    def filled(self, value, escape=str):
        """A value of the file with what was kept in the place of `{name}`."""
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if not isinstance(value, str):
            return value
        if (whole := NAME.fullmatch(value)) and escape is str:
            return self.known(whole)
        return NAME.sub(lambda name: escape(str(self.known(name))), value)

    def known(self, name):
        require(name[1] in self.kept, f"an earlier step kept {name[1]}")
        return self.kept[name[1]]


def parsed(answer):
    """The body, as a Go client takes it: nothing unless it is declared to be JSON."""
    body = answer.read()
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    if answer.status == http.HTTPStatus.NOT_MODIFIED:
        require(not body, f"304 has no body: {body!r}")
        return None
    declared = answer.headers.get("Content-Type", "")
    require(declared.startswith("application/json"), f"{answer.status} is declared to be JSON: {declared!r} {body!r}")
    return json.loads(body)


def value_of(path, answer, headers):
    if path.startswith("header:"):
        value = headers.get(path.removeprefix("header:"))
        require(value, f"the answer has the header {path}")
        return value
    return at(answer, path)


def claims_of(token):
    parts = token.split(".")
    require(len(parts) == 3, f"the token is a JWT of three parts, not {len(parts)}")
    return json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))


def tell(file, binary, folder):
    script = json.loads(file.read_text())
    script["shapes"] = json.loads((FOLDER.parent / SHARED_SHAPES).read_text()) | script.get("shapes", {})
    Player(script, Stage(binary, folder)).play()


STORIES = [(file.stem, functools.partial(tell, file)) for file in sorted(FOLDER.glob("*.json"))]
