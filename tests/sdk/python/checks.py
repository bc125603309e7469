"""Checks of a client against a running hub, for the scripts beside this one."""

import sys
import traceback
import urllib.error

checks = []


def check(function):
    """Makes a function one of the checks."""
    checks.append(function)
    return function


def raises(kind, call):
    """The error of this kind that a call has to end in."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def run(functions=checks):
    """Prints one line per check and `N passed, M failed`, and ends the program."""
    failed = 0
    for function in functions:
        try:
            function()
            print(f"ok      {function.__name__}")
        except Exception as error:
            failed += 1
            said = f"{error.read()!r}\n" if isinstance(error, urllib.error.HTTPError) else ""
            print(f"FAILED  {function.__name__}\n{said}{traceback.format_exc()}")
    print(f"{len(functions) - failed} passed, {failed} failed")
    sys.exit(failed > 0)
