"""Addresses of this room's pages, on a tenant's host."""

from django.urls import path

from apps.tenants.access.pages import reset, views

urlpatterns = [
    path("sign-in/callback/", views.Callback.as_view(), name="sign_in_callback"),
    path("sign-in/<slug:provider>/", views.SignIn.as_view(), name="sign_in"),
    path("password-reset/", reset.Ask.as_view(), name="admin_password_reset"),
    path("password-reset/sent/", reset.Sent.as_view(), name="password_reset_sent"),
    path("password-reset/done/", reset.Done.as_view(), name="password_reset_done"),
    path("password-reset/<uidb64>/<token>/", reset.Confirm.as_view(), name="password_reset_confirm"),
    path("sign-out/", views.SignOut.as_view(), name="sign_out"),
]
