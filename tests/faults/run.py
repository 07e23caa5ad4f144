"""Runs one fault, and says what came of it."""

import sqlite3
import time
from dataclasses import replace

import httpx2
import psycopg

from tests.faults import brokers, burdens, chaos, clock, databases, kills, terminations
from tests.faults.bench import LeftOut
from tests.faults.house import House
from tests.faults.registry import Fault
from tests.faults.table import Row

MODULES = (kills, terminations, burdens, brokers, databases, clock, chaos)
TROUBLE = (AssertionError, OSError, RuntimeError, httpx2.HTTPError, psycopg.Error, sqlite3.Error)


def run(house: House, fault: Fault, seed: int, *, quick: bool) -> Row:
    """Do one fault to a project of its own, and return its row of the table."""
    number = time.monotonic_ns()
    with house.bench(fault, number, seed, quick) as bench:
        row = Row(house.on, fault)
        try:
            fault.run(bench)
        except LeftOut as reason:
            return replace(row, left_out=str(reason))
        except TROUBLE as error:
            row = replace(row, trouble=f"{type(error).__name__}: {error}\n{bench.stack.said()}")
        load = bench.load
        return replace(
            row,
            accepted=len(load.accepted - bench.accepted_but),
            doubled=len(load.doubled()),
            lost=len(bench.lost()),
            injected=bench.injected,
            recovered=bench.recovered,
            notes=tuple(bench.notes),
        )
