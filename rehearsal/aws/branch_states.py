"""Parallel and Map: lines of states side by side, the first failure of which cancels the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.execution import Branch, Ended, Execution, JsonObject
from rehearsal.aws.integrations import TaskError
from rehearsal.aws.visit import Run, Visit

_MAP_CONCURRENCY = 40  # of an inline Map without MaxConcurrency


def attempt_parallel(run: Run, visit: Visit) -> Any:
    """Go through all branches at once, and return their outputs in order. Raises TaskError, and Ended."""
    execution = run.execution
    given = run.evaluate(visit, visit.state["Arguments"], "Arguments") if "Arguments" in visit.state else None
    value = visit.given if given is None else given
    execution.record(visit.branch, "ParallelStateStarted", None, {})
    lines = [(Branch(visit.branch), machine, value) for machine in visit.state["Branches"]]
    try:
        results = _run_lines(run, visit.branch, lines, len(lines))
    except TaskError:
        execution.record(visit.branch, "ParallelStateFailed", None, {})
        raise
    execution.record(visit.branch, "ParallelStateSucceeded", None, {})
    return results


def attempt_map(run: Run, visit: Visit) -> Any:
    """Go through the same states for every item, and return their outputs in order. Raises TaskError, and Ended."""
    execution = run.execution
    state = visit.state
    items = run.evaluate(visit, state["Items"], "Items") if "Items" in state else visit.given
    if not isinstance(items, list):
        raise run.not_evaluated(visit, "Items", "The Items of a Map are an array.")
    most = int(run.evaluate(visit, state.get("MaxConcurrency", 0), "MaxConcurrency")) or _MAP_CONCURRENCY
    started = {"length": len(items)}
    execution.record(visit.branch, "MapStateStarted", "mapStateStartedEventDetails", started)
    lines = []
    for index, item in enumerate(items):
        branch = Branch(visit.branch, item={"Index": index, "Value": item})
        inner = Visit(branch, visit.name, state, visit.given, visit.entered)
        selector = state.get("ItemSelector")
        value = item if selector is None else run.evaluate(inner, selector, "ItemSelector")
        lines.append((branch, state["ItemProcessor"], value))
    try:
        results = _run_lines(run, visit.branch, lines, most, iterations_of=visit.name)
    except TaskError:
        execution.record(visit.branch, "MapStateFailed", None, {})
        raise
    execution.record(visit.branch, "MapStateSucceeded", None, {})
    return results


def _run_lines(
    run: Run,
    parent: Branch,
    lines: list[tuple[Branch, JsonObject, Any]],
    most: int,
    *,
    iterations_of: str | None = None,
) -> list[Any]:
    execution = run.execution
    results: dict[int, Any] = {}
    failures: list[TaskError] = []
    over: list[int] = []
    begun: list[threading.Thread] = []

    def tell(branch: Branch, what: str, index: int) -> None:
        if iterations_of is not None:
            said = {"name": iterations_of, "index": index}
            execution.record(branch, f"MapIteration{what}", f"mapIteration{what}EventDetails", said)

    def go_through(index: int) -> None:
        branch, machine, given = lines[index]
        try:
            tell(branch, "Started", index)
            output = run.run_states(branch, machine, given)
            tell(branch, "Succeeded", index)
            with execution.changed:
                results[index] = output
        except Ended:
            pass
        except TaskError as failed:
            _fail_line(execution, failures, failed, lambda: tell(branch, "Failed", index))
        except Exception as broken:  # noqa: BLE001  a fault of this interpreter fails the state, not the thread
            _fail_line(execution, failures, TaskError("States.Runtime", repr(broken)), lambda: None)
        finally:
            with execution.changed:
                over.append(index)
                execution.changed.notify_all()

    def may_begin() -> bool:
        return len(begun) < len(lines) and len(begun) - len(over) < most

    try:
        while len(over) < len(lines):
            while may_begin():
                begun.append(clock.thread(partial(go_through, len(begun)), name="branch"))
            execution.wait_until(parent, lambda: bool(failures) or len(over) == len(lines) or may_begin(), None)
            if failures:
                raise failures[0]
    finally:
        with execution.changed:
            for branch, _, _ in lines:
                branch.cancel()
            execution.changed.notify_all()
    return [results[index] for index in range(len(lines))]


def _fail_line(execution: Execution, failures: list[TaskError], failed: TaskError, tell: Callable[[], None]) -> None:
    try:
        tell()
    except Ended:
        return
    with execution.changed:
        failures.append(failed)
        execution.changed.notify_all()
