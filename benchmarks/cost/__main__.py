"""
Prices a migration: `python -m benchmarks.cost`.

Two migrations of the shop are run on the embedded AWS with the deployed template, one of them held, and all they use is
counted. What does not depend on time is taken as counted. How often green is looked at, how often `watch` looks and how
often a climb hands over to another follows from the plan as an operator would hold it, so each is counted once and
multiplied. Lambda's time is this machine's, and includes the emulated AWS's; it is a small part, and stands apart.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

from benchmarks.cost.count import Count, Used, begin
from benchmarks.cost.prices import AS_OF, COST_TARGET, HISTORY_TARGET, MEMORY_GB, NOWHERE, PRICES, SEEN
from crossfade.judge.action import next_look_seconds
from crossfade.plan.document import MigrationPlan, Timings
from rehearsal.chaos.points import Script
from rehearsal.chaos.run import stage
from rehearsal.chaos.verdict import End
from rehearsal.examples import application

_PER_LOOK = ("JudgeGreen",)
_PER_MINUTE = ("Watch",)
_TOLD = ("SNS publish", "EventBridge event put")  # `watch` tells of each move once, whenever it looks
_STATES_OF_A_LOOK = 3  # Judge Green, Answer?, Hold
_STATES_OF_A_HELD_LOOK = 5  # Judge Green, Answer?, Read Holds, Held?, Hold
_HOUR, _DAY = 3_600, 86_400


@dataclass(frozen=True)
class Cost:
    """What something comes to: units by name, dollars, and the largest history of its executions."""

    units: Mapping[str, int]
    dollars: float
    history: int

    @property
    def calls(self) -> int:
        """Calls of AWS, by functions and by states."""
        return self.units["call"]


def main() -> int:
    """Return 0 when both targets are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description="Prices a migration and a hold.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    counts: dict[Script, Count] = {}
    with stage(1) as lanes:
        for script in (Script.CLIMB, Script.HELD):
            counts[script] = begin()
            end = lanes[0].try_points(script).outcome.end
            counts[script].end()
            if end is not End.COMPLETED:
                sys.stderr.write(f"the migration did not complete: it is {end}\n")
                return 2
    plan = application("shop").plan
    migration, hold = _migration(counts[Script.CLIMB], plan), _hold(counts[Script.HELD], plan.timings)
    services = len(plan.services)
    if asked.json:
        sys.stdout.write(json.dumps({"as_of": AS_OF, "migration": asdict(migration), "hold": asdict(hold)}) + "\n")
    else:
        _say(migration, hold, services, _hours(plan))
    return int(migration.dollars / services > COST_TARGET or max(migration.history, hold.history) > HISTORY_TARGET)


def _migration(count: Count, plan: MigrationPlan) -> Cost:
    """Return what a migration costs with the plan's own durations, when every rung advances as soon as it may."""
    looks = [_looks(plan.timings, rung.soak_seconds) for edge in plan.edges for rung in edge.ladder]
    used: Used = Counter()
    for name, part in count.used.items():
        if name not in (*_PER_LOOK, *_PER_MINUTE):
            used += _with_invocations(count, name, part)
    used += _times(_one(count, "JudgeGreen"), sum(looks))
    used += _times(_minute(count), round(60 * _hours(plan)))
    used += Counter({unit: count.used.get("Watch", Counter())[unit] for unit in _TOLD})
    counted = sum(times for execution, times in count.executions.values())
    looked = count.invocations["JudgeGreen"]
    used["state transition"] = counted + _STATES_OF_A_LOOK * (sum(looks) - looked)
    climb = _events_of("climb", count)
    history = max(
        _events_of("migrate", count),
        climb + _events_of_a_look(count) * (min(max(looks), plan.timings.looks_at_once) - 1),
    )
    return Cost(used, _dollars(used), history)


