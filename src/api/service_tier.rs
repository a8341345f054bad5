//! `service_tier`: whether someone waits for the answer.

use super::error::ApiError;
use super::fields::Fields;
use super::parameters::SERVICE_TIERS;
use crate::generation::Class;

/// The tier that a request is served in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceTier {
    Default,
    Flex,
}

impl ServiceTier {
    /// `None`: the request names no tier, and then neither does the answer.
    pub fn parse(body: &Fields<'_>) -> Result<Option<Self>, ApiError> {
        let Some(field) = body.get("service_tier") else {
            return Ok(None);
        };
        match field.string()? {
            "flex" => Ok(Some(Self::Flex)),
            // Nobody is served faster than by default; the answer says so.
            tier if SERVICE_TIERS.contains(&tier) => Ok(Some(Self::Default)),
            _ => Err(field.must(format_args!("be one of `{}`", SERVICE_TIERS.join("`, `")))),
        }
    }

    pub fn class(self) -> Class {
        match self {
            Self::Default => Class::Interactive,
            Self::Flex => Class::Batch,
        }
    }

    /// As an answer says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flex => "flex",
        }
    }
}
