use super::error::ApiError;
use crate::generation::GenerationError;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use std::time::Duration;

#[track_caller]
fn check(
    error: &GenerationError,
    status: StatusCode,
    code: Option<&str>,
    retry_after: Option<&str>,
) -> String {
    let error = ApiError::from_generation(error, "messages");
    let json = error.to_json();
    let response = error.into_response();
    assert_eq!(response.status(), status);
    assert_eq!(json["error"]["code"].as_str(), code);
    let header = response.headers().get("retry-after");
    assert_eq!(header.map(|value| value.to_str().unwrap()), retry_after);
    json["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_overload_says_when_to_ask_again_in_whole_seconds() {
    for (measured, said) in [
        (Duration::ZERO, "1"),
        (Duration::from_millis(1001), "2"),
        (Duration::from_secs(90), "90"),
        (Duration::MAX, "3600"),
    ] {
        for error in [
            GenerationError::Overloaded {
                retry_after: measured,
            },
            GenerationError::Restarting {
                retry_after: measured,
            },
        ] {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            check(&error, status, Some("overloaded"), Some(said));
        }
    }
}

#[test]
fn a_timeout_and_a_quarantine_say_what_happened_and_not_to_ask_again() {
    let timeout = GenerationError::Timeout(Duration::from_secs(600));
    let message = check(
        &timeout,
        StatusCode::GATEWAY_TIMEOUT,
        Some("request_timeout"),
        None,
    );
    assert!(message.contains("600000 ms"), "{message}");
    let message = check(
        &GenerationError::Quarantined,
        StatusCode::UNPROCESSABLE_ENTITY,
        Some("request_quarantined"),
        None,
    );
    assert!(message.contains("quarantine"), "{message}");
}

#[test]
fn a_cause_is_for_the_log_alone() {
    let cause = "layer 3: out of memory";
    let error = GenerationError::Internal(cause.to_owned());
    let message = check(&error, StatusCode::INTERNAL_SERVER_ERROR, None, None);
    assert!(!message.contains(cause));
    let error = ApiError::from_generation(&error, "messages");
    assert_eq!(error.cause(), Some(cause));
}

#[test]
fn clients_do_not_ask_again_where_it_would_be_in_vain() {
    let busy = |seconds| GenerationError::Overloaded {
        retry_after: Duration::from_secs(seconds),
    };
    for (error, said) in [
        (busy(60), None),
        (busy(61), Some("false")),
        (
            GenerationError::Timeout(Duration::from_secs(1)),
            Some("false"),
        ),
    ] {
        let response = ApiError::from_generation(&error, "messages").into_response();
        let header = response.headers().get("x-should-retry");
        assert_eq!(header.map(|value| value.to_str().unwrap()), said);
    }
}
