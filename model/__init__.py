"""Models of the protocol in Promela, checked exhaustively: `make model`."""
