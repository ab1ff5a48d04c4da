"""What operators need: doctor, logs, health, metrics, the policy command."""
