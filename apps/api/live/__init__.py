"""Live progress: the doors of the sockets' process; owns nothing; must never hold more than a read of a row."""
