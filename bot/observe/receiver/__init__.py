"""Send the events of the ledger to a receiver elsewhere."""
