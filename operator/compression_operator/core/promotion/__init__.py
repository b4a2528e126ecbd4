"""Decisions about ServingTargets and Promotions: consent, order, preflight, rollout, rollback."""
