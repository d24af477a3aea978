#!/usr/bin/env python3
"""What hostile clients cost a server of ours, in memory and time, and how each of them ends.

    python3 hostile_peers.py --async PATH --sync PATH --demo PATH [--quick] [--only PATTERN]

PATH is a release build of `echo_server_async`, `echo_server_sync` and `ws-demo`. Prints a table, a line for each client
and server; the exit code is 1 if a figure is above its limit or a client met another end than it should have.
"""
import argparse
import multiprocessing
import re
import sys
import threading
import time

import bomb_cases
import resource_cases
from process import allow_many_files
from suite import find_problem
from targets import add_options, choose, choose_compressing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="a quarter of the bytes and connections, or less")
    parser.add_argument("--only", metavar="PATTERN", help="only clients whose name this regular expression finds")
    options = parser.parse_args()
    targets = choose(options)
    if not targets:
        parser.error("nothing to measure: give --async, --sync or --demo")

    allow_many_files()
    scale = resource_cases.QUICK if options.quick else resource_cases.FULL
    cases = [case for case in resource_cases.CASES if options.only is None or re.search(options.only, case.name)]
    jobs = [(case, target) for target in targets for case in cases]
    bombs = [case for case in bomb_cases.CASES if options.only is None or re.search(options.only, case.name)]
    jobs += [(case, target) for target in choose_compressing(options) for case in bombs]
    table = Table(len(jobs))
    # Whoever only waits for a deadline waits beside the others, and all at once.
    waiting = [
        threading.Thread(target=table.measure, args=(case, target, scale)) for case, target in jobs if case.waits
    ]
    for thread in waiting:
        thread.start()
    for case, target in jobs:
        if not case.waits:
            table.measure(case, target, scale)
    for thread in waiting:
        thread.join()
    return table.finish()


class Table:
    """The lines as they are found out."""

    FORMAT = "%-9s %-58s %14s %14s %8s  %s"

    def __init__(self, expected):
        self._expected = expected
        self._lock = threading.Lock()
        self._passed = 0
        self._failed = 0
        self._begun = time.monotonic()
        print(self.FORMAT % ("server", "client", "figure", "limit", "time", "outcome"))

    def measure(self, case, target, scale):
        begun = time.monotonic()
        for _ in range(case.attempts):
            finding = Finding()
            begun = time.monotonic()
            problem = find_problem(Attempt(case, target, scale), finding)
            if problem is None:
                break
        self._add(case, target, finding, time.monotonic() - begun, problem)

    def _add(self, case, target, finding, seconds, problem):
        outcome = finding.outcome if problem is None else "FAILED: %s" % problem
        line = self.FORMAT % (target.name, case.name, finding.figure, finding.limit, "%.1f s" % seconds, outcome)
        with self._lock:
            print(line, flush=True)
            self._passed += problem is None
            self._failed += problem is not None

    def finish(self):
        print("%.1f s" % (time.monotonic() - self._begun))
        missing = self._expected - self._passed - self._failed
        print("%d passed, %d failed, %d skipped" % (self._passed, self._failed, missing))
        return 0 if self._passed == self._expected > 0 else 1


class Finding:
    """What a line of the table says."""

    figure = "-"
    limit = "-"
    outcome = ""


class Attempt:
    """One case against one program, in the shape in which the suite runs cases."""

    def __init__(self, case, target, scale):
        self._case = case
        self._target = target
        self._scale = scale

    def check(self, finding):
        with self._target.start(self._case.environment) as server:
            self._case.measure(server, self._target, self._scale, finding)


if __name__ == "__main__":
    # A fresh interpreter for each process: a fork would copy the threads' locks as they stand.
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
