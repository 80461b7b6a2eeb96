"""What a client decodes: the types of the fields that it reads, as strictly as Go does it."""

import datetime
import re

from support import Broken

# RFC 3339 in UTC with milliseconds.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def is_time(value):
    return isinstance(value, str) and bool(TIME.fullmatch(value)) and bool(datetime.datetime.fromisoformat(value))


# bool is an int in Python and nowhere else.
TYPES = {
    "string": lambda value: isinstance(value, str),
    "text": lambda value: isinstance(value, str) and value != "",
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "time": is_time,
}


def require_shape(value, shape, named, where="answer"):
    """Requires that a value has a shape.

    A shape is the name of a type; an object of shapes by field, whose name ends in `?` if it may be null or absent;
    a list of one shape, for each element; or `$` and the name of a shape of the file.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Broken(f"{where} is an object: {value!r}")
        for field, inner in shape.items():
            name = field.removesuffix("?")
            if name != field and value.get(name) is None:
                continue
            if name not in value:
                raise Broken(f"{where} has {name}: {sorted(value)}")
            require_shape(value[name], inner, named, f"{where}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise Broken(f"{where} is a list: {value!r}")
        for index, one in enumerate(value):
            require_shape(one, shape[0], named, f"{where}.{index}")
    elif shape.startswith("$"):
        require_shape(value, named[shape[1:]], named, where)
    elif not TYPES[shape](value):
        raise Broken(f"{where} is of the type {shape}: {value!r}")


def at(value, path):
    """What lies at a path such as `secrets[secretKey=A].tags.0.slug`; `#` is the length of a list."""
    for step in re.findall(r"[^.\[\]]+|\[[^\]]+\]", path):
        try:
            if step.startswith("["):
                field, wanted = step[1:-1].split("=", 1)
                [value] = [one for one in value if one[field] == wanted]
            elif step == "#":
                value = len(value)
            else:
                value = value[int(step) if isinstance(value, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            raise Broken(f"the answer has {path}: nothing at {step} in {value!r}") from None
    return value
