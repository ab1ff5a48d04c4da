"""Send the events of the ledger to a collector elsewhere."""
