"""What goes through each IP now: looked at in turns, for who watches."""
