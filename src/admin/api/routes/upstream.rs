//! Rows about vendors, models, and who may call from where.

use super::{Access, Route};
use crate::admin::api::{crud, vendors};
use crate::control::{AddressRule, Credential, Model, Permission as P, Provider};

pub(super) static PROVIDERS: [Route; 2] =
    reads!("providers", Provider, "provider", Access::Any(&[P::ProvidersRead]));
pub(super) static PROVIDERS_W: [Route; 3] = writes!(
    "providers",
    Provider,
    "provider",
    Access::Any(&[P::ProvidersWrite]),
    &[],
    crud::create::<Provider>,
    crud::update::<Provider>,
    crud::remove::<Provider>
);
pub(super) static CREDENTIALS: [Route; 2] =
    reads!("credentials", Credential, "credential", Access::Any(&[P::ProvidersRead]));
pub(super) static CREDENTIALS_W: [Route; 3] = writes!(
    "credentials",
    Credential,
    "credential",
    Access::Any(&[P::ProvidersWrite]),
    vendors::SECRETS,
    vendors::create,
    vendors::update,
    crud::remove::<Credential>
);
pub(super) static MODELS: [Route; 2] = reads!("models", Model, "model", Access::Any(&[P::ModelsRead]));
pub(super) static MODELS_W: [Route; 3] = writes!(
    "models",
    Model,
    "model",
    Access::Any(&[P::ModelsWrite]),
    &[],
    crud::create::<Model>,
    crud::update::<Model>,
    crud::remove::<Model>
);
pub(super) static ADDRESSES: [Route; 2] =
    reads!("address-rules", AddressRule, "address-rule", Access::Any(&[P::AddressesRead]));
pub(super) static ADDRESSES_W: [Route; 3] = writes!(
    "address-rules",
    AddressRule,
    "address-rule",
    Access::Any(&[P::AddressesWrite]),
    &["tenant"],
    crud::create::<AddressRule>,
    crud::update::<AddressRule>,
    crud::remove::<AddressRule>
);
