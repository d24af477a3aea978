# Start wstest, the program of the Autobahn testsuite, on the loopback interface only.
#
# By itself it listens on every interface, whatever host its "url" names. Runs under Python 2.7.
import sys

from autobahntestsuite import wstest  # First: it chooses and installs the reactor.
from twisted.internet import reactor

LOOPBACK = "127.0.0.1"


def on_loopback(listen, position):
    """Wrap a listen call whose interface is its argument number `position`."""
    def listen_there(*args, **kwargs):
        if len(args) > position:
            args = args[:position] + (LOOPBACK,) + args[position + 1:]
        else:
            kwargs["interface"] = LOOPBACK
        return listen(*args, **kwargs)
    return listen_there


reactor.listenTCP = on_loopback(reactor.listenTCP, 3)
reactor.listenSSL = on_loopback(reactor.listenSSL, 4)
sys.argv[0] = "wstest"
wstest.run()
