//! Buying, giving and accounting for credits.

pub mod codes;
pub mod grants;
pub mod purchases;
pub mod reports;
pub mod statements;
pub mod webhooks;

use super::call::Call;
use super::problem::Problem;
use crate::types::TenantId;

/// The tenant that the path names, if it is within the sight of who asks.
fn tenant(call: &Call<'_>) -> Result<TenantId, Problem> {
    let tenant = TenantId::parse(call.id).map_err(|_| Problem::not_found())?;
    if !call.principal.reaches(Some(&tenant)) || !exists(call, &tenant) {
        return Err(Problem::not_found());
    }
    Ok(tenant)
}

/// The tenant that a body names, or that who asks belongs to.
fn tenant_of_body(call: &Call<'_>, named: Option<&str>) -> Result<TenantId, Problem> {
    let tenant = match (named, &call.principal.tenant) {
        (Some(text), _) => {
            TenantId::parse(text).map_err(|error| Problem::fault("tenant", error.to_string()))?
        }
        (None, Some(own)) => own.clone(),
        (None, None) => return Err(Problem::fault("tenant", "is missing")),
    };
    if !call.principal.reaches(Some(&tenant)) || !exists(call, &tenant) {
        return Err(Problem::fault("tenant", format!("there is no tenant {:?}", tenant.as_str())));
    }
    Ok(tenant)
}

/// Is there such a tenant: managed, named by the file, or with a wallet already?
fn exists(call: &Call<'_>, tenant: &TenantId) -> bool {
    let managed = call.directory.state().get(crate::control::Kind::Tenant, tenant.as_str()).is_some();
    managed
        || call.is_tenant_of_the_file(tenant.as_str())
        || call.directory.store().wallets().look(tenant, |_| ()).is_some()
}
