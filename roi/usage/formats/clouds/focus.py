"""FOCUS 1.x cost and usage rows of clouds and vendors: money of AI services, without tokens.

EffectiveCost has discounts and amortised commitments in it, so that a Purchase of a commitment is 0 and is not counted
twice. Tax, credits and adjustments are left out with their reason, as is what is not billed in USD. The model hides in
SkuMeter or SkuPriceDetails, whose wording is each vendor's own, and is left null. ServiceCategory "AI and Machine Learning"
also holds services that are no language model (SageMaker, Textract): the group is the service, so that they stand apart.
Bedrock's third-party models are sold as services of their own ("... (Amazon Bedrock Edition)") and count whatever their
category. "Token" as a PricingUnit may be a vendor's billing credit and is not read. Source: FOCUS 1.2 and 1.3, Cost and
Usage (ServiceProviderName is new in 1.3).
"""

from typing import Final

from roi.usage.read.columns import instant, real, text
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import Fields, FileOptions, Format

NEEDS: Final = ("effectivecost", "billingcurrency", "chargecategory", "chargeperiodstart", "servicecategory")
USES: Final = ("chargeperiodend", "servicename", "serviceprovidername", "providername", "subaccountname")
KEYS: Final = ("billingaccountid", "subaccountid", "resourceid", "regionid", "skuid", "skupriceid", "commitmentdiscountid",
               "consumedquantity", "pricingquantity")  # fmt: skip
"""Not shown; they tell one row from another of the same day, service and cost, where copies in other exports are looked for."""
PAID: Final = (
    ("amazon", "aws"), ("aws", "aws"), ("azure", "azure"), ("microsoft", "azure"), ("google", "google"),
    ("gcp", "google"), ("openai", "openai"), ("anthropic", "anthropic"), ("mistral", "mistral"), ("openrouter", "openrouter"),
    ("databricks", "databricks"), ("together", "together"), ("fireworks", "fireworks"), ("groq", "groq"))
"""Part of a provider's or a service's name, and who is paid; the first that fits."""


def _fields(table: Table, _: FileOptions) -> Fields:
    service = text(table, "servicename").lower()
    ai = text(table, "servicecategory").lower() == "ai and machine learning"
    counted = ai.fill_null(False) | service.contains("bedrock").fill_null(False)
    charge = text(table, "chargecategory").lower()
    reasons = [
        (~counted, "a service other than AI"),
        *((charge == word, word) for word in ("tax", "credit", "adjustment")),
        (~charge.isin(("usage", "purchase")).fill_null(False), "a kind of charge other than usage or purchase")]
    return Fields(
        at_us=instant(table, "chargeperiodstart"), until_us=instant(table, "chargeperiodend"),
        provider=_paid(table),
        cost_usd=real(table, "effectivecost"), currency=text(table, "billingcurrency"), reasons=reasons)


def _paid(table: Table) -> Column:
    """Who is paid: by the service's provider, else its service; a name that is not known stays itself."""
    named = ibis.coalesce(text(table, "serviceprovidername"), text(table, "providername")).lower()
    service = text(table, "servicename").lower()
    known = [(column.contains(part), who) for column in (named, service) for part, who in PAID]
    return ibis.cases((service.contains("bedrock"), "aws"), *known, else_=named.replace(" ", "-"))


FOCUS: Final = Format(
    name="focus", title="FOCUS cost and usage", grain="cost", needs=frozenset(NEEDS), uses=(*USES, *KEYS), fields=_fields,
    parts=(*(name for name in KEYS if not name.endswith("quantity")), "servicename", "subaccountname", "chargecategory"),
    groups={"tag": "servicename", "project": "subaccountname"})
