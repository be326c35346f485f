"""Units that are paid by the month in place of tokens: throughput that a vendor keeps ready, or seats."""

from dataclasses import dataclass
from typing import Annotated

from roi.economics.case_paths import At, Number


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """Units with a monthly fee: those that an option would buy, or those that are paid today, of which there is a number."""

    usd_per_unit: Annotated[Number, At("options.{option}.provisioned.usd_per_unit_month")]
    requests_per_s: Annotated[Number | None, At("options.{option}.provisioned.requests_per_s")] = None
    """What one unit holds; None: as `utilization` says, or without end, of seats."""
    minimum_months: Annotated[Number, At("options.{option}.provisioned.minimum_months", absent=0.0)] = 0.0
    """Months for which a unit that an option buys is paid at least."""
    units: Annotated[Number, At("options.{option}.provisioned.units", absent=0.0)] = 0.0
    """Units that are paid today; 0 of what an option would buy."""
    committed_months: Annotated[Number, At("options.{option}.provisioned.committed_months", absent=0.0)] = 0.0
    """Months from today for which today's units are owed, used or not."""
    utilization: Annotated[Number | None, At("options.{option}.provisioned.peak_utilization")] = None
    """Share of today's units that today's peak takes, where that is stated and not what a unit holds."""
    of_requests_per_day: Annotated[Number, At("options.{option}.provisioned.of_requests_per_day", absent=0.0)] = 0.0
    """The requests of today, which today's units answer."""
    spills: Annotated[bool, At("options.{option}.provisioned.spills_over")] = False
    """True where what they do not hold is billed by the token, and no unit is added."""
    gives_back: Annotated[bool, At("options.{option}.provisioned.gives_back")] = False
    """True where no more of today's units are kept than each month's peak takes, or than cost least with what spills over."""
    seats: Annotated[bool, At("options.{option}.provisioned.seats")] = False
    """True of seats: they grow with users, hold any load, and their fee does not follow the model's price."""
    growth: Annotated[Number | None, At("options.{option}.provisioned.growth_per_year")] = None
    """Growth of seats a year, as a share; None: they grow as requests do."""

    @property
    def follow_requests(self) -> bool:
        """True of seats whose number is that of the requests: over the months, and at another volume."""
        return self.seats and self.growth is None
