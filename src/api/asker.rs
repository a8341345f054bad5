use super::auth::Owner;
use super::request_id::RequestId;
use crate::generation::Caller;
use axum::Extension;
use axum::extract::FromRequestParts;
use axum::extract::rejection::ExtensionRejection;
use axum::http::request::Parts;

/// Who asks, and under which id.
pub struct Asker {
    pub request_id: RequestId,
    pub caller: Caller,
    pub owner: Owner,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            request_id: Extension::from_request_parts(parts, state).await?.0,
            caller: Extension::from_request_parts(parts, state).await?.0,
            owner: Extension::from_request_parts(parts, state).await?.0,
        })
    }
}
