"""Addresses of this room's pages, on a tenant's host."""

from django.urls import path

from apps.tenants.access.pages import views

urlpatterns = [
    path("sign-in/callback/", views.Callback.as_view(), name="sign_in_callback"),
    path("sign-in/<slug:provider>/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", views.SignOut.as_view(), name="sign_out"),
]
