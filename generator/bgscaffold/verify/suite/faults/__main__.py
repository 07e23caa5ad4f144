"""The process that `bgscaffold verify --faults` starts."""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from bgscaffold.verify.suite import project
from bgscaffold.verify.suite.faults.environment import Environment, OwnServers
from bgscaffold.verify.suite.faults.registry import Combination
from bgscaffold.verify.suite.faults.run import run_all
from bgscaffold.verify.suite.faults.table import Row
from bgscaffold.verify.suite.project import REPORT


def main() -> None:
    """Run the faults against the project of the command, and write their outcomes."""
    options = _options()
    # Ending this process ends all that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = project.from_variable()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = Environment(
            on=combination_of(given),
            project=given,
            folder=Path(folder),
            servers=OwnServers(),
            seed=options.seed,
            quick=options.quick,
        )
        rows = list(run_all(environment, report=_print))
    report = json.dumps([row.as_dict() for row in rows])
    Path(os.environ[REPORT]).write_text(report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()


def combination_of(given: project.VerifiedProject) -> Combination:
    """Return what a project runs on, according to the URLs of its servers."""
    scheme = given.broker.partition(":")[0]
    brokers = {"": "embedded", "sqla+sqlite": "embedded"}
    broker = brokers.get(scheme, "rabbitmq" if "amqp" in scheme else "redis")
    return Combination(
        pattern=given.pattern,
        broker=broker if given.has_workers else "",
        database="postgresql" if given.database_server else "sqlite",
    )


def _print(row: Row) -> None:
    print(row, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
