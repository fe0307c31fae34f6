"""Identity: owns users, memberships, sessions and keys; offers one resolver of credentials; must never decide object rights."""
