# SPDX-License-Identifier: Apache-2.0
#
# Reads what an autotest suite prints while it runs and prints one line a
# test: "VERDICT NUMBER", VERDICT being passed, failed or skipped.  Used by
# tests/ovs/run and tests/upstream/run.
#
# An expected failure is something that does not work, so it counts as failed
# like an unexpected pass: neither may hide in a total.

match($0, /^ *[0-9]+: .* (ok|FAILED \(.*\)|skipped \(.*\)|expected failure \(.*\)|UNEXPECTED PASS) *$/) {
    verdict = "failed"
    if ($0 ~ / ok *$/) {
        verdict = "passed"
    } else if ($0 ~ / skipped \([^()]*\) *$/) {
        verdict = "skipped"
    }
    print verdict, $1 + 0
}
