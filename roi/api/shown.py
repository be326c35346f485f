"""The comparison as it is shown where Python is at work: a line, a screen, HTML in a notebook, frames, charts.

It holds the engine's own record and adds no figure to it.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from roi.api.plots import Plots
from roi.economics.decision import comparison as engine
from roi.economics.decision.option_result import InfeasibleOption, OptionResult
from roi.errors import InputError, check_type, needs
from roi.report.comparison.answer_json import comparison_json
from roi.report.comparison.options_table import find_option
from roi.report.comparison.screen import comparison_text, explained, head, screen, screen_blocks
from roi.report.comparison.tables import table
from roi.report.layout.blocks import render, shortened
from roi.report.layout.html_blocks import render_html
from roi.report.layout.wording import usd
from roi.scenario.yaml import dump_yaml

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 200
"""Characters of the line that stands for a comparison."""


@dataclass(frozen=True, repr=False)
class Comparison(engine.Comparison):
    """The answer: the verdict, every option with its cost lines and odds, break-evens, drivers, what to measure.

    In a notebook it shows the one screen that `roi compare` prints; `print` gives it as text.

    Example:
        >>> from roi import compare
        >>> c = compare(draws=256)
        >>> c
        Comparison(14 options: Change to gpt-6-luna while ...: expected NPV $..., beats staying in ...% of the draws.)
        >>> [o.label for o in c.options if o.tested]
        ['gpt-6-sol', 'gpt-6-luna', ...]
    """

    warnings: tuple[str, ...] = ()
    """What a reader should know about how the facts were found."""
    scenario: dict[str, Any] | None = field(default=None, compare=False)  # Any: plain values
    """What was asked, as a scenario file holds it; None where only a Case was given."""

    def option(self, name: str) -> "Option | InfeasibleOption":
        """The option by its id, its kind (the best of it), or a part of one id or label.

        An option that cannot work has its reason and no figures. Of a kind it is the best one. InputError where no
        name matches, or parts of several.

        Example:
            >>> from roi import compare
            >>> c = compare(draws=256)
            >>> c.option("cheaper-api")
            Option('cheaper-api:openai/gpt-6-luna': cash $... a month, set-up $4,250, mean NPV against staying $...)
            >>> c.option("luna > ").label
            'gpt-6-luna > gpt-6-sol'
        """
        check_type("option", name, str, "an option's id, its kind, or a part of its name")
        id = find_option(self, name, "option")
        barred = next((o for o in self.infeasible if o.id == id), None)
        return barred or Option(**vars(next(o for o in self.options if o.id == id)), comparison=self)

    def to_frame(self, name: str = "options") -> "pd.DataFrame":
        """A table as a pandas frame: options, months, lines, facts or drivers; needs the extra [frames].

        options: one row an option, indexed by id, those that cannot work with their reason. months: one row an option and
        month (0 is set-up), its cost and what it saves against staying. lines: one row an option, cost line and month. facts:
        one row a fact. drivers: one row a fact that moves the NPV of `driver_option`. Money in USD.

        Example:
            >>> from roi import compare
            >>> months = compare(draws=0).to_frame("months")
            >>> list(months.columns)
            ['option', 'month', 'cost_usd', 'saving_usd', 'cumulative_saving_usd', 'discount_factor', 'cash_usd']
        """
        check_type("name", name, str, "the name of a table")
        found = table(self, name)
        with needs("frames", "pandas"):
            import pandas as pd

        frame = pd.DataFrame.from_records(found.rows, columns=list(found.columns))
        return frame.set_index("id") if name == "options" else frame

    @cached_property
    def plot(self) -> Plots:
        """The pictures: plot.cash(), cost_by_line(), break_even(), drivers(), npv(), probability_best(), worth()."""
        return Plots(self)

    def to_json(self) -> str:
        """What `roi compare --format json` prints; `roi compare` reads it again (docs/json.md)."""
        return comparison_json(self, scenario=self.scenario, warnings=self.warnings)

    def to_markdown(self, *, full: bool = False) -> str:
        """The screen as Markdown; with `full` every option and fact behind it."""
        return comparison_text(self, self.warnings, form="markdown", full=full)

    def to_yaml(self) -> str:
        """The scenario that was asked, as a file for `roi compare`. InputError where only a Case was given."""
        if self.scenario is None:
            raise InputError("scenario: this comparison was made from a Case, which keeps none; to_json keeps the Case")
        return dump_yaml(self.scenario)

    def __str__(self) -> str:
        return screen(self, self.warnings)

    def __repr__(self) -> str:
        count = len(self.options) + len(self.infeasible)
        told = f"{count} option{'' if count == 1 else 's'}: {self.verdict.sentence}"
        return f"{type(self).__name__}({shortened(told, SHOWN)})"

    def _repr_html_(self) -> str:
        return render_html(screen_blocks(self, self.warnings))


@dataclass(frozen=True, repr=False, kw_only=True)
class Option(OptionResult):
    """A feasible option of a comparison with all its figures; in a notebook it shows its cost tree, as `--explain` does.

    Money is in USD, shares are 0 to 1; the page docs/api.md and the docstrings below each field say what it is.
    """

    comparison: Comparison = field(compare=False)
    """The comparison that the option belongs to."""

    def __str__(self) -> str:
        return render([*head(self.comparison), *explained(self.comparison, self.id)])

    def __repr__(self) -> str:
        return (f"{type(self).__name__}({self.id!r}: cash {usd(self.cash_monthly_usd)} a month, set-up {usd(self.upfront_usd)},"
                f" mean NPV against staying {usd(self.expected_cash_npv_usd)}, with wrong answers"
                f" {usd(self.expected_npv_usd)})")

    def _repr_html_(self) -> str:
        return render_html(explained(self.comparison, self.id))
