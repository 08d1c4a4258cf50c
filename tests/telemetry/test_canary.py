"""The suite's own search for secrets finds them; a search that cannot fail proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.canary import assert_silent

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.canary_expected  # pytester repeats what the inner run prints

REPOSITORY: Final = Path(__file__).parents[2]

LEAKS: Final = {
    "record_of_ours": 'logging.getLogger("broker.x").debug("sent %s", "S3CR3T-1")',
    "field_of_a_record": 'logging.getLogger("broker.x").info("sent", extra={"body": "S3CR3T-1"})',
    "record_of_a_library": 'logging.getLogger("urllib3").warning("sent %s", "S3CR3T-1")',
    "standard_output": 'print("S3CR3T-1")',
    "standard_error": 'print("S3CR3T-1", file=sys.stderr)',
    "child": """subprocess.run([sys.executable, "-c", "import os; os.write(2, b'S3CR3T-1')"])""",
    "vault_token": 'logging.getLogger("broker.x").debug("sent %s", "hvs.CAESIJ" + "a1B2" * 8)',
    "openbao_token": 'logging.getLogger("hvac.x").warning("sent %s", "s." + "a1B2" * 6)',
    "json_web_token": 'print(".".join(["eyJ" + "a1B2" * 5] * 2 + ["sig_" * 8]))',
    "remembered": 'print("sent", remember("cafe-1234"))',
    "watched_file": 'watch(tmp_path / "x").write_text("S3CR3T-1")',
}
HARMLESS: Final = {
    "nothing": "pass",
    "almost_a_token": 'print("see https://s.example.com/s.txt and eyJhbGciOiJub25l")',
    "pinned_library": 'logging.getLogger("botocore").debug("sent %s", "S3CR3T-1")',
    "record_of_a_test": 'logging.getLogger("tests.x").info("S3CR3T-1")',
    "exception_of_a_record": 'logging.getLogger("broker.x").error("x", exc_info=ValueError("S3CR3T-1"))',
}


@pytest.fixture
def outcomes(pytester: pytest.Pytester) -> list[str]:
    """The lines that a run with one test for each of these reports for them."""
    tests = [f"def test_{name}(tmp_path):\n    {body}\n" for name, body in {**LEAKS, **HARMLESS}.items()]
    tests.append('@pytest.mark.canary_expected\ndef test_marked():\n    print("S3CR3T-1")\n')
    pytester.makeconftest('pytest_plugins = ["tests.canary"]\n')
    pytester.makepyfile(
        "import logging, subprocess, sys\nimport pytest\nfrom tests.canary import remember, watch\n"
        + "\n".join(tests)
    )
    options = ("-v", "-p", "no:cacheprovider", "-p", "no:looptime_plugin", f"--rootdir={pytester.path}")
    result = pytester.runpytest_subprocess(*options, "-o", f"pythonpath={REPOSITORY}")
    return [line.partition("::test_")[2] for line in result.outlines if "::test_" in line and "%]" in line]


def test_a_leak_fails_its_test_and_no_other(outcomes: list[str]) -> None:
    """R-155: records of ours and of libraries, what a test or its child prints, watched files."""
    failed = {line.split()[0] for line in outcomes if line.split()[1] == "ERROR"}
    passed = {line.split()[0] for line in outcomes if line.split()[1] == "PASSED"} - failed
    assert set(LEAKS) == failed
    assert {*HARMLESS, "marked"} == passed


def test_exceptions_are_searched_with_their_causes() -> None:
    """R-156: text, arguments, notes, and the chain."""
    assert_silent(ValueError("harmless"))
    chained = ValueError("harmless")
    chained.__cause__ = KeyError("S3CR3T-1")
    noted = ValueError("harmless")
    noted.add_note("S3CR3T-1")
    for error in (ValueError("S3CR3T-1"), chained, noted):
        with pytest.raises(AssertionError, match=f"{'KeyError' if error is chained else 'ValueError'} shows"):
            assert_silent(error)
