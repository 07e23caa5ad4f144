"""Runs the faults of one combination, and returns their outcomes."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import httpx2
import psycopg

from bgscaffold.verify.suite.faults import (
    brokers,
    chaos,
    clock,
    databases,
    hard_tasks,
    kills,
    terminations,
)
from bgscaffold.verify.suite.faults.context import Context, LeftOutError
from bgscaffold.verify.suite.faults.environment import Environment
from bgscaffold.verify.suite.faults.registry import FAULTS, Combination, Fault
from bgscaffold.verify.suite.faults.table import Row

MODULES = (kills, terminations, hard_tasks, brokers, databases, clock, chaos)
TROUBLE = (
    AssertionError,
    OSError,
    RuntimeError,
    httpx2.HTTPError,
    psycopg.Error,
    sqlite3.Error,
)


def run_all(
    environment: Environment,
    only: Collection[str] = (),
    report: Callable[[Row], object] = lambda row: None,
) -> Iterator[Row]:
    """Run the faults that apply one after another, and report each."""
    for fault in chosen_faults(environment.on, only, quick=environment.quick):
        row = run(environment, fault)
        report(row)
        yield row


def run(environment: Environment, fault: Fault) -> Row:
    """Do one fault to a copy of the project, and return its row of the table."""
    row = Row(environment.on, fault)
    with environment.context(fault) as context:
        try:
            fault.run(context)
        except LeftOutError as reason:
            return replace(row, left_out=str(reason))
        except TROUBLE as error:
            printed = context.processes.printed()
            trouble = f"{type(error).__name__}: {error}\n{printed}"
            return replace(outcome(row, context), trouble=trouble)
        return outcome(row, context)


def outcome(row: Row, context: Context) -> Row:
    """Return a row with what was accepted, done and lost."""
    return replace(
        row,
        accepted=len(context.load.accepted - context.expected_dead),
        doubled=len(context.load.doubled()),
        lost=len(context.lost()),
        injected=context.injected,
        recovered=context.recovered,
        notes=tuple(context.notes),
    )


def chosen_faults(
    on: Combination, only: Collection[str], *, quick: bool
) -> list[Fault]:
    """Return the faults that apply, in the order of their modules."""
    order = [module.__name__ for module in MODULES]
    ordered = sorted(FAULTS, key=lambda fault: order.index(fault.run.__module__))
    applying = [fault for fault in ordered if fault.applies_to(on)]
    if only:
        return [fault for fault in applying if fault.name in only]
    return [fault for fault in applying if fault.quick or not quick]
