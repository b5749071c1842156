# Where the `flask` command finds the application.
FLASK_APP=backend.cli:make_app
