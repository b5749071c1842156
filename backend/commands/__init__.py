"""The command line, one module per subject. Each is a thin shell around a service."""
