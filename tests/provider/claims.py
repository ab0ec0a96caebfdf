"""What the provider says of a person: name, groups and a verified address."""

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    """Adds claims to the ID token and to the user's information."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Say who this is."""
        return {
            "preferred_username": request.user.username,
            "email": request.user.email,
            "email_verified": True,
            "groups": sorted(request.user.groups.values_list("name", flat=True)),
        }
