"""Scenario blocks about making a change: engineers, hours, and how long it takes."""

from typing import Annotated, Any

from roi.scenario.quantity import Hours, Months, PerYear, Positive, Section, spread, unit


class ByKind(Section):
    """One quantity for each kind of change; the blocks below give each its default."""

    cache_batch: Months
    """Switching caching and batch on at the same API."""
    api: Months
    """Another API model, hosted open models included."""
    cascade: Months
    """A cheap model first, the incumbent for what it escalates."""
    vendor_tuned: Months
    """A vendor's fine-tuned model, hosted adapters included."""
    self_hosted: Months
    """Serving an open model as it is."""
    self_hosted_adapter: Months
    """Training an adapter and serving it; hybrids included."""
    own_hardware: Months
    """Buying the GPUs."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:  # Any: pydantic's signature
        """Give a block's fields, which state a default alone, the meanings above."""
        for name, field in cls.model_fields.items():
            field.description = ByKind.model_fields[name].description
        cls.model_rebuild(force=True)


KINDS_OF_CHANGE = tuple(ByKind.model_fields)


class SetupHours(ByKind):
    """Engineer hours until live, by kind: porting, prompts, evaluation, deployment."""

    cache_batch: Hours = spread(16.0, 6.0, 40.0, "two days: prompt order, batch endpoint")
    api: Hours = spread(40.0, 16.0, 100.0, "a week: prompts, evaluation, roll-out")
    cascade: Hours = spread(80.0, 32.0, 200.0, "two weeks: confidence rule besides")
    vendor_tuned: Hours = spread(80.0, 40.0, 240.0, "two weeks: data, jobs, evaluation")
    self_hosted: Hours = spread(120.0, 60.0, 320.0, "three weeks: deployment, load test, monitoring")
    self_hosted_adapter: Hours = spread(200.0, 80.0, 480.0, "five weeks: data cleaning takes most of it")
    own_hardware: Hours = spread(320.0, 160.0, 800.0, "two months: purchase, racking, and the above")


class RunHours(ByKind):
    """Engineer hours a month once live, by kind: on-call, upgrades, incidents."""

    cache_batch: Hours = 0.0
    api: Hours = 0.0
    cascade: Hours = spread(4.0, 1.0, 10.0, "watching the escalation rate")
    vendor_tuned: Hours = spread(4.0, 1.0, 10.0, "watching drift")
    self_hosted: Hours = spread(30.0, 10.0, 80.0, "0.1 to 0.5 FTE (published thresholds), low end for one model")
    self_hosted_adapter: Hours = spread(35.0, 10.0, 80.0, "0.1 to 0.5 FTE (published thresholds), low end for one model")
    own_hardware: Hours = spread(50.0, 20.0, 120.0, "besides the above, hands in the data centre")


class MonthsToLive(ByKind):
    """Months until the option answers users, by kind."""

    cache_batch: Months = spread(0.5, 0.25, 1.0, "one release")
    api: Months = spread(1.0, 0.5, 2.0, "evaluation and roll-out")
    cascade: Months = spread(1.5, 0.75, 3.0, "evaluation and roll-out")
    vendor_tuned: Months = spread(2.0, 1.0, 4.0, "data, training, evaluation, roll-out")
    self_hosted: Months = spread(2.0, 1.0, 4.0, "deployment, load test, roll-out")
    self_hosted_adapter: Months = spread(3.0, 1.5, 6.0, "data, training, deployment, roll-out")
    own_hardware: Months = spread(5.0, 3.0, 9.0, "lead time of servers")


class People(Section):
    """Engineers: hours and what an hour costs."""

    usd_per_hour: Annotated[Positive, unit("USD/hour")] = spread(100.0, 70.0, 150.0, "USD 150k to 250k a year, fully loaded")
    """Fully loaded cost of an engineer hour."""
    wage_growth_per_year: PerYear = 0.03
    """Wage inflation, effective annual."""
    setup_hours: SetupHours = SetupHours()
    """Hours until live."""
    run_hours_per_month: RunHours = RunHours()
    """Hours a month once live."""
    migration_hours: Hours = spread(40.0, 16.0, 100.0, "a week: prompts, evaluation, roll-out")
    """Hours of one forced migration to a vendor's successor model."""
    setup_hours_existing: bool = False
    """True where the people are on the payroll anyway and nothing else suffers."""
    run_hours_existing: bool = False
    """The same for the monthly hours."""


class Timing(Section):
    """How long a change takes."""

    months_to_live: MonthsToLive = MonthsToLive()
    """Months until live, by kind; the incumbent is paid until then."""
    months_in_parallel: Months = 0.5
    """Months in which both are paid, for every change of model."""
