"""Who may open a migration, decided from what the journal holds of it."""

from __future__ import annotations

from crossfade.errors import EdgeOwned, Fenced
from crossfade.journal.model import MigrationRecord
from crossfade.phases import Phase, move


def opening(wanted: MigrationRecord, found: MigrationRecord | None) -> MigrationRecord | None:
    """
    Return the record to write, or None when `found` is this very opening and may stay.

    A migration that was rolled back begins again above its old fence, so that an
    executor of the first attempt stays shut out.

    Raises:
        EdgeOwned: another execution has the migration open.
        Fenced: `wanted` is an opening that a rollback has ended.
        InvalidTransition: the migration is beyond its point of no return.
    """
    if found is None:
        return wanted
    going_back = found.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}
    if found.execution == wanted.execution:
        if going_back:
            raise Fenced(f"{wanted.migration}: rolled back since {wanted.execution} opened it")
        return None
    if found.phase not in {Phase.ROLLED_BACK, Phase.RETIRING, Phase.DONE}:
        raise EdgeOwned(f"{wanted.migration} is {found.phase}, opened by {found.execution}")
    return wanted.model_copy(update={"phase": move(found.phase, wanted.phase), "fence": found.fence + 1})
