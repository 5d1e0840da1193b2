"""An asyncio event loop in virtual time: timers are steps of the agenda, the ready queue runs empty after each step.

Every callback belongs to the function in whose context it was made. A function that stopped never runs again, not even
its `finally` clauses: its callbacks are dropped, and its tasks are kept alive until the run is over.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from math import ceil
from typing import TYPE_CHECKING, Any, NoReturn

from engine.simulation.agenda import Agenda, Step
from engine.simulation.bounds import Bounds
from engine.simulation.files import is_design_file
from engine.simulation.guard import CONNECTION, PROCESS, THREAD

if TYPE_CHECKING:
    from engine.simulation.process import Process

#: The only host there is, for connections.
REDIS_HOST = "redis.internal"

#: How often a coroutine that awaits in its `finally` is closed again.
CLOSINGS = 100

_ENDS_A_SLEEP: Any = asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]

OWNER: "contextvars.ContextVar[Process | None]" = contextvars.ContextVar("owner", default=None)


def _refuse(what: str, instead: str) -> NoReturn:
    raise RuntimeError(f"the program {what}, which cannot be simulated: {instead}")


class SimHandle:
    """A callback that knows its function. What asyncio's own handle keeps for its debug mode, this one does not."""

    __slots__ = ("_cancelled", "args", "callback", "context", "owner")

    def __init__(
        self,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context,
        owner: "Process | None",
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.owner = owner
        self._cancelled = False

    def cancel(self) -> None:
        """It will not be called."""
        self._cancelled = True

    def cancelled(self) -> bool:
        """Whether it will not be called."""
        return self._cancelled

    def get_context(self) -> contextvars.Context:
        """The context in which it is called."""
        return self.context


class SimTimer(SimHandle):
    """A timer whose moment is a step of the agenda."""

    __slots__ = ("_loop", "_when", "step")
    step: Step

    def __init__(
        self,
        loop: "SimLoop",
        when: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context,
        owner: "Process | None",
    ) -> None:
        self.callback = callback  # here and not in the class above: each command of a client sets two timers
        self.args = args
        self.context = context
        self.owner = owner
        self._cancelled = False
        self._loop = loop
        self._when = when

    def when(self) -> float:
        """Its virtual time, in seconds."""
        return self._when

    def cancel(self) -> None:
        """It will not be called: its step is taken off the agenda."""
        if not self._cancelled:
            self._cancelled = True
            self._loop.forget_timer(self)

    def fire(self) -> None:
        """Its moment has come."""
        if not self._cancelled:
            self._loop._ready.append(SimHandle(self.callback, self.args, self.context, self.owner))


class SimTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that a set of tasks (`asyncio.wait`) is walked in the same order in each run."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        number: int,
        loop: asyncio.AbstractEventLoop,
        name: str,
        context: contextvars.Context | None,
    ) -> None:
        self.number = number  # first: asyncio asks for the hash while it makes the task
        self.timers = 0  # how many timers it has set; of a tick's task: since the tick began
        self.serves = False  # it answers an HTTP call
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number


class SimLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that asyncio, redis-py, httpx and Starlette use, over an agenda."""

    def __init__(self, agenda: Agenda, bounds: Bounds) -> None:
        self._agenda = agenda
        self._bounds = bounds
        self._ready: deque[SimHandle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self._closed = False
        self._made = 0
        self.connect: Callable[..., Coroutine[Any, Any, Any]] | None = None
        self.refuse: Callable[[str, str], NoReturn] = _refuse
        self.errors: list[str] = []
        agenda.drain = self.drain

    # -- time and callbacks ------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._agenda.now_ms / 1000

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> SimHandle:
        """Queue a callback; dropped if its function has stopped, put by if it is paused."""
        if context is None:
            context = contextvars.copy_context()
        owner = context.get(OWNER)
        handle = SimHandle(callback, args, context, owner)
        if self._closed or (owner is not None and not owner.alive):
            return handle
        if owner is not None and owner.paused:
            owner.handles.append(handle)
        else:
            self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> SimTimer:
        """A timer `delay` virtual seconds from now."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> SimTimer:
        """A timer at a virtual time; rounded up to the next whole millisecond, as a timer never fires early."""
        if context is None:
            context = contextvars.copy_context()
        owner = context.get(OWNER)
        timer = SimTimer(self, when, callback, args, context, owner)
        due_ms = ceil(round(when * 1000, 6))
        if self._closed or (owner is not None and not owner.alive):
            timer.step = Step("timer", "stopped", "", owner, timer.fire, due_ms, due_ms)
            timer.step.cancelled = True
            return timer
        name = "timer" if owner is None else owner.timer_name
        timer.step = self._agenda.at("timer", name, owner, timer.fire, due_ms)
        if owner is not None:
            owner.steps[timer.step] = None
            if owner.is_idle_timer():
                # What ends a sleep can come later; the end of a client's patience, or a library's own, comes on time.
                self._agenda.mark_idle(timer.step, thins=callback is _ENDS_A_SLEEP)
        return timer

    def forget_timer(self, timer: SimTimer) -> None:
        """A timer was cancelled."""
        step = timer.step
        if step.owner is not None:
            step.owner.steps.pop(step, None)
        self._agenda.cancel(step)

    def drain(self) -> None:
        """Run the ready queue empty, in its own order, which is never a choice. Bounded."""
        ready, bounds = self._ready, self._bounds
        left = bounds.callbacks_at_once
        while ready:
            handle = ready.popleft()
            owner = handle.owner
            if handle._cancelled or (owner is not None and not owner.alive):
                continue
            if owner is not None and owner.paused:
                owner.handles.append(handle)
                continue
            try:
                handle.context.run(handle.callback, *handle.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # a loop outlives what a callback of its raises
                self.errors.append(f"{type(error).__name__} in a callback")
            if bounds.hit is not None:
                raise bounds.hit
            left -= 1
            if left < 0:
                who = owner.name if owner is not None else "the world"
                limit = bounds.callbacks_at_once
                bounds.stop(f"{who} ran more than {limit:,} callbacks at one instant{_at_work(handle)}")

    def resume(self, handles: list[SimHandle]) -> None:
        """Queue what a paused function had ready."""
        self._ready.extend(handles)

    # -- tasks and futures -------------------------------------------------------------------------------------------

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> SimTask:
        """A task; kept until the run is over, so that a stopped function's coroutines are not collected in its midst."""
        self._made += 1
        task = SimTask(coro, number=self._made, loop=self, name=name or "task", context=context)
        self._tasks.append(task)
        if len(self._tasks) > self._bounds.tasks:
            self._tasks = [t for t in self._tasks if not t.done()]
            if len(self._tasks) > self._bounds.tasks:
                owner = OWNER.get()
                who = owner.name if owner is not None else "the world"
                self._bounds.stop(f"{who} has started tasks without end: more than {self._bounds.tasks:,} at once")
        return task

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        """A connection of the simulated network; only Redis is there."""
        if host != REDIS_HOST:
            self.refuse(*CONNECTION)
        if self.connect is None:
            raise ConnectionRefusedError(f"nothing listens at {host}:{port} in the simulation")
        return await self.connect(protocol_factory)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Threads have no place in a deterministic run."""
        self.refuse(*THREAD)

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **_: Any) -> Any:
        """Nothing listens there."""
        self.refuse(*CONNECTION)

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **_: Any) -> Any:
        """Nor have processes."""
        self.refuse(*PROCESS)

    subprocess_shell = subprocess_exec

    # -- the rest of the protocol ------------------------------------------------------------------------------------

    def get_debug(self) -> bool:
        """Never in debug mode: asyncio would read real clocks."""
        return False

    def is_running(self) -> bool:
        """Running until closed."""
        return not self._closed

    def is_closed(self) -> bool:
        """Whether the run is over."""
        return self._closed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio would log: nothing may reach stderr."""
        self.errors.append(str(context.get("message", "")))

    def abandoned(self, generator: AsyncGenerator[Any, Any]) -> None:
        """An async generator was dropped before its end: closed in a task, as asyncio does it, if its function lives."""
        owner = OWNER.get()
        if not self._closed and (owner is None or owner.alive):
            self.create_task(generator.aclose())

    def close(self) -> None:
        """End the run: close what still hangs, quietly. Nothing that a `finally` does now reaches the world."""
        self._closed = True
        self._ready.clear()
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                close_quietly(task.get_coro())
            elif not task.cancelled():
                task.exception()  # marks it as seen
        self._tasks.clear()


def close_quietly(coroutine: Any) -> bool:
    """Close a coroutine that hangs, also one whose `finally` awaits: that is refused, and it is closed where it then stands.

    One left half closed would be closed again when it is collected, and say so on stderr. So what it waits for goes first: if
    that refuses, the error ends the one that waits, and nobody would come back for it. False: it refuses for ever.
    """
    stubborn = None
    for _ in range(CLOSINGS):
        awaited = getattr(coroutine, "cr_await", None)
        if asyncio.iscoroutine(awaited) and awaited is not stubborn and not close_quietly(awaited):
            stubborn = awaited
        try:
            coroutine.close()
        except RuntimeError:  # it awaited in its `finally`
            continue
        except BaseException:  # whatever a dying coroutine raises is of no interest
            return True
        return True
    return False


def where(coroutine: Any) -> str:
    """Where a coroutine waits, in the innermost frame of the design's own: `in receive (file.py:12)`."""
    place = ""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and is_design_file(frame.f_code.co_filename):
            name = frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
            place = f" in {frame.f_code.co_name} ({name}:{frame.f_lineno})"
        coroutine = getattr(coroutine, "cr_await", None)
    return place


def _at_work(handle: SimHandle) -> str:
    task = getattr(handle.callback, "__self__", None)
    return where(task.get_coro()) if isinstance(task, asyncio.Task) else ""
