SELECT server FROM accounting_stream
