#!/usr/bin/env python3
"""Attacks a server and a client of ours from outside, and says what gave way.

    python3 run.py --server PATH --client PATH [--only PATTERN] [--slowest]

PATH is a release build of one of the examples `echo_server_sync`, `echo_server_async`, `echo_client_sync` and
`echo_client_async`.
"""
import argparse
import sys
import time

import client_frames
import client_handshakes
import server_closing
import server_frames
import server_limits
import server_negotiation
import server_requests
import server_utf8
import suite
from process import Client, Server, allow_many_files

SERVER_CASES = [
    *server_requests.CASES,
    *server_negotiation.CASES,
    *server_limits.CASES,
    *server_frames.CASES,
    *server_utf8.CASES,
    *server_closing.CASES,
]
CLIENT_CASES = [
    *client_handshakes.CASES,
    *client_frames.CASES,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", metavar="PATH", help="an echo server that takes `--port 0`")
    parser.add_argument("--client", metavar="PATH", help="an echo client that takes a URI and messages")
    parser.add_argument("--only", metavar="PATTERN", help="run the cases whose name this regular expression finds")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and run none")
    parser.add_argument("--slowest", action="store_true", help="print which cases took longest")
    options = parser.parse_args()
    if not (options.server or options.client or options.list):
        parser.error("nothing to attack: give --server, --client or both")
    server_cases = suite.select(SERVER_CASES, options.only)
    client_cases = suite.select(CLIENT_CASES, options.only)
    if options.list:
        print("\n".join(case.name for case in server_cases + client_cases))
        return 0

    allow_many_files()
    results = suite.Results()
    begun = time.monotonic()
    if options.server:
        attack_server(options.server, server_cases, results)
    if options.client:
        suite.run(client_cases, Client(options.client), results)
    if options.slowest:
        for seconds, name in sorted(results.slowest, reverse=True)[:25]:
            print("%6.2f s  %s" % (seconds, name))
    print("%.1f s" % (time.monotonic() - begun))
    print("%d passed, %d failed, 0 skipped" % (results.passed, len(results.failed)))
    return 1 if results.failed or not results.passed else 0


def attack_server(binary, cases, results):
    def survive(_):
        with Server(binary) as server:
            suite.run(cases, server, results)

    # After all of it the server still runs, and nothing in it has panicked.
    last = suite.Case("X13 the server survives all of it", survive)
    results.run(last, None)


if __name__ == "__main__":
    sys.exit(main())
