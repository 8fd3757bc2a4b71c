"""The tests under every interpreter at hand: `make matrix`, or `nox -s tests-3.12 -- tests/graph -x`."""

import nox

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Install with the pinned versions and run the tests; words after -- go to pytest."""
    session.install("-c", "constraints.txt", "-e", ".[dev,media]")
    session.run(
        "python",
        "-m",
        "pytest",
        *(session.posargs or ["tests", "-q", "-n", "2", "--dist", "loadscope"]),
        env={"OMP_NUM_THREADS": "1"},
    )
