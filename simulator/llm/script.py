"""What the model answers: steps that a test lays down, the first that fits first."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from simulator.errors import invalid
from simulator.model import JSON

LONGEST_DELAY = 600.0
MAX_STEPS = 10_000
KINDS: dict[str, tuple[type, ...]] = {
    "match": (str,),
    "times": (int,),
    "delay": (int, float),
    "status": (int,),
    "body": (dict, list, str),
    "headers": (dict,),
    "text": (str,),
    "calls": (list,),
    "message": (dict,),
    "finish_reason": (str,),
    "usage": (dict,),
    "cut": (bool,),
}


@dataclass(slots=True)
class Step:
    """One scripted answer.

    It is for requests whose messages hold `match` (all, when empty), and is used up after `times` (0: never). `delay`
    is in seconds. With `cut` the connection is closed without an answer; with `body` exactly that is answered, under
    `status` and `headers`. Otherwise a completion is: with `text` and `calls` (`[{name, arguments}]`), or with
    `message` as the model's whole message. `usage` replaces the counted one; `{}` leaves it out.
    """

    id: int
    match: str = ""
    times: int = 0
    delay: float = 0.0
    status: int = 200
    body: Any = None
    headers: JSON | None = None
    text: str | None = None
    calls: list[Any] | None = None
    message: JSON | None = None
    finish_reason: str = "stop"
    usage: JSON | None = None
    cut: bool = False
    used: int = 0

    def fits(self, words: str) -> bool:
        """Whether this step answers a request whose messages hold these words."""
        return (not self.times or self.used < self.times) and self.match in words

    def describe(self) -> JSON:
        """The step as JSON."""
        return asdict(self)


class Script:
    """The steps in their order; and how long the model thinks where no step says it, in seconds."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.delay = 0.0
        self._last = 0

    def add(self, values: JSON) -> Step:
        """A step at the end. Raises ControlError 422 for an unknown name or a value of the wrong kind."""
        names = {field.name for field in fields(Step)} - {"id", "used"}
        for name, value in values.items():
            if name not in names:
                raise invalid(f"a step has no {name}")
            if value is not None and (
                isinstance(value, bool) is not (name == "cut") or not isinstance(value, KINDS[name])
            ):
                raise invalid(f"{name} has another type")
        if len(self.steps) >= MAX_STEPS:
            raise invalid(f"there are at most {MAX_STEPS} steps")
        given = {name: value for name, value in values.items() if value is not None}
        self._last += 1
        step = Step(self._last, **given)
        if not 0 <= step.delay <= LONGEST_DELAY or not 200 <= step.status <= 599 or step.times < 0:
            raise invalid("delay, status or times is out of bounds")
        self.steps.append(step)
        return step

    def clear(self) -> None:
        """No steps any more."""
        self.steps.clear()

    def step_for(self, words: str) -> Step | None:
        """The step that answers a request, counted; None where the model answers by itself."""
        step = next((step for step in self.steps if step.fits(words)), None)
        if step is not None:
            step.used += 1
        return step
