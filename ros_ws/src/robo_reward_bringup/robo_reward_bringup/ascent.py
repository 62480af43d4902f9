"""From unconfigured to active, and when to give up. No ROS."""

NEXT = {"unconfigured": "configure", "inactive": "activate"}


class NotActiveError(RuntimeError):
    """A lifecycle node did not become active; the text says what it last was and what to look at."""


class Ascent:
    """Says what to ask of a lifecycle node next.

    Requests and answers may be lost: DDS takes seconds to notice that a killed predecessor of the node is gone, and may
    give its requests to the dead. Whoever asks therefore asks again, and believes refusals only.

    Args:
        node: Its name, for texts.
        timeout: How long it may take in all [s].
    """

    def __init__(self, node: str, *, timeout: float) -> None:
        self._node, self._timeout = node, timeout
        self._state = "silent"

    def next_transition(self, state: str | None, *, passed: float) -> str | None:
        """Give the transition to ask for; None = none now, look again.

        Args:
            state: What the node says that it is; None = it said nothing, it may be busy or not there yet.
            passed: Time since the beginning [s].

        Raises:
            NotActiveError: Time is up, or the node has shut itself down.
        """
        self._state = state or self._state
        if state == "finalized":
            raise NotActiveError(f"{self._node} has shut down; it must be started anew")
        if passed > self._timeout:
            raise NotActiveError(
                f"{self._node} did not become active within {self._timeout:g} s (it is {self._state}): look at what it "
                "logged; a model that loads for longer needs activation_timeout:=…"
            )
        return NEXT.get(state or "")

    def refused(self, transition: str) -> NotActiveError:
        """Give the error for a transition that the node refused."""
        return NotActiveError(f"{self._node} refused to {transition}: it logged why, as an error of on_{transition}")
