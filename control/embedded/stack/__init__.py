"""The whole product on one machine, supervised: what `sendgate up` runs."""
