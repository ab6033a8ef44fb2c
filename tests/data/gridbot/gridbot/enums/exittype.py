from enum import Enum


class ExitType(Enum):
    ROI = "roi"
    STOP_LOSS = "stop_loss"
    STOPLOSS_ON_EXCHANGE = "stoploss_on_exchange"
    EXIT_SIGNAL = "exit_signal"
    FORCE_EXIT = "force_exit"
    GRID_EXIT = "grid_exit"
    NONE = ""

    def __str__(self):
        return self.value

    @property
    def is_forced(self):
        return self in (ExitType.FORCE_EXIT, ExitType.STOP_LOSS)
