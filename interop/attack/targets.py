"""The servers of ours that hostile clients meet, and what is known of how each of them is built."""
from process import KIB, Server


class Target:
    """A program, how it is started, and where it echoes.

    `idle`: what a connection may cost that waits. `busy`: what one may cost beyond that whose peer does not read.
    """

    def __init__(self, name, binary, idle, busy, arguments=(), path="/", threaded=False):
        self.name = name
        self.binary = binary
        self.idle = idle
        self.busy = busy
        self.threaded = threaded
        self._arguments = arguments
        self._path = path

    def start(self, environment=()):
        return Server(self.binary, arguments=self._arguments, path=self._path, environment=environment)


def choose_compressing(options):
    """Those of them that can compress, told to."""
    targets = []
    for name, binary, threaded in (("ws-async", options.with_async, False), ("ws-sync", options.with_sync, True)):
        if binary:
            targets.append(Target(name, binary, idle=0, busy=0, arguments=("--deflate",), threaded=threaded))
    return targets


def add_options(parser):
    parser.add_argument("--async", metavar="PATH", dest="with_async", help="the example echo_server_async")
    parser.add_argument("--sync", metavar="PATH", dest="with_sync", help="the example echo_server_sync")
    parser.add_argument("--demo", metavar="PATH", help="ws-demo")


def choose(options):
    targets = []
    if options.with_async:
        # 2 KiB, and a page for every 64 connections, which is how much two runs differ. At work, a message of 64 KiB that is
        # written and the beginning of the next.
        targets.append(Target("ws-async", options.with_async, idle=2 * KIB + 64, busy=98 * KIB))
    if options.with_sync:
        # A thread with nothing to do takes 10 KiB, and waits with its read buffer; one at work has a read buffer in use and
        # another that the C library keeps for it.
        targets.append(Target("ws-sync", options.with_sync, idle=24 * KIB, busy=226 * KIB, threaded=True))
    if options.demo:
        # A task of a whole server, with the request; at work, a write buffer of 64 KiB, and as the answers are fed into it one
        # that waits until there is room.
        targets.append(Target("ws-demo", options.demo, idle=5 * KIB, busy=256 * KIB,
            arguments=("--max-connections", "10000"), path="/echo"))
    return targets
