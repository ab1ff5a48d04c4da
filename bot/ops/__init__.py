"""For operators: the doctor, logs, health, metrics, and the commands for the policy and the ledger."""
