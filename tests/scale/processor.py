"""Processor time of groups of processes, as the system counts it."""

import os
import pathlib

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Of /proc/PID/stat, counted from the state, which comes after the name: its name may hold blanks and parentheses.
PARENT, USER, SYSTEM, ENDED_USER, ENDED_SYSTEM = 1, 11, 12, 13, 14


class Meter:
    """What each group has used since the meter was made. A group is a name and the process ids of its members; their
    children count as they do."""

    def __init__(self, groups):
        self.groups = groups
        self.before = self.used()

    def used(self):
        processes = read_all()
        return {name: sum(seconds(processes, pid) for pid in pids) for name, pids in self.groups.items()}

    def since(self):
        return {name: used - self.before[name] for name, used in self.used().items()}


def read_all():
    """The numbers in /proc/PID/stat of all processes, by process id."""
    processes = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue  # It has ended meanwhile.
            processes[int(folder.name)] = text.rsplit(")", 1)[1].split()
    return processes


def seconds(processes, pid):
    """Of a process, of its children that have ended, and of those that have not."""
    own = processes.get(pid)
    if own is None:
        return 0.0
    ticks = sum(int(own[place]) for place in (USER, SYSTEM, ENDED_USER, ENDED_SYSTEM))
    children = [child for child, stat in processes.items() if int(stat[PARENT]) == pid]
    return ticks / TICKS_PER_SECOND + sum(seconds(processes, child) for child in children)


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
