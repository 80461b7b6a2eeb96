"""A strict reader of OpenMetrics text: what a server says at /metrics, or the first line that is wrong."""

import re

from support import require

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
# What the samples of each type are called, behind the name of their family.
ENDS = {"counter": {"_total"}, "gauge": {""}, "info": {"_info"}, "histogram": {"_bucket", "_sum", "_count"}}


def labels_of(text):
    found, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        require(match and match.group(1) not in found, f"labels are well formed and named once: {text}")
        found[match.group(1)] = match.group(2)
        at = match.end()
    return found


def read(text):
    """The samples of each family: [(name, labels, value)]."""
    lines = text.split("\n")
    require(lines[-2:] == ["# EOF", ""], "it ends with # EOF, so nothing was cut off")
    families, current = {}, None
    for line in lines[:-2]:
        if line.startswith("# "):
            word, name, said = (line[2:].split(" ", 2) + [""])[:3]
            require(word in ("HELP", "TYPE", "UNIT"), f"it is one of the comments of the format: {line}")
            if name != current:
                require(name not in families, f"{name} is told of in one place")
                families[name] = {"samples": []}
                current = name
            require(word not in families[name] and said, f"{word} of {name} is said once")
            families[name][word] = said
            continue
        match = SAMPLE.fullmatch(line)
        require(match and current, f"it is a sample below its family: {line}")
        name, labels, value = match.group(1), labels_of(match.group(2) or ""), float(match.group(3))
        family = families[current]
        require({"HELP", "TYPE"} <= set(family), f"{current} has a type and is explained")
        ends = {f"{current}{end}" for end in ENDS[family["TYPE"]]}
        require(name in ends, f"{name} is a sample of a {family['TYPE']} {current}")
        require("UNIT" not in family or current.endswith(f"_{family['UNIT']}"), f"{current} names its unit")
        require(("le" in labels) == name.endswith("_bucket"), f"only buckets have bounds: {line}")
        known = [(other, those) for other, those, _ in family["samples"]]
        require((name, labels) not in known, f"a sample is there once: {line}")
        family["samples"].append((name, labels, value))
    for name, family in families.items():
        if family["TYPE"] == "histogram":
            check_histogram(name, family["samples"])
    return families


def check_histogram(name, samples):
    rows = {}
    for sample, labels, value in samples:
        key = tuple(sorted((label, text) for label, text in labels.items() if label != "le"))
        rows.setdefault(key, {}).setdefault(sample.removeprefix(name), []).append((labels.get("le"), value))
    for key, row in rows.items():
        buckets = row["_bucket"]
        values = [value for _, value in buckets]
        require(values == sorted(values), f"buckets of {name} {key} hold those below them")
        require(buckets[-1] == ("+Inf", row["_count"][0][1]), f"the last bucket of {name} {key} holds all")
