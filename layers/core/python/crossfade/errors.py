"""
Every error Crossfade raises on purpose.

* CrossfadeError
  x Refused                     a person must act; never retried
    + BadInput                  a source, plan or event that cannot be read; names input, place, way out
    + MeshNotFound              the sources hold no mesh and no service to migrate
    + BlockedByGap              the plan has an open blocking gap
    + PlanChanged               the stored plan is not the one whose digest was asked for
    + UnknownMigration          the journal knows no such migration
    + UnknownEdge               the plan names an edge this stack or account does not have
    + EdgeOwned                 another migration owns the edge and is not closed
    + EdgeChanged               someone else changed the edge since it was read
    + UnreachableGoal           the edge cannot hold the share the plan asks for
    + ShareOutOfRange           a share below 0 % or above 100 %
    + InvalidTransition         the phase table has no such move
    + PreflightRefused          something would make the move or its rollback fail later
    + BlueChanged               blue is not as the plan describes it
    + BlueUnhealthy             blue has no healthy target to go back to
    + BlueIsGone                blue has begun to be retired; guards touch nothing
    + BlueStillServes           blue may not be retired yet
    + ServiceExists             a service of green's name exists and is not this migration's
    + GreenFailed               green's deployment failed or does not answer
    + Fenced                    a rollback has begun since this executor was started
  x TryAgain                    the world was busy; the state machine retries
    + EdgeBusy                  the edge is still applying an earlier change
    + JournalBusy               the journal's table is throttled or contended
    + ExecutionsBusy            Step Functions throttles a start or an answer
    + EcsBusy                   ECS or Cloud Map throttles, or is still making what was asked for
    + MetricsBusy               CloudWatch throttles
    + LogsBusy                  CloudWatch Logs throttles
    + NoticesBusy               the topic that people listen to is throttled
    + EdgeSpreading             a change of the edge has not reached every place that serves users
    + GreenNotReady             green is not there yet; look again later
    + NotConfirmed              an edge does not yet hold what was written to it

Step Functions sees only the class *name* of what a Lambda raises, so these names
are an interface: `statemachines/*.asl.yaml` catch and retry them by name.
"""


class CrossfadeError(Exception):
    """Base of all errors Crossfade raises on purpose."""


class Refused(CrossfadeError):
    """A person must act; never retried."""


class BadInput(Refused):
    """A source, plan or event cannot be read; the message names the input, the place and the way out."""


class MeshNotFound(Refused):
    """The sources hold no mesh and no service to migrate."""


class BlockedByGap(Refused):
    """The plan has an open blocking gap."""


class PlanChanged(Refused):
    """The stored plan is not the one whose digest was asked for."""


class UnknownMigration(Refused):
    """The journal knows no such migration."""


class UnknownEdge(Refused):
    """The plan names an edge this stack or account does not have."""


class EdgeOwned(Refused):
    """Another migration owns the edge and is not closed."""


class EdgeChanged(Refused):
    """Someone else changed the edge since it was read."""


class UnreachableGoal(Refused):
    """The edge cannot hold the share the plan asks for."""


class ShareOutOfRange(Refused):
    """A share lies below 0 % or above 100 %."""


class InvalidTransition(Refused):
    """The phase table has no such move."""


class PreflightRefused(Refused):
    """Something would make the move or its rollback fail later."""


class BlueChanged(Refused):
    """Blue is not as the plan describes it."""


class BlueUnhealthy(Refused):
    """Blue has no healthy target to go back to."""


class BlueIsGone(Refused):
    """Blue has begun to be retired; guards touch nothing."""


class BlueStillServes(Refused):
    """Blue may not be retired yet."""


class ServiceExists(Refused):
    """A service of green's name exists and is not this migration's."""


class GreenFailed(Refused):
    """Green's deployment failed, or green does not answer."""


class Fenced(Refused):
    """A rollback has begun since this executor was started."""


class TryAgain(CrossfadeError):
    """The world was busy; the state machine retries."""


class EdgeBusy(TryAgain):
    """The edge is still applying an earlier change."""


class JournalBusy(TryAgain):
    """The journal's table is throttled or contended."""


class ExecutionsBusy(TryAgain):
    """Step Functions throttles a start or an answer."""


class EcsBusy(TryAgain):
    """ECS or Cloud Map throttles, or is still making what was asked for."""


class MetricsBusy(TryAgain):
    """CloudWatch throttles."""


class LogsBusy(TryAgain):
    """CloudWatch Logs throttles."""


class NoticesBusy(TryAgain):
    """The topic that people listen to is throttled."""


class EdgeSpreading(TryAgain):
    """A change of the edge was taken and has not yet reached every place that serves users; it takes its time."""


class GreenNotReady(TryAgain):
    """Green is not there yet; look again later."""


class NotConfirmed(TryAgain):
    """An edge does not yet hold what was written to it."""
