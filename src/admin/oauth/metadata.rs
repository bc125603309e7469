//! What the authorization server says of itself (RFC 8414).

use super::refused::Refused;
use super::said::Said;
use super::{AUTHORIZE, Ask, DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, TOKEN};
use crate::control::PERMISSIONS;
use crate::control::oauth::GrantType;
use axum::http::StatusCode;
use serde_json::json;

/// `GET /.well-known/oauth-authorization-server`
pub(super) fn show(ask: &Ask<'_>) -> Result<Said, Refused> {
    let at = |path: &str| format!("{}{path}", ask.issuer);
    let scopes: Vec<&str> = PERMISSIONS.iter().map(|row| row.name).collect();
    let grants: Vec<&str> = GrantType::ALL.into_iter().map(GrantType::name).collect();
    let proofs = json!(["client_secret_basic", "client_secret_post", "none"]);
    Ok(Said::json(
        StatusCode::OK,
        &json!({
            "issuer": ask.issuer,
            "authorization_endpoint": at(AUTHORIZE),
            "token_endpoint": at(TOKEN),
            "device_authorization_endpoint": at(DEVICE_AUTHORIZATION),
            "revocation_endpoint": at(REVOKE),
            "introspection_endpoint": at(INTROSPECT),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": grants,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": proofs,
            "revocation_endpoint_auth_methods_supported": proofs,
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        }),
    ))
}
