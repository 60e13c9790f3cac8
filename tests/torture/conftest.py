"""Connects the harness of support/torture.py with pytest: options, the fixture `case`, progress and results."""

from __future__ import annotations

import copy
import signal
import time
from pathlib import Path

import pytest

from support.torture import (
    MOST_DETAILS,
    RESULTS_FILE,
    SHORT_SEED,
    Case,
    Results,
    digest,
    page_table,
    result_of,
    turn,
    write_page,
)

_SECONDS_BETWEEN_LINES = 10.0
_HARNESS = pytest.StashKey["Harness"]()
_CASE = pytest.StashKey[Case]()
_FAILED = pytest.StashKey[str]()
_DETAILS = pytest.StashKey[str]()
_SECONDS = pytest.StashKey[float]()


def pytest_addoption(parser):
    group = parser.getgroup("torture", "the full harness (make torture)")
    group.addoption("--torture", action="store_true", help="run the full cases, note results, go on where it stopped")
    group.addoption("--torture-seed", type=int, metavar="N", help="the seed [default: that of the run that stopped]")
    group.addoption("--fresh", action="store_true", help="begin anew")
    group.addoption("--page", type=Path, metavar="FILE", help="write the tables of this page at the end")
    group.addoption("--torture-results", type=Path, metavar="FILE", default=RESULTS_FILE, help="[default: %(default)s]")


def pytest_configure(config):
    if config.getoption("--torture", False):
        results = Results(
            config.getoption("--torture-results"),
            seed=config.getoption("--torture-seed"),
            fresh=config.getoption("--fresh"),
            facts=getattr(config, "workerinput", {}).get("torture"),
        )
        harness = config.stash[_HARNESS] = Harness(config, results)
        config.pluginmanager.register(harness)


