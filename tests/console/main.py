#!/usr/bin/env python3
"""Stories of the web console, told by Chromium: main.py BINARY [NAME…] [--keep FOLDER]

Without a NAME all are told. Needs the packages of pins.txt, those of package-lock.json in node_modules/, and Debian's
Chromium. Any error of a page, breach of its policy, failure of the server or request to elsewhere breaks the story.
Pictures of each page go to target/console-screenshots/; --keep writes those that the documentation shows, small.
"""

import argparse
import functools
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "stories"))

import changing  # noqa: E402  (the path above)
import connecting  # noqa: E402
import everywhere  # noqa: E402
import files  # noqa: E402
import looking  # noqa: E402
import people  # noqa: E402
import rotating  # noqa: E402
import stage  # noqa: E402
import telling  # noqa: E402
from browser import chromium  # noqa: E402
from support import tell_chosen  # noqa: E402


def stories(browser, keep):
    for name, story in files.STORIES:
        yield name, lambda _binary, _folder, story=story: story()
    told = (people, connecting, rotating, changing, looking, telling)
    for name, story in [*(story for part in told for story in part.STORIES), *everywhere.stories(keep)]:
        yield name, functools.partial(stage.told, browser, name, story)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keywheel-chromium-") as home, chromium(pathlib.Path(home)) as browser:
        tell_chosen(stories(browser, options.keep), options.names, options.binary, "{} stories told, {} broken")


if __name__ == "__main__":
    main()
