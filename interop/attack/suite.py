"""Cases, and how they are run: most of them many at a time, those that wait all at once, those that measure alone."""
import concurrent.futures
import re
import threading
import time
import traceback

# Cases that only talk are over in milliseconds; this many of them talk at the same time.
WORKERS = 8

# A figure such as "within 100 ms" is a property of the program, and a busy machine can only make it worse. So a
# measurement counts as passed when one of this many attempts meets it.
ATTEMPTS = 4


class Unexpected(Exception):
    """The program under test did something else than the specification says."""


class Case:
    """One thing that has to hold. `check` gets the program under test and raises `Unexpected`.

    The name begins with the rows of the specification that the case shows.
    """

    def __init__(self, name, check):
        self.name = name
        self.check = check

    attempts = 1
    # Cases that wait for a deadline run in a thread each, beside everything else.
    waits = False
    # Cases that measure memory or time get the machine for themselves, as far as this suite is concerned.
    measures = False


class Waiting(Case):
    waits = True


class Measuring(Case):
    measures = True
    attempts = ATTEMPTS


class Results:
    def __init__(self):
        self._lock = threading.Lock()
        self.passed = 0
        self.failed = []
        self.slowest = []

    def add(self, name, problem, seconds):
        with self._lock:
            self.slowest.append((seconds, name))
            if problem is None:
                self.passed += 1
            else:
                self.failed.append(name)
                print("FAILED %s\n       %s" % (name, problem), flush=True)

    def run(self, case, program):
        """Runs one case, again if it is one that measures, and keeps what came of it."""
        begun = time.monotonic()
        problem = None
        for _ in range(case.attempts):
            problem = find_problem(case, program)
            if problem is None:
                break
        self.add(case.name, problem, time.monotonic() - begun)


def find_problem(case, program):
    try:
        case.check(program)
        return None
    except Unexpected as problem:
        return str(problem)
    except TimeoutError as problem:
        return "nothing more came: %s" % problem
    except OSError as problem:
        return "%s" % (problem,)
    except Exception:
        return traceback.format_exc().strip().replace("\n", "\n       ")


def run(cases, program, results):
    """Runs all cases against one program: waiting ones in the background, measuring ones last and one by one."""
    names = [case.name for case in cases]
    for name in {name for name in names if names.count(name) > 1}:
        results.add(name, "two cases have this name", 0)
    waiting = [
        threading.Thread(target=results.run, args=(case, program), daemon=True) for case in cases if case.waits
    ]
    for thread in waiting:
        thread.start()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        talking = [case for case in cases if not case.waits and not case.measures]
        list(pool.map(lambda case: results.run(case, program), talking))
    for case in cases:
        if case.measures:
            results.run(case, program)
    for thread in waiting:
        thread.join()


def select(cases, pattern):
    return [case for case in cases if pattern is None or re.search(pattern, case.name)]


def expect(condition, problem, *details):
    if not condition:
        raise Unexpected(problem % details if details else problem)


def equal(what, found, expected):
    if found != expected:
        raise Unexpected("%s is %s, and not %s" % (what, shorten(found), shorten(expected)))


def shorten(value):
    text = repr(bytes(value[:300]) if isinstance(value, (bytes, bytearray)) else value)
    return text if len(text) < 200 else "%s... (%s in all)" % (text[:160], len(value))
