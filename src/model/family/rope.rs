//! The rotary embeddings that a `config.json` describes.

use super::fields::Fields;
use crate::model::config::{RopeConfig, RopeScaling};

/// `rope_parameters` (transformers 5), or `rope_theta` with `rope_scaling` (before).
pub fn rope(config: Fields<'_>, head_dim: usize, default_theta: f64) -> Result<RopeConfig, String> {
    let parameters = config.optional_object("rope_parameters")?;
    let scaling = match parameters {
        Some(parameters) => Some(parameters),
        None => config.optional_object("rope_scaling")?,
    };
    from_parts(config, parameters, scaling, head_dim, default_theta)
}

/// The rotary embedding of layers of one kind, where `rope_parameters` has one for each kind.
pub fn rope_of(
    config: Fields<'_>,
    kind: &str,
    head_dim: usize,
    default_theta: f64,
) -> Result<Option<RopeConfig>, String> {
    let Some(parameters) = config.optional_object("rope_parameters")? else {
        return Ok(None);
    };
    let Some(parameters) = parameters.optional_object(kind)? else {
        return Ok(None);
    };
    from_parts(
        config,
        Some(parameters),
        Some(parameters),
        head_dim,
        default_theta,
    )
    .map(Some)
}

fn from_parts(
    config: Fields<'_>,
    parameters: Option<Fields<'_>>,
    scaling: Option<Fields<'_>>,
    head_dim: usize,
    default_theta: f64,
) -> Result<RopeConfig, String> {
    let either = |name: &str| match parameters.map(|p| p.optional_number(name)).transpose()? {
        Some(Some(number)) => Ok(Some(number)),
        _ => config.optional_number(name),
    };
    let theta = either("rope_theta")?.unwrap_or(default_theta);
    let rotary_dim = match either("partial_rotary_factor")? {
        Some(factor) if (0.0..=1.0).contains(&factor) => (head_dim as f64 * factor) as usize,
        Some(factor) => {
            return Err(format!(
                "`partial_rotary_factor` is {factor}; it must be a number up to 1"
            ));
        }
        None => head_dim,
    };
    let scaling = match scaling {
        Some(scaling) => self::scaling(config, scaling)?,
        None => RopeScaling::None,
    };
    Ok(RopeConfig {
        theta,
        rotary_dim,
        scaling,
    })
}

fn scaling(config: Fields<'_>, scaling: Fields<'_>) -> Result<RopeScaling, String> {
    let kind = match scaling.optional_text("rope_type")? {
        Some(kind) => Some(kind),
        None => scaling.optional_text("type")?,
    };
    let factor = || scaling.number("factor");
    match kind.ok_or("the rope scaling must name its `rope_type`")? {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: factor()? }),
        "dynamic" => Ok(RopeScaling::Dynamic { factor: factor()? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: factor()?,
            low_freq_factor: scaling.number("low_freq_factor")?,
            high_freq_factor: scaling.number("high_freq_factor")?,
            original_max_position_embeddings: original(config, scaling)?,
        }),
        "yarn" => yarn(config, scaling),
        // Early checkpoints of Phi-3 say su for what became LongRoPE.
        "longrope" | "su" => long(config, scaling),
        other => Err(format!(
            "rope scaling `{other}` is not supported; supported are default, linear, dynamic, llama3, yarn and longrope"
        )),
    }
}

/// The length that a checkpoint was trained with before it was stretched.
fn original(config: Fields<'_>, scaling: Fields<'_>) -> Result<usize, String> {
    const NAME: &str = "original_max_position_embeddings";
    // Where both say it, the outer one counts.
    match config.optional_size(NAME)?.or(scaling.optional_size(NAME)?) {
        Some(length) => Ok(length),
        None => config.size("max_position_embeddings"),
    }
}

/// `factor`, or how far `max_position_embeddings` exceeds the original length.
fn stretch(config: Fields<'_>, scaling: Fields<'_>, original: usize) -> Result<f64, String> {
    match scaling.optional_number("factor")? {
        Some(factor) => Ok(factor),
        None => Ok(config.size("max_position_embeddings")? as f64 / original.max(1) as f64),
    }
}

fn yarn(config: Fields<'_>, scaling: Fields<'_>) -> Result<RopeScaling, String> {
    let original_max_position_embeddings = original(config, scaling)?;
    let factor = stretch(config, scaling, original_max_position_embeddings)?;
    let magnitude = |scale: f64| match factor <= 1.0 {
        true => 1.0,
        false => 0.1 * scale * factor.ln() + 1.0,
    };
    let given = |name| Ok::<_, String>(scaling.optional_number(name)?.filter(|x| *x != 0.0));
    let attention_factor = match (
        scaling.optional_number("attention_factor")?,
        given("mscale")?,
        given("mscale_all_dim")?,
    ) {
        (Some(attention_factor), ..) => attention_factor,
        (None, Some(one), Some(all)) => magnitude(one) / magnitude(all),
        (None, ..) => magnitude(1.0),
    };
    Ok(RopeScaling::Yarn {
        factor,
        original_max_position_embeddings,
        beta_fast: given("beta_fast")?.unwrap_or(32.0),
        beta_slow: given("beta_slow")?.unwrap_or(1.0),
        truncate: scaling.flag("truncate", true)?,
        attention_factor,
    })
}

fn long(config: Fields<'_>, scaling: Fields<'_>) -> Result<RopeScaling, String> {
    let original_max_position_embeddings = original(config, scaling)?;
    let factor = stretch(config, scaling, original_max_position_embeddings)?;
    let attention_factor = match scaling.optional_number("attention_factor")? {
        Some(attention_factor) => attention_factor,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / (original_max_position_embeddings as f64).ln()).sqrt(),
    };
    Ok(RopeScaling::Long {
        short_factor: scaling.numbers("short_factor")?,
        long_factor: scaling.numbers("long_factor")?,
        original_max_position_embeddings,
        attention_factor,
    })
}
