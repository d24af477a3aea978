"""The programs under test as processes, and what the operating system knows of them."""
import os
import re
import resource
import signal
import subprocess
import tempfile
import threading
import time

from suite import Unexpected, expect

KIB = 1024
MIB = 1024 * KIB


# With this, whatever is large comes from the system and goes back to it at once. Left alone the C library learns to keep what
# was freed, up to twice the largest message that there was: that is its policy, and hides what a program keeps.
KEEPS_NOTHING_LARGE = {"MALLOC_MMAP_THRESHOLD_": str(128 * KIB), "MALLOC_TRIM_THRESHOLD_": str(128 * KIB)}


class Process:
    """What the operating system knows of a process, `pid`."""

    def resident(self):
        """Bytes of memory in use now."""
        return self._status("VmRSS")

    def peak(self):
        """The most that was in use since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as file:
            file.write("5")

    def _status(self, name):
        with open("/proc/%d/status" % self.pid) as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * KIB
        raise Unexpected("there is no %s for process %d" % (name, self.pid))


class Server(Process):
    """A server program that was told `--port 0` and printed where it listens."""

    def __init__(self, binary, open_files=None, arguments=(), path="/", environment=()):
        self.binary = binary
        # What is asked for: the path at which the program echoes.
        self.path = path
        self.log = tempfile.TemporaryFile()
        self._process = subprocess.Popen([binary, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, **dict(environment)})
        if open_files is not None:
            # From here and not from the child before it runs the program: Python code between fork and
            # exec upsets the locks of a process that starts servers in several threads.
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (open_files, open_files))
        line = self._process.stdout.readline().decode()
        address = re.search(r"(?:listening on ws|open http)://127\.0\.0\.1:(\d+)", line)
        expect(address, "%s printed %r and not where it listens", binary, line)
        self.port = int(address.group(1))
        self.pid = self._process.pid

    def another(self, **options):
        """A fresh process of the same program, to measure."""
        return Server(self.binary, **options)

    def is_alive(self):
        return self._process.poll() is None

    def check_log(self):
        """A server that panicked in one of its threads may well serve on, and is broken all the same."""
        self.log.seek(0)
        text = self.log.read().decode("utf-8", "replace")
        expect("panicked" not in text, "the server panicked: %s", text[-2000:])

    def stop(self):
        if self.is_alive():
            os.kill(self.pid, signal.SIGTERM)
        self._process.wait(10)
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        died = not self.is_alive()
        self.stop()
        if kind is None:
            expect(not died, "the server ended by itself")
            self.check_log()
        self.log.close()

    def open_files(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.pid))

    def processor_seconds(self):
        with open("/proc/%d/stat" % self.pid) as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for_open_files(self, expected, seconds):
        """Waits until no more than `expected` descriptors are open, and says how many there are."""
        deadline = time.monotonic() + seconds
        while self.open_files() > expected and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.open_files()


class Outcome:
    """What a client program did."""

    def __init__(self, code, output, error, seconds):
        self.code = code
        self.output = output
        self.error = error
        self.seconds = seconds

    def __repr__(self):
        return "exit code %d after %.1f s, %r, %r" % (self.code, self.seconds, self.output, self.error[-300:])


class Client:
    """A client program that takes a URI and messages, and says what came back."""

    def __init__(self, binary):
        self.binary = binary

    def start(self, uri, *messages):
        return Run([self.binary, uri, *messages])


class Run(Process):
    """One run of a client program."""

    def __init__(self, command):
        self._begun = time.monotonic()
        self._output = tempfile.TemporaryFile()
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(command, stdout=self._output, stderr=self._errors)
        self.pid = self._process.pid

    def finish(self, seconds):
        """Waits for the end of the program, kills it if that takes too long, and says how it went."""
        killer = threading.Timer(max(0.1, seconds), self._process.kill)
        killer.start()
        code = self._process.wait()
        killer.cancel()
        elapsed = time.monotonic() - self._begun
        outcome = Outcome(code, self._read(self._output), self._read(self._errors), elapsed)
        expect(code != -signal.SIGKILL, "the client did not end within %.1f s", elapsed)
        expect("panicked" not in outcome.error, "the client panicked: %s", outcome.error)
        return outcome

    def peak(self):
        """The same, as long as it runs: what has ended uses nothing."""
        try:
            return super().peak()
        except Unexpected:
            return 0

    def stop(self):
        """For a run of which nobody wants to know any more."""
        self._process.kill()
        self._process.wait()
        self._output.close()
        self._errors.close()

    @staticmethod
    def _read(file):
        file.seek(0)
        text = file.read().decode("utf-8", "replace")
        file.close()
        return text


def allow_many_files():
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 16384)), hard))
