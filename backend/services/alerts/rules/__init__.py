"""What a workspace wants done about which alerts: policies, silences, matchers, templates."""
