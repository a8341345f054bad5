//! Which tensors of a GGUF file become which tensors of the checkpoint.

use std::collections::BTreeSet;

use super::ImportError;
use super::architecture::{Architecture, Dim, Dimensions, Layout, TensorRule};
use super::config::ModelConfig;
use super::header::Header;
use super::metadata::Metadata;
use super::rope;
use super::tensors::OUTPUT;

/// One tensor of the checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedTensor {
    pub(super) target: String,
    /// Outermost first; empty for a single number.
    pub(super) shape: Vec<usize>,
    pub(super) num_elements: usize,
    pub(super) source: PlannedSource,
}

/// Where its numbers come from. What is named stands in the file with the right shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PlannedSource {
    Metadata(f32),
    /// Rows `first ..` of a tensor, as they are.
    Rows {
        name: String,
        first: usize,
    },
    /// The same, but llama.cpp has paired the rows of both halves of a head.
    PairedRows {
        name: String,
        head_rows: usize,
    },
    /// Numbers to which 1 was added.
    OneAdded {
        name: String,
    },
    /// Matrices of `inputs` columns, of one tensor or of two whose rows take turns, to be written
    /// with the inputs first.
    InputsFirst {
        names: Vec<String>,
        num_matrices: usize,
        inputs: usize,
    },
}

/// Every tensor of the checkpoint, in the order it is written. Strict: a tensor that is
/// missing, left over or of another shape is refused.
pub(super) fn plan(
    config: &ModelConfig,
    header: &Header,
    metadata: &Metadata<'_>,
) -> Result<Vec<PlannedTensor>, ImportError> {
    let architecture = config.architecture;
    let mut plan = Plan {
        dimensions: &config.dimensions,
        header,
        used: BTreeSet::new(),
        tensors: Vec::new(),
    };
    for rule in architecture.outer {
        plan.add(rule, "", "")?;
    }
    for layer in 0..config.dimensions.num_layers {
        let source = format!("blk.{layer}.");
        let target = format!("model.layers.{layer}.");
        for rule in architecture.layer.iter().copied().flatten() {
            plan.add(rule, &source, &target)?;
        }
        plan.add_values(architecture, layer, &target, metadata)?;
    }
    if !config.tie_word_embeddings {
        plan.add(&OUTPUT, "", "")?;
    }
    plan.finish(architecture)
}

struct Plan<'a> {
    dimensions: &'a Dimensions,
    header: &'a Header,
    /// Names in the file.
    used: BTreeSet<String>,
    tensors: Vec<PlannedTensor>,
}

impl Plan<'_> {
    fn add(&mut self, rule: &TensorRule, source: &str, target: &str) -> Result<(), ImportError> {
        let shape = self.shape(rule.shape)?;
        let name = self.take(format!("{source}{}", rule.source), &shape)?;
        let target = format!("{target}{}", rule.target);
        let second = match rule.second {
            Some(second) => Some(self.take(format!("{source}{second}"), &shape)?),
            None => None,
        };
        match rule.layout {
            Layout::AsStored if target.contains("{e}") => {
                let (rows, expert_shape) = (shape[1], &shape[1..]);
                for expert in 0..shape[0] {
                    self.push(
                        target.replace("{e}", &expert.to_string()),
                        expert_shape.to_vec(),
                        PlannedSource::Rows {
                            name: name.clone(),
                            first: expert * rows,
                        },
                    );
                }
            }
            Layout::AsStored => self.push(target, shape, PlannedSource::Rows { name, first: 0 }),
            Layout::PairedHeads => {
                let head_rows = self.dimensions.head_dim;
                self.push(target, shape, PlannedSource::PairedRows { name, head_rows });
            }
            Layout::OneAdded => self.push(target, shape, PlannedSource::OneAdded { name }),
            Layout::InputsFirst => {
                let names: Vec<String> = [Some(name), second].into_iter().flatten().collect();
                let (num_matrices, outputs) = (shape[0], shape[1] * names.len());
                let inputs = shape.get(2).copied();
                let target_shape = [Some(num_matrices), inputs, Some(outputs)];
                self.push(
                    target,
                    target_shape.into_iter().flatten().collect(),
                    PlannedSource::InputsFirst {
                        names,
                        num_matrices,
                        // The biases are a matrix with one input.
                        inputs: inputs.unwrap_or(1),
                    },
                );
            }
        }
        Ok(())
    }

    fn add_values(
        &mut self,
        architecture: &Architecture,
        layer: usize,
        target: &str,
        metadata: &Metadata<'_>,
    ) -> Result<(), ImportError> {
        for value in architecture.layer_values {
            let values = metadata.floats(value.key)?;
            if values.len() != self.dimensions.num_layers {
                return Err(ImportError::Malformed(format!(
                    "{} does not have one number a layer",
                    value.key
                )));
            }
            self.push(
                format!("{target}{}", value.target),
                value.shape.to_vec(),
                PlannedSource::Metadata(values[layer]),
            );
        }
        Ok(())
    }

    fn shape(&self, dims: &[Dim]) -> Result<Vec<usize>, ImportError> {
        let sizes = dims.iter().map(|dim| self.dimensions.size(*dim));
        sizes
            .collect::<Option<_>>()
            .ok_or_else(|| ImportError::Malformed("the attention's size is absurd".to_owned()))
    }

    /// The name again, of a tensor that is in the file with this shape.
    fn take(&mut self, name: String, shape: &[usize]) -> Result<String, ImportError> {
        let Some(entry) = self.header.tensors.get(&name) else {
            return Err(ImportError::Malformed(format!(
                "the tensor {name} is missing"
            )));
        };
        if entry.shape != shape {
            return Err(ImportError::Malformed(format!(
                "the tensor {name} has the shape {:?}, but the metadata imply {shape:?}",
                entry.shape
            )));
        }
        self.used.insert(name.clone());
        Ok(name)
    }

    fn push(&mut self, target: String, shape: Vec<usize>, source: PlannedSource) {
        self.tensors.push(PlannedTensor {
            target,
            // The header has checked that the product fits.
            num_elements: shape.iter().product(),
            shape,
            source,
        });
    }

    fn finish(self, architecture: &Architecture) -> Result<Vec<PlannedTensor>, ImportError> {
        let elsewhere = rope::tensors(architecture);
        let left_over =
            self.header.tensors.keys().find(|name| {
                !self.used.contains(name.as_str()) && !elsewhere.contains(&name.as_str())
            });
        match left_over {
            Some(name) => Err(ImportError::Unsupported(format!(
                "the tensor {name} has no place in a {} model, so the file is not imported",
                architecture.class.trim_end_matches("ForCausalLM")
            ))),
            None => Ok(self.tensors),
        }
    }
}
