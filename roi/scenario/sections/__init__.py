"""The sections of a scenario, a file a subject: each field's meaning stands beside it."""
