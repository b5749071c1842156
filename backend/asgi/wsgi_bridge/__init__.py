"""The bridge: requests that are not served natively are handed to Flask, in threads."""
