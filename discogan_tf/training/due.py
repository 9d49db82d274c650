"""When a run logs, writes sample grids, evaluates and saves."""

import dataclasses

from discogan_tf.config import Config


@dataclasses.dataclass(frozen=True)
class Due:
    """What is due after a step.

    Attributes:
      config: The run's settings.
      step: Last completed step.
      stopping: Whether the run was requested to stop.
    """

    config: Config
    step: int
    stopping: bool = False

    def when_stopping(self) -> "Due":
        """For a run that must stop: all is written, but nothing is evaluated."""
        return dataclasses.replace(self, stopping=True)

    @property
    def is_last(self) -> bool:
        """Whether the run ends with this step."""
        return self.stopping or self.step == self.config.num_steps

    def _every(self, steps: int) -> bool:
        return self.is_last or self.step % steps == 0

    @property
    def log(self) -> bool:
        return self._every(self.config.log_every_steps) or self.evaluate

    @property
    def sample(self) -> bool:
        return self._every(self.config.sample_every_steps)

    @property
    def save(self) -> bool:
        return self._every(self.config.save_every_steps)

    @property
    def evaluate(self) -> bool:
        return not self.stopping and self._every(self.config.evaluate_every_steps)

    @property
    def anything(self) -> bool:
        return self.log or self.sample or self.save or self.evaluate

    @property
    def next_save(self) -> int:
        """The step of the next checkpoint after this one."""
        every = self.config.save_every_steps
        return min((self.step // every + 1) * every, self.config.num_steps)
