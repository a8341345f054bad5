//! The object that OpenAI's clients read an error from.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorObject,
}

#[derive(Serialize, ToSchema)]
pub struct ErrorObject {
    pub message: String,
    pub r#type: &'static str,
    /// The field that is wrong.
    #[schema(required)]
    pub param: Option<String>,
    #[schema(required)]
    pub code: Option<&'static str>,
}
