"""What a start that a dead daemon had begun may have come to."""
import json

from harness import await_true


def assert_starts(test, stack, i, output, code):
    """Either it never ran and is not told to, or it has run and its end is known; then a start begins one run, or finds one.

    A client that attaches to a run which the start before it had begun sees what comes from then on, so the log is the judge.
    """
    before, results = [], []

    def is_settled():
        log = stack.docker("logs", i, check=0).stdout
        state = json.loads(stack.docker("inspect", i, check=0).stdout)[0]["State"]
        if state["Status"] == "running":  # its agent has come back: its end is on its way
            return False
        test.assertIn(state["Status"], ("created", "exited"))
        if log:
            test.assertEqual((log, state["ExitCode"]), (output, code))
        before.append(log)
        results.append(stack.docker("start", "-a", i))
        return b"is being started already" not in results[-1].stderr
    await_true("settled", is_settled, 60)
    test.assertEqual(results[-1].returncode, code, results[-1].stderr)
    # Two runs were asked for, and the first may have gone its way between the look and the start.
    test.assertIn(stack.docker("logs", i, check=0).stdout, (before[-1] + output, output + output))
    test.assertIn(results[-1].stdout, (output, b""))
