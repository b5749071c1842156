"""The pages about alerts: the list, one alert, policies, silences, monitoring systems."""
