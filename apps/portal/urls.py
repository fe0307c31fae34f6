"""Addresses of the portal, on tenant hosts only."""

from django.urls import path

from apps.portal.views import bulk, gate, home, jobs, lists, look_up, profile, record, trash
from apps.portal.views import brand as brand_views
from apps.portal.views import errors
from apps.portal.views.settings import brand, data, keys, ledger, members, permissions

app_name = "portal"
urlpatterns = [
    path("", home.home, name="home"),
    path("sign-in", gate.sign_in_page, name="sign-in"),
    path("sign-out", gate.sign_out, name="sign-out"),
    path("forgot", gate.forgot, name="forgot"),
    path("reset/<str:token>", gate.reset, name="reset"),
    path("email/<str:token>", gate.confirm_email, name="confirm-email"),
    path("invitation/<str:token>", gate.invitation, name="invitation"),
    path("language", gate.language, name="language"),
    path("brand/<str:color>.css", brand_views.style, name="brand-css"),
    path("brand/logo/<str:name>", brand_views.logo, name="logo"),
    path("search", look_up.search, name="search"),
    path("palette", look_up.palette, name="palette"),
    path("lookup/<str:name>", look_up.options, name="lookup"),
    path("jobs/<uuid:job_id>", jobs.progress, name="job"),
    path("jobs/<uuid:job_id>/fragment", jobs.fragment, name="job-fragment"),
    path("jobs/<uuid:job_id>/cancel", jobs.cancel, name="job-cancel"),
    path("preferences", lists.set_preferences, name="preferences"),
    path("o/<str:name>", lists.list_page, name="list"),
    path("o/<str:name>/new", record.new, name="record-new"),
    path("o/<str:name>/filter", lists.apply_filter, name="filter"),
    path("o/<str:name>/filter/row", lists.filter_row, name="filter-row"),
    path("o/<str:name>/views", lists.save_view, name="views"),
    path("o/<str:name>/views/<uuid:view_id>/delete", lists.delete_view, name="view-delete"),
    path("o/<str:name>/export", lists.export_list, name="export"),
    path("o/<str:name>/bulk", bulk.bulk, name="bulk"),
    path("o/<str:name>/trash", trash.trash, name="trash"),
    path("o/<str:name>/<str:key>", record.show_record, name="record"),
    path("o/<str:name>/<str:key>/edit", record.edit, name="record-edit"),
    path("o/<str:name>/<str:key>/owner", record.owner, name="record-owner"),
    path("o/<str:name>/<str:key>/delete", record.delete, name="record-delete"),
    path("o/<str:name>/<str:key>/restore", trash.restore, name="record-restore"),
    path("settings", members.index, name="settings"),
    path("settings/members", members.members, name="members"),
    path("settings/members/invite", members.invite, name="invite"),
    path("settings/invitations/<uuid:invitation_id>/revoke", members.revoke, name="invitation-revoke"),
    path("settings/members/<uuid:user_id>", members.member, name="member"),
    path("settings/permissions", permissions.matrix, name="permissions"),
    path("settings/permissions/<str:name>", permissions.one, name="permission-set"),
    path("settings/keys", keys.keys, name="keys"),
    path("settings/keys/<uuid:key_id>/revoke", keys.revoke, name="key-revoke"),
    path("settings/brand", brand.brand, name="brand"),
    path("settings/modules", data.modules, name="modules"),
    path("settings/ledger", ledger.browse, name="ledger"),
    path("settings/ledger/verify", ledger.verify, name="ledger-verify"),
    path("settings/jobs", data.jobs, name="jobs"),
    path("profile", profile.profile, name="profile"),
    path("profile/password", profile.password, name="profile-password"),
    path("profile/sessions", profile.sessions, name="profile-sessions"),
    path("profile/sessions/<uuid:session_id>/end", profile.end_session, name="session-end"),
    path("<path:rest>", errors.catch_all, name="not-found"),
]
