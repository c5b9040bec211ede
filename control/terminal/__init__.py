"""What every command needs: its line, the API, tables, mistakes in use."""
