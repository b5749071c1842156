"""Tools for texts that several features share: templates, values of events, quiet hours."""
