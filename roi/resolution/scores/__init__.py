"""How good answers are: `system_scores` of each system, `paired_scores` beside today's, `escalations` where one hands on."""
