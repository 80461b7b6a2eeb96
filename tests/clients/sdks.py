"""One story, told by every SDK: what it reads, writes and is refused, before and after a rotation.

An SDK runs in a program of its own, which does one command per line and answers with what its SDK gave:
`{"done": …}` or `{"refused": "the text that the user of the SDK sees"}`.
"""

import functools
import json
import pathlib
import subprocess

from stage import PAIR, Stage
from support import Process, require

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests" / "clients"
NEW, RENAMED = "CLIENT_NEW", "CLIENT_RENAMED"
# Names that are not for environment variables. Only a client that escapes names can say the second.
SPACED = "odd name.with-all_of"
ODD = f"{SPACED} 100%&?#"


class Hands:
    """An SDK at work."""

    def __init__(self, program, stage, folder):
        self.log = folder / "client.txt"
        self.project = stage.project
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*program, stage.server.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        # Ended with the server, whatever happens.
        Process.running.append(self)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, name, options):
        self.process.stdin.write(json.dumps({"do": name} | options) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        require(line, f"the client answers {name}; it ended with:\n{self.log.read_text()}")
        return json.loads(line)

    def do(self, name, /, **options):
        answer = self.ask(name, options)
        require("done" in answer, f"{name} {options} is done: {answer}")
        return answer["done"]

    def refused(self, containing, name, /, **options):
        answer = self.ask(name, options)
        require(containing in answer.get("refused", ""), f"{name} {options} is refused with {containing!r}: {answer}")

    def at(self, path="/", environment="dev"):
        return {"projectId": self.project, "environment": environment, "secretPath": path}

    def list(self, path="/", **options):
        return {one["secretKey"]: one for one in self.do("list", **self.at(path), **options)["secrets"]}

    def imported(self):
        """What an import brings along: the Rust SDK puts it among the other secrets."""
        answer = self.do("list", includeImports=True, **self.at())
        blocks = [one["secrets"] for one in answer["imports"]] if "imports" in answer else [answer["secrets"]]
        values = {one["secretKey"]: one["secretValue"] for block in blocks for one in block}
        return values.get("IMPORTED")

    def get(self, name, **options):
        return self.do("get", secretName=name, **self.at(), **options)

    def pair(self):
        return tuple(self.get(name)["secretValue"] for name in PAIR)


def tell(program, kind, extra, binary, folder):
    stage = Stage(binary, folder)
    hands = Hands(program, stage, folder)
    login = {name: stage.api.deployer[name] for name in ("clientId", "clientSecret")}
    hands.refused("nvalid credentials", "login", **login | {"clientSecret": "wrong"})
    hands.do("login", **login)
    writes(hands)
    lists(hands, stage)
    extra(hands, stage)
    rotates(hands, stage)
    stage.require_seen(kind)


def writes(hands):
    """A secret from its creation to its end."""
    made = hands.do("create", secretName=NEW, secretValue="one", secretComment="why", **hands.at())
    require((made["secretKey"], made["secretValue"]) == (NEW, "one"), f"a new secret is shown: {made}")
    hands.refused("already exists", "create", secretName=NEW, secretValue="other", **hands.at())
    found = hands.get(NEW)
    shown = [found[name] for name in ("secretValue", "secretComment", "version", "type", "environment", "workspace")]
    require(shown == ["one", "why", 1, "shared", "dev", hands.project], f"it is read as it was written: {found}")
    hands.do("update", secretName=NEW, secretValue="two\nlines", **hands.at())
    found = hands.get(NEW)
    require((found["secretValue"], found["version"]) == ("two\nlines", 2), f"an update is a version: {found}")
    hands.do("update", secretName=NEW, newSecretName=RENAMED, **hands.at())
    require(hands.get(RENAMED)["secretValue"] == "two\nlines", "a rename keeps the value")
    hands.refused("not found", "get", secretName=NEW, **hands.at())
    hands.do("delete", secretName=RENAMED, **hands.at())
    hands.refused("not found", "delete", secretName=RENAMED, **hands.at())
    require(RENAMED not in hands.list(), "a deleted secret is not listed")


def lists(hands, stage):
    """What lies deeper, what refers to something, what is imported."""
    stage.folder("deep")
    stage.put("DEEP", "down", path="/deep")
    require("DEEP" not in hands.list(), "a list shows its folder")
    require(hands.list(recursive=True)["DEEP"]["secretValue"] == "down", "a recursive list shows all below")
    require(set(hands.list("/deep")) == {"DEEP"}, "a folder is listed by its path")

    stage.put("BASE", "root")
    stage.put("REFERRING", "${BASE}-${dev.deep.DEEP}")
    for expand, value in ((True, "root-down"), (False, "${BASE}-${dev.deep.DEEP}")):
        listed = hands.list(expandSecretReferences=expand)["REFERRING"]["secretValue"]
        require(listed == value, f"references are followed if that is asked for ({expand}): {listed}")
        read = hands.get("REFERRING", expandSecretReferences=expand)["secretValue"]
        require(read == value, f"one secret is read as in the list ({expand}): {read}")

    stage.put("IMPORTED", "from staging", environment="staging")
    stage.bring("staging")
    require(hands.imported() == "from staging", f"imports come with a list: {hands.imported()}")


def rotates(hands, stage):
    """The pair of the rotation: it works, it changes, and it is nobody's to write."""
    before = {name: hands.get(name) for name in PAIR}
    first = tuple(one["secretValue"] for one in before.values())
    stage.require_works(first)
    stage.rotate()
    after = {name: hands.get(name) for name in PAIR}
    second = tuple(one["secretValue"] for one in after.values())
    require(not set(first) & set(second), "both halves of the pair are new")
    versions = [after[name]["version"] - before[name]["version"] for name in PAIR]
    require(versions == [1, 1], f"a rotation is one version of each: {versions}")
    listed = hands.list()
    require(tuple(listed[name]["secretValue"] for name in PAIR) == second, "the list shows the same pair")
    stage.require_works(second)
    stage.require_works(first)
    for name in PAIR:
        hands.refused("Cannot update rotated secret", "update", secretName=name, secretValue="x", **hands.at())
        hands.refused("Cannot update rotated secret name", "update", secretName=name, newSecretName="X", **hands.at())
        hands.refused("Cannot delete rotated secrets", "delete", secretName=name, **hands.at())
    require(hands.pair() == second, "what was refused changed nothing")


def odd_name(hands, name):
    hands.do("create", secretName=name, secretValue="x", **hands.at())
    require(hands.get(name)["secretValue"] == "x" and name in hands.list(), f"{name} is found")
    hands.do("delete", secretName=name, **hands.at())


def tags(hands, stage, of_secret, of_list):
    """A secret with a tag is found by it; each client has its own words for both."""
    tag = stage.tag("client")
    hands.do("create", secretName="TAGGED", secretValue="x", **{of_secret: [tag]}, **hands.at())
    require(set(hands.list(**{of_list: ["client"]})) == {"TAGGED"}, "a list is narrowed to those with a tag")
    hands.do("delete", secretName="TAGGED", **hands.at())


def node(hands, stage):
    """A project of its own with an environment and folders; a renewed token."""
    odd_name(hands, ODD)
    tags(hands, stage, "tagIds", "tagSlugs")
    listed = hands.list()[PAIR[0]]
    shown = (listed["isRotatedSecret"], listed["rotationId"])
    require(shown == (True, stage.rotation), f"a rotated secret says so: {shown}")
    old = hands.get(PAIR[0], version=1)
    require(old["version"] == 1, f"a version is read by its number: {old}")
    hands.do("renew")
    made = hands.do("createProject", projectName="Made by Node", type="secret-manager")
    wanted = {"projectId": made["id"], "name": "Quality", "slug": "quality"}
    environment = hands.do("createEnvironment", **wanted)
    require(environment["slug"] == "quality" and environment["projectId"] == made["id"], f"{environment}")
    place = {"projectId": made["id"], "environment": "quality"}
    folder = hands.do("createFolder", name="inner", path="/outer", **place)
    require(folder["name"] == "inner", f"a folder is made with those above it: {folder}")
    names = [one["name"] for one in hands.do("listFolders", path="/outer", **place)]
    require(names == ["inner"], f"a folder is listed: {names}")
    hands.do("create", secretName="A", secretValue="b", secretPath="/outer/inner", **place)
    found = hands.do("list", secretPath="/outer/inner", recursive=True, **place)["secrets"]
    require([one["secretValue"] for one in found] == ["b"], f"a secret is found in the new project: {found}")


def python(hands, stage):
    """Folders, from their creation to their end."""
    odd_name(hands, SPACED)
    tags(hands, stage, "tags_ids", "tag_filters")
    place = {"projectId": hands.project, "environment": "dev"}
    made = hands.do("createFolder", name="inner", path="/outer", **place)
    require(made["path"] == "/outer/inner", f"a folder is made with those above it: {made}")
    found = hands.do("getFolder", id=made["id"])
    require(found["projectId"] == hands.project and found["environment"]["envSlug"] == "dev", f"by id: {found}")
    changed = hands.do("updateFolder", folderId=made["id"], name="renamed", path="/outer", **place)
    require(changed["name"] == "renamed", f"a folder is renamed: {changed}")
    names = [one["name"] for one in hands.do("listFolders", path="/outer", **place)]
    require(names == ["renamed"], f"a folder is listed: {names}")
    hands.do("create", secretName="A", secretValue="b", secretPath="/outer/renamed", **place)
    hands.refused("contains resources", "deleteFolder", folderName="renamed", path="/outer", **place)
    hands.do("deleteFolder", folderName="renamed", path="/outer", force_delete=True, **place)


def rust(hands, _stage):
    """It has secrets and nothing else."""
    odd_name(hands, SPACED)


# What is run, what the audit log calls it, and what it alone can do.
PROGRAMS = {
    "node": (["node", HERE / "node" / "hands.mjs"], "InfisicalNodeSDK", node),
    "python": ([ROOT / ".python/clients/bin/python", HERE / "python" / "hands.py"], "InfisicalPythonSDK", python),
    "rust": ([ROOT / "target/clients-rust/debug/keywheel-client-rust"], "other", rust),
}
STORIES = [(name, functools.partial(tell, *told)) for name, told in PROGRAMS.items()]
