"""The networks that several systems share: small classes without flags. Systems choose among them by name in one dict."""
