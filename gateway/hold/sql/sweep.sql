SELECT hold_sweep($1, $2)
