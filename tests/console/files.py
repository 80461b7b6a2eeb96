"""The files of the console, without a server: small, complete, and modules that parse."""

import gzip
import json
import pathlib
import re
import subprocess

from support import Broken, require

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "crates" / "keywheel-server" / "console"
BYTES_MAX = 150_000
# `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`; one with a place for a name in it is a page's.
IMPORTS = re.compile(r"""^(?:import|export)\s[^;"']*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|\bimport\(\s*["'`]([^"'`]+)""", re.M)
NAMED = re.compile(r"""import\s*\{([^}]*)\}\s*from\s*["']([^"']+)["']""")
EXPORTED = re.compile(r"export\s+(?:async\s+)?(?:function\*?|const|let|class)\s+(\w+)")
PAGES = re.compile(r"""\[\s*["'](/[^"']*)["'],\s*["'](\w+)["']""")
REFERRED = re.compile(r"""(?:href|src)="/console/([^"]+)\"""")

PARSE = """
import { readFileSync } from "node:fs";
import { SourceTextModule } from "node:vm";
for (const identifier of process.argv.slice(1)) new SourceTextModule(readFileSync(identifier, "utf8"), { identifier });
"""

EVENT = re.compile(r"""^ +\w+ = "([\w-]+)", (\w+);$""", re.M)
CODE = re.compile(r"""^\| `([A-Z_]+)` \|""", re.M)
# What tells who came and went is looked for like what was changed.
SIGNING_IN = re.compile("^(login|renew)-|-failed$")


def modules():
    return sorted(CONSOLE.rglob("*.js"))


def small():
    files = [file for file in CONSOLE.rglob("*") if file.is_file()]
    size = sum(len(gzip.compress(file.read_bytes())) for file in files)
    require(0 < size <= BYTES_MAX, f"all files of the console together, as they are sent, have at most {BYTES_MAX} bytes, not {size}")


def parse():
    """As modules, all at once: to start Node for each takes longer."""
    command = ["node", "--experimental-vm-modules", "--no-warnings", "--input-type=module", "--eval", PARSE, *map(str, modules())]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    require(checked.returncode == 0, f"every script parses: {checked.stderr[:600]}")


def imports():
    exported = {module: set(EXPORTED.findall(module.read_text())) for module in modules()}
    for module in modules():
        text = module.read_text()
        for target in ("".join(found) for found in IMPORTS.findall(text)):
            if "${" in target:
                require(list((module.parent / target).parent.glob("*.js")), f"{module.name} finds something in {target}")
                continue
            require(target.startswith("."), f"{module.name} imports nothing by a bare name: {target}")
            require((module.parent / target).resolve().is_file(), f"{module.name} imports {target}, which exists")
        for names, target in NAMED.findall(text):
            wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
            missing = wanted - exported[(module.parent / target).resolve()]
            require(not missing, f"{module.name} imports what {target} exports, not {missing}")


def pages():
    """Every address has a page, every page an address, and what the first page loads is there."""
    router = (CONSOLE / "js" / "router.js").read_text()
    named = {name for _, name in PAGES.findall(router)}
    if not named:
        raise Broken("the table of pages is found in router.js")
    for name in named:
        require((CONSOLE / "js" / "pages" / f"{name}.js").is_file(), f"the page {name} exists")
    for target in REFERRED.findall((CONSOLE / "index.html").read_text()):
        require((CONSOLE / target).is_file(), f"{target}, which index.html loads, exists")


def value_of(module, name):
    """What a module exports."""
    script = f"import {{ {name} }} from {json.dumps(str(CONSOLE / 'js' / module))}; console.log(JSON.stringify({name}))"
    ran = subprocess.run(["node", "--no-warnings", "--input-type=module", "--eval", script], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


def events():
    """Those of the server, each of them once; and what changes something is all there."""
    weights = dict(EVENT.findall((ROOT / "crates/keywheel-server/src/audit/event.rs").read_text()))
    offered = value_of("pages/audit_events.js", "EVENT_TYPES")
    require(sorted(weights) == offered, f"the same events are offered as there are: {set(weights) ^ set(offered)}")
    changes = {word for word, weight in weights.items() if weight == "Change" or SIGNING_IN.search(word)}
    found = set(value_of("pages/audit_events.js", "CHANGES"))
    require(found == changes, f"those that change something, and signing in: {found ^ changes}")


def faults():
    codes = CODE.findall((ROOT / "docs" / "error-codes.md").read_text())
    told = list(value_of("faults.js", "FAULTS"))
    require(told == codes, f"the console explains the codes of the documentation: {set(codes) ^ set(told)}")


STORIES = [
    ("all files together are small", small),
    ("every script parses as a module", parse),
    ("nothing is imported that does not exist", imports),
    ("every address has its page", pages),
    ("every event of the audit log is offered", events),
    ("every reason of a failure is explained", faults),
]
