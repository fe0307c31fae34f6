"""Tables of identity: people, their memberships in tenants, and every credential they can show."""

from apps.identity.models.credentials import ApiKey, RefreshToken, Session
from apps.identity.models.membership import (
    Invitation,
    Membership,
    MembershipState,
    Role,
)
from apps.identity.models.user import User, UserManager, normalize_email

__all__ = [
    "ApiKey",
    "Invitation",
    "Membership",
    "MembershipState",
    "RefreshToken",
    "Role",
    "Session",
    "User",
    "UserManager",
    "normalize_email",
]