@pytest.fixture
def case(request):
    """The case of a test decorated with `cases`; it fails when it takes too long."""
    spec, harness = request.param, request.config.stash.get(_HARNESS, None)
    seed = harness.results.seed if harness else request.config.getoption("--torture-seed", None)
    case = Case(spec, SHORT_SEED if seed is None else seed, full=harness is not None)
    request.node.stash[_CASE] = case

    def give_up(*_):
        raise TimeoutError(f"{spec.kind} {spec.name} has taken more than {spec.timeout_seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, spec.timeout_seconds)
    yield case
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Harness:
    """Leaves out what has passed already, notes each result, and shows how far it is.

    With `-n`, each process has one: those of the workers choose and run cases, and send what there is to do and each
    result in their reports; that of the process which started them notes and shows.
    """

    def __init__(self, config, results):
        self.config, self.results = config, results
        self.is_worker = hasattr(config, "workerinput")
        self.tests: dict[str, tuple[str, str]] | None = None  # every case, until it is sent
        self.chosen: list[str] | None = None  # by a worker
        self.is_planned = False
        self.for_workers = None  # the results before this run
        self.waiting: list[str] = []
        self.last_line = 0.0

    @property
    def terminal(self):
        return self.config.pluginmanager.get_plugin("terminalreporter")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        """Says to a worker what has passed. One that replaces another must choose what that chose."""
        self.for_workers = self.for_workers or copy.deepcopy(self.results.facts)
        node.workerinput["torture"] = self.for_workers

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        self.chosen = ids if self.chosen is None else self.chosen

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        self.learn(getattr(node, "workeroutput", {}).get("torture_tests"))  # where no report has brought them

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem, report, sched):
        """Leaves a case out that has ended its worker: xdist would give it to each new one."""
        for work in sched.workqueue.values():
            if crashitem in work:
                work[crashitem] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items):
        self.tests = {
            item.nodeid: (item.callspec.params["case"].kind, digest(item.path)) for item in items if is_case(item)
        }
        self.results.plan(self.tests)
        yield  # -k and -m choose here
        items[:] = [item for item in items if not self.results.is_done(item.nodeid)]
        self.begin([item.nodeid for item in items])

    def learn(self, tests):
        """Takes over what a worker has found, which is what all of them have found."""
        if tests is not None and not self.is_planned:
            self.results.plan(tests)
            self.begin(self.chosen or [])

    def begin(self, chosen):
        self.is_planned = True
        self.waiting = [name for name in chosen if name in self.results.facts["planned"]]
        total, left = len(self.results.facts["planned"]), len(self.results.missing())
        self.line(
            f"torture: seed {self.results.seed}, {self.results.facts['machine']}, {total - left} of {total} cases have "
            f"passed{' before (--fresh begins anew)' if self.results.resumed else ''}, {len(chosen)} to run"
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        folder = self.config.getoption("--torture-results").parent
        with turn(folder, alone=is_case(item) and item.callspec.params["case"].alone):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if self.is_worker and self.tests is not None:
            report.torture_tests, self.tests = self.tests, None
        if not is_case(item):
            return report
        item.stash[_SECONDS] = item.stash.get(_SECONDS, 0.0) + call.duration
        if report.outcome != "passed":
            item.stash[_FAILED] = reason_of(report)
            item.stash[_DETAILS] = details_of(report, call)
        interrupted = call.excinfo is not None and call.excinfo.errisinstance(KeyboardInterrupt)
        if report.when == "teardown" and not interrupted:
            reason = item.stash.get(_FAILED, "")
            outcome = ("skipped" if reason.startswith("skipped") else "failed") if reason else "passed"
            details = item.stash.get(_DETAILS, "")
            report.torture_result = result_of(
                item.stash.get(_CASE, None), outcome, item.stash[_SECONDS], reason, details
            )
        return report

    def pytest_runtest_logreport(self, report):
        if self.is_worker:
            return
        self.learn(getattr(report, "torture_tests", None))
        result = getattr(report, "torture_result", None)
        if report.when == "???":  # what xdist reports in the place of a worker that died
            result = result_of(None, "failed", 0.0, str(report.longrepr))
        if result and report.nodeid in self.waiting:
            self.finish(report.nodeid, result)

    def finish(self, name, result):
        self.results.add(name, result)
        self.waiting.remove(name)
        kind = self.results.facts["planned"][name]
        is_last = not any(self.results.facts["planned"][other] == kind for other in self.waiting)
        if result["outcome"] == "failed":
            self.line(f"FAILED {name} (seed {self.results.seed}): {result['reason']}")
        if is_last or result["outcome"] == "failed" or time.monotonic() - self.last_line > _SECONDS_BETWEEN_LINES:
            self.progress(kind)

    def progress(self, kind):
        (row,) = (row for row in self.results.rows() if row["kind"] == kind)
        done = sum(row["passed"] + row["failed"] + row["skipped"] for row in self.results.rows())
        failed = sum(row["failed"] for row in self.results.rows())
        left = self.results.seconds_left(self.waiting) / 60 / (self.config.getoption("numprocesses", 0) or 1)
        self.line(
            f"{time.strftime('%H:%M:%S')}  {kind} {row['passed'] + row['failed'] + row['skipped']} of {row['cases']}, "
            f"all {done} of {len(self.results.facts['planned'])}, {failed} failed, about {left:.0f} min left"
        )
        self.last_line = time.monotonic()

    def line(self, text):
        if self.terminal:
            self.terminal.ensure_newline()
            self.terminal.write_line(text)

    def pytest_report_teststatus(self, report):
        if report.passed:
            return report.outcome if report.when == "call" else "", "", ""
        return None

    def pytest_sessionfinish(self, session, exitstatus):
        if self.is_worker:
            self.config.workeroutput["torture_tests"] = self.tests
            return
        nothing_left = not self.results.missing()
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and nothing_left:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter):
        rows = [row for row in self.results.rows() if row["seconds"]]
        for row in sorted(rows, key=lambda row: -row["seconds"]):
            to_run = row["cases"] - row["passed"] - row["failed"] - row["skipped"]
            terminalreporter.write_line(
                f"{row['kind']:<20} {row['passed']:>5} passed {row['failed']:>4} failed {row['skipped']:>4} skipped "
                f"{to_run:>5} to run {row['seconds'] / 60:>7.1f} min"
            )
        missing = len(self.results.missing())
        minutes = sum(row["seconds"] for row in rows) / 60
        todo = f"{missing} have not passed; `make torture` goes on with them" if missing else "all have passed"
        terminalreporter.write_line(f"{len(self.results.facts['planned'])} cases, {minutes:.1f} min: {todo}.")
        if page := self.config.getoption("--page"):
            write_page(page, page_table(self.results, "make torture PAGE=1"))
            terminalreporter.write_line(f"Wrote {page}.")


def is_case(item):
    return "case" in getattr(getattr(item, "callspec", None), "params", {})


def reason_of(report):
    """Why a test has failed or was skipped, in one line."""
    if report.outcome == "skipped":
        return f"skipped: {report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr}"
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return f"{report.when}: {text.splitlines()[0] if text else 'no reason given'}"[:500]


def details_of(report, call):
    """What a failed test has shown, whole: its error's text, such as the standard error of a command, then its place.

    Each is cut to its last `MOST_DETAILS` characters: a command says at its end why it ended.
    """
    if report.outcome == "skipped":
        return ""
    error = str(call.excinfo.value) if call.excinfo else ""
    return "\n".join(part[-MOST_DETAILS:] for part in (error, report.longreprtext) if part)


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """Starts `crossnet` commands quickly: it forks a process that has imported TensorFlow."""
    from support.forked_commands import Commands

    with Commands(tmp_path_factory.mktemp("commands")) as commands:
        yield commands
