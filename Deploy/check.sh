#!/bin/sh
# Everything that has to hold before a change is taken: packages, format, build without warnings, tests.
# Usage: Deploy/check.sh
set -eu
cd "$(dirname "$0")/.."

command -v swift >/dev/null || { echo "check.sh: the Swift toolchain (6.2 or later) has to be on the PATH" >&2; exit 1; }

Deploy/packages.sh
# The peers that the tests talk to; each test that lacks its peer says so and is skipped.
Deploy/packages.sh curl nghttp2-client openssl

echo "== format"
swift format lint --strict --parallel --recursive Package.swift Sources Tests

echo "== build"
swift build --build-tests

echo "== test"
# A test that hangs is a failure, and one that says so.
test_seconds_max=1200
# Some at a time: all at once, on two cores, the nodes of one test wait for the processor behind those of all others,
# their dials run out of time, and the wait before the next dial outlasts the test.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8
timeout "$test_seconds_max" swift test --skip-build --skip 'ProcessTests|SimulationTests' || {
    status=$?
    [ "$status" -ne 124 ] || echo "check.sh: the tests did not end within $test_seconds_max s: the last line above is of one that had begun" >&2
    exit "$status"
}

echo "== simulation"
timeout 300 swift test --skip-build --filter SimulationTests

echo "== scenarios of processes"
# By themselves, since they measure: nodes that are processes, strangers with other people's tools, a stolen laptop. And
# since Foundation's Process lists the open files of this one into a buffer that more than 1,360 of them overrun, which
# all the tests together open.
timeout 300 swift test --skip-build --filter ProcessTests
