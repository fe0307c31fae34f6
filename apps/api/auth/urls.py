"""Addresses below `/api/v1/auth/`."""

from django.urls import path

from apps.api.auth import account, organizations, signing, tokens

urlpatterns = [
    path("sign-in/email", signing.SignInDoor.as_view()),
    path("sign-up/email", signing.SignUpDoor.as_view()),
    path("sign-out", signing.SignOutDoor.as_view()),
    path("get-session", signing.SessionDoor.as_view()),
    path("config", signing.ConfigDoor.as_view()),
    path("bootstrap-status", signing.BootstrapDoor.as_view()),
    path("token", tokens.TokenDoor.as_view()),
    path("token/refresh", tokens.RefreshDoor.as_view()),
    path("token/revoke", tokens.RevokeDoor.as_view()),
    path("list-sessions", account.SessionsDoor.as_view()),
    path("revoke-session", account.RevokeSessionDoor.as_view()),
    path("revoke-sessions", account.RevokeSessionsDoor.as_view()),
    path("revoke-other-sessions", account.RevokeOtherSessionsDoor.as_view()),
    path("list-accounts", account.AccountsDoor.as_view()),
    path("update-user", account.UpdateUserDoor.as_view()),
    path("change-password", account.ChangePasswordDoor.as_view()),
    path("request-password-reset", account.ForgotPasswordDoor.as_view()),
    path("reset-password", account.ResetPasswordDoor.as_view()),
    path("change-email", account.ChangeEmailDoor.as_view()),
    path("verify-email", account.VerifyEmailDoor.as_view()),
    path("me/permissions", account.PermissionsDoor.as_view()),
    path("me/localization", account.LocalizationDoor.as_view()),
    path("admin/create-user", organizations.CreateUserDoor.as_view()),
    path("organization/list", organizations.OrganizationsDoor.as_view()),
    path("organization/get-full-organization", organizations.OrganizationDoor.as_view()),
    path("organization/set-active", organizations.SetActiveDoor.as_view()),
    path("organization/list-members", organizations.MembersDoor.as_view()),
    path("organization/get-active-member", organizations.ActiveMemberDoor.as_view()),
    path("organization/list-invitations", organizations.InvitationsDoor.as_view()),
    path("organization/list-user-invitations", organizations.EmptyListDoor.as_view()),
    path("organization/list-teams", organizations.EmptyListDoor.as_view()),
    path("organization/invite-member", organizations.InviteDoor.as_view()),
    path("organization/cancel-invitation", organizations.CancelInvitationDoor.as_view()),
    path("organization/accept-invitation", organizations.AcceptInvitationDoor.as_view()),
    path("organization/update-member-role", organizations.MemberRoleDoor.as_view()),
    path("organization/remove-member", organizations.RemoveMemberDoor.as_view()),
]
