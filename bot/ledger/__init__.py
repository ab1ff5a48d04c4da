"""The ledger: the durable record of requests, their events and tokens; written before anybody is told anything."""
