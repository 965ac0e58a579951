"""Interactive logins, from what the user is shown to the tokens: a browser's and a device code's."""
