//! Who may ask: as soon as one key is set, every route needs one but the probes.

use super::error::ApiError;
use super::state::ApiState;
use crate::generation::Caller;
use crate::tenant::Tenant;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Orchestrators ask these without a key; they tell nothing but a status.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/health"];

/// Whose what is stored is: the name of a key, and nothing where there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(pub Arc<str>);

/// Lets a request through and tells the handlers who asks.
pub async fn layer(
    State(state): State<Arc<ApiState>>,
    mut request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let (caller, owner) = if state.keys.is_empty() {
        (Caller::default(), "")
    } else {
        let Some(key) = bearer(&request) else {
            return ApiError::missing_key().into_response();
        };
        match state.keys.tenant_of(key) {
            Some(tenant) => (caller(tenant), &*tenant.name),
            None => return ApiError::wrong_key().into_response(),
        }
    };
    let owner = Owner(owner.into());
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(owner);
    next.run(request).await
}

/// Each key is a caller of its own; 0 is everyone, where there are no keys.
fn caller(tenant: &Tenant) -> Caller {
    Caller {
        number: tenant.index.saturating_add(1),
        weight: tenant.weight,
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_a_caller_of_its_own_and_none_is_everyone() {
        let tenant = |index| Tenant {
            index,
            name: "a".to_owned(),
            weight: 5,
        };
        let callers = [caller(&tenant(0)), caller(&tenant(1)), Caller::default()];
        assert_eq!(callers.map(|caller| caller.number), [1, 2, 0]);
        assert_eq!(callers.map(|caller| caller.weight), [5, 5, 1]);
    }
}
