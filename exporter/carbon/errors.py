"""What can go wrong with a provider, named by what is done about it.

    ProviderError
    ├── UnavailableError      no answer, or no value yet: back off, ask again
    │   └── ThrottledError    asked to come later: come when it says
    ├── CredentialsError      refused: stop asking, the operator has to act
    ├── NotCoveredError       does not know the zone: look again rarely
    └── NonsenseError         answered what it should not: back off, ask again
        └── ImplausibleError  a number no grid has, or of a time it cannot be of

Messages name the host or the field, never an address or a text of the server:
both may hold a token.
"""

from typing import ClassVar

from exporter.core.units import Seconds


class ProviderError(Exception):
    """There is no value; ``outcome`` is what the fetch is counted as."""

    outcome: ClassVar[str] = "unavailable"


class UnavailableError(ProviderError):
    """It cannot be reached, fails, or has no value for now."""

    outcome: ClassVar[str] = "unavailable"


class ThrottledError(UnavailableError):
    """It wants to be asked less.

    Attributes:
        retry_after_s: how long it wants to be left alone; ``None`` if it does
            not say.
    """

    outcome: ClassVar[str] = "throttled"

    def __init__(self, message: str, retry_after_s: Seconds | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class CredentialsError(ProviderError):
    """It refuses the token, or what the token asks for."""

    outcome: ClassVar[str] = "denied"


class NotCoveredError(ProviderError):
    """It has nothing of this zone, or not under this address."""

    outcome: ClassVar[str] = "not_covered"


class NonsenseError(ProviderError):
    """It answered, and the answer is not what it is documented to be."""

    outcome: ClassVar[str] = "nonsense"


class ImplausibleError(NonsenseError):
    """The answer has the right form and a value that is not believed."""

    outcome: ClassVar[str] = "implausible"
