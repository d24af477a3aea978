#!/usr/bin/env python3
"""Good and hostile clients at random against all servers of ours at once, and what is left of them when they have gone.

    python3 soak.py --async PATH --sync PATH --demo PATH [--seconds N] [--seed N]

PATH is a release build of `echo_server_async`, `echo_server_sync` and `ws-demo`. When the time is over, each server has to
serve, to have every descriptor back and not much more memory in use than after the first clients, and to have panicked
nowhere. The exit code is 1 if one of that does not hold, or if a client was treated otherwise than it should have been.
"""
import argparse
import collections
import multiprocessing
import random
import sys
import time

import soak_clients
from process import KEEPS_NOTHING_LARGE, MIB, allow_many_files
from resource_cases import expect_service, mebibytes
from suite import Case, Unexpected, expect, find_problem
from targets import add_options, choose

# Who talks at the same time: so many processes, each of which has one or some connections to one of the servers.
WORKERS = 4

# The share of the time that comes before memory is first looked at, and what comes at least: what the first clients cost is
# not put down to those who follow.
WARM_UP = 0.2
ROUNDS = 2

# What may be in use in the end beyond what was before. What leaks comes to more within two minutes; so much is what the C
# library keeps of threads and in the arenas of its heap.
GROWTH = 2 * MIB
GROWTH_OF_THREADS = 4 * MIB

# Longer than any deadline that a client can have left behind.
SETTLED = 40.0

FORMAT = "%-9s %6d clients   %.2f MiB before, %.2f MiB after (%s, limit %s)   %d descriptors before, %d after"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long clients come")
    parser.add_argument("--seed", type=int, help="which clients come; the one that was used is printed")
    options = parser.parse_args()
    targets = choose(options)
    if not targets:
        parser.error("nobody to visit: give --async, --sync or --demo")
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print("seed %d, %.0f s" % (seed, options.seconds), flush=True)

    allow_many_files()
    served = [Served(target) for target in targets]
    problems = []
    try:
        begun = time.monotonic()
        places = [server.place() for server in served]
        for place in places:
            for client in soak_clients.ALL * ROUNDS:
                problems.extend(visit(place, client, random.Random(seed)))
        spent = time.monotonic() - begun
        problems.extend(crowd(places, seed, max(1.0, WARM_UP * options.seconds - spent), served))
        for server in served:
            server.remember()
        problems.extend(crowd(places, seed + 1, options.seconds, served))
        for server in served:
            problems.extend(server.judge())
    finally:
        for server in served:
            problems.extend(server.stop())
    for problem in problems[:20]:
        print("FAILED %s" % problem)
    visits = sum(server.visits for server in served)
    print("%d passed, %d failed, 0 skipped" % (visits, len(problems)))
    return 1 if problems or not visits else 0


class Place:
    """Where a server is, for another process."""

    def __init__(self, name, port, path):
        self.name = name
        self.port = port
        self.path = path


class Served:
    """A running server, and what it used before."""

    def __init__(self, target):
        self._target = target
        self._limit = GROWTH_OF_THREADS if target.threaded else GROWTH
        self._server = target.start(KEEPS_NOTHING_LARGE)
        # With the connection of nobody.
        self._files_at_first = self._server.open_files()
        self._files = self._memory = 0
        self.visits = 0

    def place(self):
        return Place(self._target.name, self._server.port, self._server.path)

    def remember(self):
        self._server.wait_for_open_files(self._files_at_first, SETTLED)
        self._files = self._server.open_files()
        self._memory = self._server.resident()
        self.visits = 0

    def judge(self):
        """What does not hold any more."""
        name = self._target.name
        self._server.wait_for_open_files(self._files, SETTLED)
        files = self._server.open_files()
        memory = self._server.resident()
        growth = memory - self._memory
        print(FORMAT % (name, self.visits, self._memory / MIB, memory / MIB, mebibytes(growth),
            mebibytes(self._limit), self._files, files), flush=True)
        checks = [
            Case("it serves", expect_service),
            Case("its descriptors are back", lambda _: expect(files == self._files, "%d, not %d", files, self._files)),
            Case("its memory is back", lambda _: expect(growth <= self._limit, "%s more", mebibytes(growth))),
        ]
        for check in checks:
            problem = find_problem(check, self._server)
            if problem is not None:
                yield "%s: not so: %s: %s" % (name, check.name, problem)

    def stop(self):
        """Ends it, and looks into its log."""
        try:
            expect(self._server.is_alive(), "it ended by itself")
            self._server.check_log()
        except Unexpected as problem:
            yield "%s: %s" % (self._target.name, problem)
        self._server.stop()


def crowd(places, seed, seconds, served):
    """Clients in all processes until the time is over: what went wrong. Counts them where they were."""
    until = time.monotonic() + seconds
    with multiprocessing.Pool(WORKERS) as pool:
        work = [(places, seed * WORKERS + number, until) for number in range(WORKERS)]
        findings = pool.map(visit_until, work)
    counts = collections.Counter()
    problems = []
    for visits, wrong in findings:
        counts.update(visits)
        problems.extend(wrong)
    for place, server in zip(places, served):
        server.visits += counts[place.name]
    return problems


def visit_until(work):
    places, seed, until = work
    chance = random.Random(seed)
    visits = collections.Counter()
    wrong = []
    while time.monotonic() < until and len(wrong) < 5:
        place = chance.choice(places)
        wrong.extend(visit(place, chance.choice(soak_clients.ALL), chance))
        visits[place.name] += 1
    return visits, wrong


def visit(place, client, chance):
    problem = find_problem(Case(client.__name__, lambda place: client(place, chance)), place)
    return [] if problem is None else ["%s: %s: %s" % (place.name, client.__name__, problem)]


if __name__ == "__main__":
    # A fresh interpreter for each process, as where the table of hostile clients is made.
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
