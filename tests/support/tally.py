"""The balances of all scenarios of a session: a matrix in which nothing interesting happened proves nothing."""

from dataclasses import dataclass, field

from tests.support.audit import Audit


@dataclass
class Tally:
    """The balance of each scenario that was audited, in order, under the name of its test."""

    scenarios: list[tuple[str, Audit]] = field(default_factory=list)
    running: str = ""

    def add(self, found: Audit) -> None:
        """Take a scenario in."""
        self.scenarios.append((self.running, found))

    def total(self, name: str) -> int:
        """A count of the audits over all scenarios."""
        return sum(getattr(found, name) for _, found in self.scenarios)

    def lines(self) -> list[str]:
        """The balance of each scenario."""
        return [f"{name}: {found}; {found.interesting()}" for name, found in self.scenarios]
