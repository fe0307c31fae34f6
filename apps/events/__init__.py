"""Events: owns the outbox and durable work; offers emit and the queue's back end; must never run a handler in the caller's transaction."""
