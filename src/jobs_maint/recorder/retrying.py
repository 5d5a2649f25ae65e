"""Whether a retry follows a failure: the task is asked once, for us and for the worker."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from procrastinate import exceptions
from procrastinate.job_context import AbortReason

from jobs_maint.events import emit

if TYPE_CHECKING:
    from procrastinate import JobContext
    from procrastinate.jobs import Job
    from procrastinate.tasks import Task

__all__ = ["RetryAnswer", "ask_retry"]


class RetryAnswer:
    """A task's decision on a failure, asked once though two want to know: recorder and worker.

    A team's own retry strategy may count, call a service, or throw dice.
    """

    def __init__(self, context: JobContext, exc: BaseException) -> None:
        self._task = context.task
        self._exc = exc
        self._decision: exceptions.JobRetry | None = None
        self._raised: Exception | None = None
        try:
            self._decision = self._task.get_retry_exception(exception=exc, job=context.job)
        except Exception as raised:  # noqa: BLE001  it is the worker's to raise
            self._raised = raised

    @property
    def will_retry(self) -> bool:
        return self._decision is not None

    def hand_over(self) -> None:
        """The next question about this failure gets this answer: the worker's.

        It asks in the same turn of the event loop in which the middleware raises. After that turn
        the task is as it was.
        """
        stand_in = vars(self._task).get(_ASK)
        if not isinstance(stand_in, _StandIn):
            stand_in = _StandIn(self._task)
        stand_in.answers[id(self._exc)] = self
        asyncio.get_running_loop().call_soon(stand_in.take, self._exc)

    def give(self) -> exceptions.JobRetry | None:
        if self._raised is not None:
            raise self._raised
        return self._decision


_ASK = "get_retry_exception"


class _StandIn:
    """In the place of a task's method while answers wait for their worker."""

    def __init__(self, task: Task[Any, Any, Any]) -> None:
        self._attributes = vars(task)
        self._before = self._attributes.get(_ASK)
        self._ask = task.get_retry_exception
        self.answers: dict[int, RetryAnswer] = {}
        self._attributes[_ASK] = self

    def __call__(self, exception: BaseException, job: Job) -> exceptions.JobRetry | None:
        answer = self.take(exception)
        return self._ask(exception=exception, job=job) if answer is None else answer.give()

    def take(self, exc: BaseException) -> RetryAnswer | None:
        answer = self.answers.pop(id(exc), None)
        if not self.answers and self._attributes.get(_ASK) is self:
            del self._attributes[_ASK]
            if self._before is not None:
                self._attributes[_ASK] = self._before
        return answer


def ask_retry(context: JobContext, exc: BaseException) -> RetryAnswer | None:
    """The decision the worker takes after us; None where no retry can come of it.

    Never raises: the job's own outcome stands.
    """
    try:
        reason = context.abort_reason()
        if isinstance(exc, exceptions.JobAborted) and reason is not AbortReason.SHUTDOWN:
            return None
        if reason is AbortReason.USER_REQUEST:  # the database refuses to retry an aborted job
            return None
        return RetryAnswer(context, exc)
    except Exception as broken:  # noqa: BLE001
        emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(broken)[:300])
        return None
