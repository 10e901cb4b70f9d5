"""The deployer of the rehearsal: real templates into the embedded AWS, through plain API calls."""

from rehearsal.deploy.deployer import Deployer
from rehearsal.deploy.errors import DeployError, DeployFailed, TemplateRefused

__all__ = ["DeployError", "DeployFailed", "Deployer", "TemplateRefused"]
