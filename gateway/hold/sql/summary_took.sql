UPDATE hold_summary SET took = $1
