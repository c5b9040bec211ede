"""Every command of the documents, run as it stands: `python -m tests.setup.commands FOLDER`."""
