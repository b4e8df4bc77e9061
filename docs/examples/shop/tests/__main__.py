"""unittest in colour, on any Python: green for what passed, red for what did not."""

import sys
import unittest


class Coloured(unittest.TestResult):
    """A line a test, and at the end what went wrong."""

    separator1, separator2 = "=" * 70, "-" * 70

    def __init__(self, stream, descriptions, verbosity):
        super().__init__(stream, descriptions, verbosity)
        self.stream = stream

    def addSuccess(self, test):
        self.say(32, "✓", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(31, "✗", test)

    def addError(self, test, error):
        super().addError(test, error)
        self.say(31, "✗", test)

    def say(self, colour, sign, test):
        name = test.id().rpartition(".")[2].removeprefix("test_").replace("_", " ")
        self.stream.write(f"\033[{colour}m{sign}\033[0m {name}\n")

    def printErrors(self):
        for kind, problems in (("ERROR", self.errors), ("FAIL", self.failures)):
            for test, traceback in problems:
                where, _, what = traceback.rstrip().rpartition("\n")
                self.stream.write(f"\n{self.separator1}\n{kind}: {test}\n{self.separator2}\n")
                self.stream.write(f"{where}\n\033[31m{what}\033[0m\n\n")


runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Coloured)
unittest.main(module=None, argv=["tests", "discover"], testRunner=runner)
