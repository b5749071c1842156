"""What is reported becomes an alert: by the API, by Alertmanager and Grafana; repetitions are counted."""
