#!/usr/bin/env python3
"""Switches the guards of the machine off, one at a time, and requires the simulator to notice each.

    tests/guards/main.py [--seeds N] [NAME…]

The rules are copied to target/guards, where every guard of table.py gets a switch; the copy is built once. Without a NAME
all guards are tried. A guard whose text is no longer found fails the test: table.py then has to follow the code.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import time

from table import ALIASES, GUARDS

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "guards"
CRATES = ("keywheel-core", "keywheel-sandbox", "keywheel-simulator")
# The whole of what the copied crates need to say of the workspace.
SWITCH = '''
/// Copied rules only: whether a guard is switched off.
#[allow(missing_docs)]
pub mod switch {
    pub fn off(name: &str) -> bool {
        static OFF: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        OFF.get_or_init(|| std::env::var("KEYWHEEL_GUARD_OFF").unwrap_or_default()) == name
    }
}
'''


def copy_rules():
    """A workspace of three crates, in which files change only if they differ: the build stays warm."""
    manifest = (ROOT / "Cargo.toml").read_text()
    members = ", ".join(f'"crates/{crate}"' for crate in CRATES)
    manifest = re.sub(r"(?m)^members\s*=\s*\[[^\]]*\]", f"members = [{members}]", manifest)
    manifest = re.sub(r"(?m)^default-members\s*=.*\n", "", manifest)
    manifest = re.sub(r"\[workspace\.lints\.[a-z]+\][^\[]*", lambda m: m.group(0).split("\n")[0] + "\n\n", manifest)
    files = {COPY / "Cargo.toml": manifest, COPY / "Cargo.lock": (ROOT / "Cargo.lock").read_text()}
    for crate in CRATES:
        for path in sorted((ROOT / "crates" / crate).rglob("*")):
            if path.suffix in (".rs", ".toml", ".json", ".md") and "tests" not in path.relative_to(ROOT / "crates").parts:
                files[COPY / path.relative_to(ROOT)] = path.read_text()
    core = COPY / "crates" / "keywheel-core" / "src"
    files[core / "lib.rs"] += SWITCH
    for guard in GUARDS:
        for name, text, instead in guard["edits"]:
            path = core / ALIASES.get(name, name)
            files[path] = switched(files[path], guard["name"], name, text, instead)
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in COPY.glob("crates/**/*.rs"):
        if path not in files:
            path.unlink()


def switched(source, guard, name, text, instead):
    """The source with a switch in the one place where the text stands."""
    pattern = re.compile(r"\s*".join(re.escape(part) for part in re.findall(r"\w+|[^\w\s]", text)))
    found = pattern.findall(source)
    if len(found) != 1:
        sys.exit(f"the guard {guard} stands {len(found)} times in {name}, not once: {text}")
    off = f'crate::switch::off("{guard}")'
    return pattern.sub(lambda _: re.sub(r"\bOFF\b", off, instead), source)


def build():
    environment = os.environ | {"CARGO_TARGET_DIR": str(COPY / "target")}
    command = ["cargo", "build", "--quiet", "--release", "-p", "keywheel-simulator"]
    subprocess.run(command, cwd=COPY, env=environment | {"RUSTFLAGS": "-Awarnings"}, check=True)
    return COPY / "target" / "release" / "keywheel-simulator"


def is_noticed(simulator, guard, seeds, first):
    """Whether a violation is found, and the last lines that were printed."""
    environment = os.environ | {"KEYWHEEL_GUARD_OFF": guard["name"]}
    command = [simulator, "--seeds", str(seeds), "--from", str(first), "--expect-violation"]
    run = subprocess.run(command + ([guard["flag"]] if guard["flag"] else []), env=environment, text=True,
                         capture_output=True)
    return run.returncode == 0, run.stdout.strip().splitlines()[:2] + run.stderr.strip().splitlines()[-1:]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seeds", type=int, default=40_000)
    parser.add_argument("--from", dest="first", type=int, default=random.randrange(1 << 40))
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args()
    copy_rules()
    simulator = build()
    print(f"each guard is off for at most {chosen.seeds} schedules from seed {chosen.first}")
    healthy, told = is_noticed(simulator, {"name": "", "flag": None}, 2_000, chosen.first)
    if healthy:
        sys.exit(f"a promise is broken with all guards on: {told}")
    missed = []
    for guard in GUARDS:
        if chosen.names and guard["name"] not in chosen.names:
            continue
        began_at = time.monotonic()
        noticed, told = is_noticed(simulator, guard, chosen.seeds, chosen.first)
        seconds = time.monotonic() - began_at
        found = " ".join(told)[:110] if noticed else "NOT NOTICED"
        print(f"{guard['name']:<30} {seconds:5.1f} s  {found}", flush=True)
        missed += [] if noticed else [guard["name"]]
    if missed:
        sys.exit(f"{len(missed)} guards can be missing without anybody noticing: {', '.join(missed)}")


if __name__ == "__main__":
    main()