def _hold(count: Count, timings: Timings) -> Cost:
    """Return what an operator's hold costs in its first hour, its dearest, and the largest history of a day of it."""
    looks = _looks(timings, _HOUR)
    used = _times(_one(count, "JudgeGreen"), looks)
    used += _times(_one(count, "ShiftTraffic"), looks // timings.looks_at_once)
    used += _times(_minute(count), _HOUR // 60)
    used["state transition"] = _STATES_OF_A_HELD_LOOK * looks
    used["DynamoDB read unit"] += looks  # the state that reads the holds
    climbs = math.ceil(_looks(timings, _DAY) / timings.looks_at_once)
    climb = _events_of("climb", count) + _events_between("climb", "Judge Green", count) * timings.looks_at_once
    migrate = _events_of("migrate", count) + _events_between("migrate", "Climb Rung", count) * climbs
    return Cost(used, _dollars(used), max(climb, migrate))


def _looks(timings: Timings, seconds: int) -> int:
    passed, looks = 0, 0
    while passed <= seconds:
        passed += next_look_seconds(timings, looks)
        looks += 1
    return looks


def _hours(plan: MigrationPlan) -> float:
    return sum(rung.soak_seconds + edge.settle_seconds for edge in plan.edges for rung in edge.ladder) / 3600


def _with_invocations(count: Count, name: str, part: Used) -> Used:
    times = count.invocations[name]
    lambda_units = {
        "Lambda request": times,
        "X-Ray trace": times,
        "Lambda millisecond": count.milliseconds[name],
    }
    return part + Counter(lambda_units)


def _one(count: Count, name: str) -> Used:
    times = count.invocations[name]
    if not times:
        return Counter()
    whole = _with_invocations(count, name, count.used[name])
    return Counter({unit: round(number / times) for unit, number in whole.items()})


def _minute(count: Count) -> Used:
    """Return what `watch` uses in a minute in which there is nothing to tell."""
    return Counter({unit: number for unit, number in _one(count, "Watch").items() if unit not in _TOLD})


def _times(used: Used, times: int) -> Used:
    return Counter({unit: number * times for unit, number in used.items()})


def _events_of(machine: str, count: Count) -> int:
    ended = [execution for execution, _ in count.executions.values() if f"-{machine}:" in execution.origin.arn]
    return max((len(execution.history) for execution in ended), default=0)


def _events_of_a_look(count: Count) -> int:
    """Return the events between one look that holds and the next."""
    return _events_between("climb", "Judge Green", count)


def _events_between(machine: str, state: str, count: Count) -> int:
    """Return the most events between one entry of a state and the next; executions that enter it once say nothing."""
    found: list[int] = []
    for execution, _ in count.executions.values():
        if f"-{machine}:" not in execution.origin.arn:
            continue
        entered = [
            event["id"] for event in execution.history if event.get("stateEnteredEventDetails", {}).get("name") == state
        ]
        found += [later - sooner for sooner, later in pairwise(entered)]
    return max(found)


def _dollars(used: Used) -> float:
    time = used["Lambda millisecond"] / 1000 * MEMORY_GB * PRICES["Lambda GB-second"]
    return time + sum(used[unit] * price for unit, price in PRICES.items())


def _say(migration: Cost, hold: Cost, services: int, hours: float) -> None:
    say = sys.stdout.write
    say(f"prices of us-east-1 noted on {AS_OF}, no free tiers; a migration of {services} services in {hours:.1f} h\n")
    say(f"{'':28}{'migration':>14}{'hour of hold':>14}\n")
    for unit in ("state transition", *sorted({*migration.units, *hold.units} - {"state transition"})):
        say(f"{unit:28}{migration.units[unit]:14,}{hold.units[unit]:14,}\n")
    say(f"{'dollars':28}{migration.dollars:14.4f}{hold.dollars:14.4f}\n")
    say(f"{'dollars a service':28}{migration.dollars / services:14.4f}\n")
    say(f"{'largest history, events':28}{migration.history:14,}{hold.history:14,}  (a hold of 24 h)\n")
    unseen = [unit for unit, where in SEEN.items() if where == NOWHERE]
    resting = sum(migration.units[unit] * PRICES[unit] for unit in unseen)
    say(f"${resting:.4f} of a migration rests on prices that are unverified: {', '.join(unseen)}\n")
    per_service = migration.dollars / services
    say(f"{_met(per_service, COST_TARGET)}: ${per_service:.4f} a service, at most ${COST_TARGET} wanted\n")
    largest = max(migration.history, hold.history)
    say(f"{_met(largest, HISTORY_TARGET)}: {largest:,} events in a history, at most {HISTORY_TARGET:,} wanted\n")


def _met(found: float, most: float) -> str:
    return "met" if found <= most else "NOT met"


if __name__ == "__main__":
    sys.exit(main())
