"""What a test, or another process by the control API, may do with a local Slack."""

from local_slack.acting import Acting
from local_slack.choosing import Choosing
from local_slack.modal_acts import ModalActs
from local_slack.switches import Switches

__all__ = ["Controls"]


class Controls(Acting, Choosing, ModalActs, Switches):
    """Act as a user, read what users see, change the workspace, break things.

    What a user could not do (an unknown button, a channel they are not in) raises
    `ControlError`.
    """
