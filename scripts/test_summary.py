"""Prints what the tests of a ctest run said and the slowest test cases, then, alone on the last line, "N passed, N failed".

A Boost.Test binary counts with its test cases; a program that ended without Boost's report (a crash, a time-out, a plain
program) counts as one. Exit status 1 when something failed or nothing ran.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

SLOWEST_SHOWN = 15
SAID_LINES_MAX = 40
FAILED_LINES_MAX = 200
CASES = re.compile(r"(\d+) test cases? out of (\d+) (passed|failed|aborted|skipped)")
TIME = re.compile(r'Leaving test case "([^"]+)"; testing time: (\d+)(us|ms|s)')
BOOST_NOISE = re.compile(r'(Entering|Leaving) test |^Running \d+ test case|^Test module "|^\s*\d+ (assertion|test case)s? |did not check any assertions')
UNIT = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def count(case):
    """(passed, failed) of one entry of the report."""
    ok = case.get("status") == "run"
    output = case.findtext("system-out") or ""
    found = {kind: int(number) for number, _, kind in CASES.findall(output)}
    passed = found.get("passed", 0)
    failed = found.get("failed", 0) + found.get("aborted", 0)
    if not ok and failed == 0:
        failed = 1
    if ok and passed == 0:
        passed = 1
    return passed, failed


def said(output, lines_max):
    """The lines that the tests printed themselves: counts and errors, without Boost's own."""
    lines = [line for line in output.splitlines() if line.strip() and not BOOST_NOISE.search(line)]
    if len(lines) > lines_max:
        lines = lines[: lines_max // 2] + [f"... {len(lines) - lines_max} lines left out"] + lines[-(lines_max - lines_max // 2) :]
    return lines


def main(path):
    try:
        suite = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        print(f"no report of a test run: {error}")
        print("0 passed, 1 failed")
        return 1
    passed = failed = 0
    times = []
    print("\nwhat the tests said:")
    for case in suite.iter("testcase"):
        if case.get("status") in ("disabled", "notrun"):
            skipped = case.find("skipped")
            reason = skipped.get("message", "") if skipped is not None else ""
            if reason.startswith("SKIP_"):  # the test said itself that this machine cannot run it
                print(f"  {case.get('name')}: skipped")
                for line in said(case.findtext("system-out") or "", SAID_LINES_MAX):
                    print(f"  {case.get('name')}: {line}")
            else:
                print(f"  {case.get('name')} FAILED: did not run: {reason}")
                failed += 1
            continue
        good, bad = count(case)
        passed += good
        failed += bad
        output = case.findtext("system-out") or ""
        for line in said(output, FAILED_LINES_MAX if bad else SAID_LINES_MAX):
            print(f"  {case.get('name')}{' FAILED' if bad else ''}: {line}")
        for name, number, unit in TIME.findall(output):
            times.append((int(number) * UNIT[unit], case.get("name"), name))
    times.sort(reverse=True)
    print("\nslowest test cases:")
    for seconds, binary, name in times[:SLOWEST_SHOWN]:
        print(f"  {seconds:8.3f} s  {binary}/{name}")
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
