"""Which pauses hold for the doctor: those that protect our address, not those it is asked about."""

from dataclasses import dataclass
from datetime import datetime

from bot.wecom.errors import GETTOKEN
from bot.wecom.pauses import Pause, PauseStore
from bot.wecom.pausing import WRONG_SECRET

LIMITS = (45009, 45033, 45036)


@dataclass(frozen=True)
class DoctorsPauses:
    """The installation's pauses without those after a missing permission or a lost network.

    An operator who has just mended something asks once, by hand; and what the doctor finds
    missing begins no pause for the processes that serve. With ``retry_secrets`` a secret that was
    refused within the hour is asked with again.
    """

    shared: PauseStore
    retry_secrets: bool = False

    def get(self, secret_name: str, endpoint: str) -> Pause | None:
        pause = self.shared.get(secret_name, endpoint)
        return pause if pause is not None and self._holds(pause) else None

    def set(self, pause: Pause) -> Pause:
        if pause.errcode in LIMITS or _is_about_a_secret(pause):
            return self.shared.set(pause)
        return pause

    def probe(self, pause: Pause, until: datetime) -> bool:
        return self.shared.probe(pause, until)

    def clear(self, secret_name: str, endpoint: str) -> None:
        self.shared.clear(secret_name, endpoint)

    def note_refusals(
        self, secret_name: str, endpoint: str, errcode: int | None, records: int
    ) -> None:
        """The doctor says by itself what was refused."""

    def forget_refusals(self, secret_name: str, endpoint: str) -> None:
        self.shared.forget_refusals(secret_name, endpoint)

    def _holds(self, pause: Pause) -> bool:
        if _is_about_a_secret(pause):
            return not self.retry_secrets
        return pause.errcode in LIMITS


def _is_about_a_secret(pause: Pause) -> bool:
    return pause.endpoint == GETTOKEN and pause.errcode in WRONG_SECRET
