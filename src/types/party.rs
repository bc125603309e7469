//! On whose behalf a key calls.

use std::sync::Arc;

/// Who is behind a key, beside the tenant that pays. Ids of the control plane or of the
/// configuration; a key may belong to none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Party {
    /// The person whose key it is.
    pub user: Option<Arc<str>>,
    /// The program whose key it is, or that calls for `user`.
    pub app: Option<Arc<str>>,
    /// The team that the calls count for.
    pub team: Option<Arc<str>>,
}
