"""Why a message goes where it goes, or waits, or how it ended."""
