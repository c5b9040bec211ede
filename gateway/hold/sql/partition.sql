SELECT hold_partition($1)
