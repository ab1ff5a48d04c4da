"""For operators: the doctor, the commands for the policy and the ledger, and what is deployed."""
