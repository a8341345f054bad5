"""Stage `kernels`: runs the tests that hold each kernel against its CPU form, and once more under
compute-sanitizer, which sees reads and writes that are out of bounds."""

import re
import shutil
import subprocess

from bench_serve.places import Failed

from .job import Findings, Job, Skipped

SANITIZER = "compute-sanitizer"
_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)
_FAILED = re.compile(r"^test (\S+) \.\.\. FAILED", re.MULTILINE)
_ERRORS = re.compile(r"ERROR SUMMARY: (\d+) error")


def run(job: Job, found: Findings) -> None:
    if not job.tests:
        raise Skipped("no --tests were given")
    status, said = _run(job, "kernels", list(job.tests))
    found.add("tests", tests(said, status))
    sanitizer = job.sanitizer or shutil.which(SANITIZER)
    if sanitizer is None:
        print(f"-- {SANITIZER} is not on this machine", flush=True)
        return
    # One test at a time: the sanitizer slows the device down, not the waiting for it.
    status, said = _run(job, "kernels-sanitizer", [sanitizer, "--error-exitcode", "99", *job.tests, "--test-threads", "1"])
    found.add("sanitizer", sanitized(said, status))


def _run(job: Job, log: str, argv: list[str]) -> tuple[int, str]:
    """Output goes to a file at once, so that a run that hangs has said where."""
    path = job.log(log)
    with path.open("w") as file:
        try:
            done = subprocess.run(argv, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise Failed(f"{argv[0]}: {error}") from error
    said = path.read_text(errors="replace")
    print("\n".join(f"   {line}" for line in said.splitlines()[-12:] if line.strip()), flush=True)
    return done.returncode, said


def tests(said: str, status: int) -> dict:
    results = [(int(passed), int(failed)) for passed, failed in _RESULT.findall(said)]
    return {
        "passed": sum(passed for passed, _ in results),
        "failed": sum(failed for _, failed in results),
        "failures": _FAILED.findall(said),
        "status": status,
    }


def sanitized(said: str, status: int) -> dict:
    errors = _ERRORS.findall(said)
    return {"errors": int(errors[-1]) if errors else None, "status": status}
