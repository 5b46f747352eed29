"""A config and what to try of it in, the best of many trainings out, by Optuna."""
