use super::ModelError;
use super::importance::Importance;
use super::norm::RmsNorm;
use super::weights::{Checkpoint, Rows, Stack};
use crate::kernels::{
    Arrangement, Array, Epilogue, Kernels, Routing, RowSource, Shard, Weight, WeightType,
};
use std::ops::Range;
use std::sync::Arc;

/// A linear layer without bias. Adapters will live here, so that neither the decoder nor a
/// family mentions them.
#[derive(Clone)]
pub struct Linear {
    weight: Arc<Weight>,
}

/// Types of a decoder's weights in memory. Norms, and what chooses experts, are f32 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// Of the layers.
    pub layers: WeightType,
    /// Of the embedding and the output head.
    pub tables: WeightType,
}

impl From<WeightType> for Precision {
    /// Everything in one type.
    fn from(weight_type: WeightType) -> Self {
        Self {
            layers: weight_type,
            tables: weight_type,
        }
    }
}

/// What layers are built from and for.
pub struct Loader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub kernels: &'a Kernels,
    pub precision: Precision,
    /// Whether weights are packed; a survey only asks for them.
    pub packs: bool,
}

impl Loader<'_> {
    /// Which part of the model is loaded.
    pub fn shard(&self) -> Shard {
        self.kernels.shard()
    }
}

/// Where the rows of a weight stand in a checkpoint.
pub struct Part {
    name: String,
    place: Place,
    share: Share,
}

/// What of them is wanted.
enum Share {
    All,
    Rows(Range<usize>),
    Columns {
        columns: Range<usize>,
        /// How many a row has.
        of: usize,
    },
}

enum Place {
    /// A tensor of so many rows.
    Whole(usize),
    /// Some of the rows of a tensor that has `n`.
    Rows { n: usize, rows: Rows },
    /// Some of the rows of one matrix of a stack.
    Stacked {
        stack: Stack,
        index: usize,
        rows: Rows,
    },
}

impl Part {
    /// A tensor of `n` rows.
    pub fn whole(name: String, n: usize) -> Self {
        Self {
            name,
            place: Place::Whole(n),
            share: Share::All,
        }
    }

    /// `count` rows from `first` on of a tensor of `n`.
    pub fn rows(name: String, n: usize, first: usize, count: usize) -> Self {
        let rows = Rows {
            first,
            step: 1,
            count,
        };
        Self {
            name,
            place: Place::Rows { n, rows },
            share: Share::All,
        }
    }

    /// Rows of matrix `index` of a stack.
    pub fn stacked(name: String, stack: Stack, index: usize, rows: Rows) -> Self {
        Self {
            name,
            place: Place::Stacked { stack, index, rows },
            share: Share::All,
        }
    }

    /// Some of these rows, counted from the first of them.
    pub fn of_rows(self, rows: Range<usize>) -> Self {
        let share = Share::Rows(rows);
        Self { share, ..self }
    }

    /// Some columns of these rows, of which each has `of`.
    pub fn of_columns(self, columns: Range<usize>, of: usize) -> Self {
        let share = Share::Columns { columns, of };
        Self { share, ..self }
    }

    /// The rows, each of `k` elements.
    pub fn take<'a>(
        &self,
        checkpoint: &'a Checkpoint,
        k: usize,
    ) -> Result<RowSource<'a>, ModelError> {
        let row_len = match self.share {
            Share::All | Share::Rows(_) => k,
            Share::Columns { of, .. } => of,
        };
        let (source, num_rows) = match self.place {
            Place::Whole(n) => (checkpoint.take(&self.name, &[n, row_len])?, n),
            Place::Rows { n, rows } => {
                let source = checkpoint.take_rows(&self.name, [n, row_len], rows)?;
                (source, rows.count)
            }
            Place::Stacked { stack, index, rows } => {
                let source = checkpoint.take_expert(&self.name, stack, index, rows)?;
                (source, rows.count)
            }
        };
        Ok(match &self.share {
            Share::All => source,
            Share::Rows(rows) => source.block(row_len, rows.clone(), 0..row_len),
            Share::Columns { columns, .. } => source.block(row_len, 0..num_rows, columns.clone()),
        })
    }
}

impl Linear {
    /// One layer of the tensors `names`, `[n, k]` each.
    pub fn load(
        loader: &Loader<'_>,
        arrangement: Arrangement,
        names: &[(String, usize)],
        k: usize,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let parts: Vec<_> = names
            .iter()
            .map(|(name, n)| Part::whole(name.clone(), *n))
            .collect();
        Self::load_parts(loader, arrangement, &parts, k, importance)
    }

    /// One layer of `parts`, one below the other or in pairs, whose rows have `k` elements each.
    pub fn load_parts(
        loader: &Loader<'_>,
        arrangement: Arrangement,
        parts: &[Part],
        k: usize,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let weight_type = loader.precision.layers;
        Self::pack(loader, arrangement, weight_type, parts, k, importance)
    }

    /// The embedding or the output head, `[vocab, k]`.
    pub fn load_table(
        loader: &Loader<'_>,
        name: &str,
        vocab: usize,
        k: usize,
    ) -> Result<Self, ModelError> {
        let weight_type = loader.precision.tables;
        Self::load_as(loader, weight_type, name.to_owned(), vocab, k)
    }

    /// `[n, k]` of one tensor, in a type of its own.
    pub fn load_as(
        loader: &Loader<'_>,
        weight_type: WeightType,
        name: String,
        n: usize,
        k: usize,
    ) -> Result<Self, ModelError> {
        let parts = [Part::whole(name, n)];
        Self::pack(loader, Arrangement::Stacked, weight_type, &parts, k, &None)
    }

    fn pack(
        loader: &Loader<'_>,
        arrangement: Arrangement,
        weight_type: WeightType,
        parts: &[Part],
        k: usize,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let sources = parts
            .iter()
            .map(|part| part.take(loader.checkpoint, k))
            .collect::<Result<Vec<_>, _>>()?;
        let kernels = loader.kernels;
        let weight = if loader.packs {
            kernels.pack(&sources, k, arrangement, weight_type, importance.as_deref())?
        } else {
            kernels.pack(&[], k, Arrangement::Stacked, weight_type, None)?
        };
        loader.checkpoint.release();
        Ok(Self {
            weight: Arc::new(weight),
        })
    }

    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    pub fn num_bytes(&self) -> usize {
        self.weight.num_bytes()
    }

    /// `out [rows, n] = x [rows, k] · wᵀ`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        Ok(kernels.linear(out, x, &self.weight, epilogue)?)
    }

    /// [`Linear::forward`] of rows that go through experts, each with the weights of its own.
    pub fn forward_routed(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        routing: &Routing,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        Ok(kernels.routed_linear(out, x, &self.weight, routing, epilogue)?)
    }

    /// [`Linear::forward`], of `norm(x)` where there is one.
    pub fn forward_normed(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        norm: Option<&RmsNorm>,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        let Some(norm) = norm else {
            return self.forward(kernels, out, x, epilogue);
        };
        Ok(kernels.normed_linear(out, x, &norm.weight, norm.eps, &self.weight, epilogue)?)
    }
}
