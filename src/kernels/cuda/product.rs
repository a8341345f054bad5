//! Linear layers.

use super::array::{Array, Type};
use super::device::{Address, Argument, Launch};
use super::library::{Kind, Product};
use super::variants::MOST_ROWS_OF_CODES;
use super::weight::{Form, Weight};
use super::{Cuda, ROW_ALIGNMENT, Scratch};
use crate::kernels::{self, Arrangement, Epilogue, Vector};
use candle_core::{Error, Result};

/// Rows up to which a weight is read straight into registers.
const FEW_ROWS: usize = 16;

/// Where sums go, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    StoreBf16,
    StoreF32,
    AddF32,
    SwiGlu,
    /// Not by a product: gates and ups are stored, and meet afterwards.
    GeGlu,
}

/// What is multiplied.
pub(super) struct Operands<'a> {
    pub weight: &'a Weight,
    pub x: Address,
    pub rows: usize,
}

impl Mode {
    pub fn new(epilogue: Epilogue, out: &Array) -> Result<Self> {
        match (epilogue, out.element) {
            (Epilogue::Store, Type::Bf16) => Ok(Self::StoreBf16),
            (Epilogue::Store, Type::F32) => Ok(Self::StoreF32),
            (Epilogue::Add, Type::F32) => Ok(Self::AddF32),
            (Epilogue::SwiGlu, Type::Bf16) => Ok(Self::SwiGlu),
            (Epilogue::GeGlu, Type::Bf16) => Ok(Self::GeGlu),
            (_, element) => Err(Error::Msg(format!(
                "linear: {epilogue:?} does not write {element:?} on CUDA"
            ))),
        }
    }

    /// Bytes of a number that is written.
    pub fn out_bytes(self) -> usize {
        match self {
            Self::StoreBf16 | Self::SwiGlu | Self::GeGlu => 2,
            Self::StoreF32 | Self::AddF32 => 4,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::StoreBf16 | Self::GeGlu => "store_bf16",
            Self::StoreF32 => "store_f32",
            Self::AddF32 => "add_f32",
            Self::SwiGlu => "swiglu",
        }
    }
}

impl Cuda {
    pub fn linear(
        &self,
        out: &kernels::Array,
        x: &kernels::Array,
        weight: &kernels::Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        let x = x.cuda("linear")?;
        let of_f32 = weight.cuda("linear")?;
        if of_f32.form == Form::F32 {
            return self.linear_f32(out.cuda("linear")?, x, of_f32, epilogue);
        }
        let inputs = x.expect(Type::Bf16, "linear")?;
        self.multiply(out.cuda("linear")?, inputs, x.num_rows(), weight, epilogue)
    }

    pub fn normed_linear(
        &self,
        out: &kernels::Array,
        x: &kernels::Array,
        norm: &Vector,
        eps: f32,
        weight: &kernels::Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        let (x, norm) = (x.cuda("normed_linear")?, norm.cuda("normed_linear")?);
        let k_padded = weight.cuda("normed_linear")?.k_padded();
        let rows = x.num_rows().next_multiple_of(ROW_ALIGNMENT);
        let normed = self.scratch(Scratch::Normed, rows * k_padded * 2)?;
        self.device.launch(
            &Launch {
                name: "rms_norm",
                grid: [x.num_rows(), 1, 1],
                threads: 256,
                shared: 0,
            },
            &[
                x.expect(Type::F32, "normed_linear")?.into(),
                norm.expect(Type::F32, "normed_linear")?.into(),
                normed.into(),
                x.width().into(),
                k_padded.into(),
                eps.into(),
            ],
        )?;
        let out = out.cuda("normed_linear")?;
        self.multiply(out, normed, x.num_rows(), weight, epilogue)
    }

    fn multiply(
        &self,
        out: &Array,
        x: Address,
        rows: usize,
        weight: &kernels::Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        let weight = weight.cuda("linear")?;
        let mode = Mode::new(epilogue, out)?;
        let is_paired = weight.arrangement == Arrangement::Paired;
        if weight.form == Form::F32 {
            return Err(Error::Msg(
                "linear: f32 weights have no norm on CUDA".into(),
            ));
        }
        if is_paired != matches!(mode, Mode::SwiGlu | Mode::GeGlu) {
            return Err(Error::Msg("linear: a gate needs a pair of weights".into()));
        }
        let (n, k_padded) = (weight.n(), weight.k_padded());
        let library = match &self.library {
            Some(library) if rows > FEW_ROWS && weight.form == Form::Bf16 => library,
            _ => {
                let operands = Operands { weight, x, rows };
                let multiply = |out, out_stride, n| {
                    self.multiply_in_order(mode, &operands, out, out_stride, n)
                };
                return match mode {
                    Mode::SwiGlu => multiply(out.address(), out.stride, n / 2),
                    Mode::GeGlu => {
                        let gate_up = self.gate_up(rows, n)?;
                        multiply(gate_up, n, n)?;
                        self.gate("geglu", gate_up, out, rows, n / 2)
                    }
                    _ => multiply(out.address(), out.stride, n),
                };
            }
        };
        // A few sizes instead of all; rows past the last are memory of the same arrays.
        let product = |out_stride, kind| Product {
            rows: rows.next_multiple_of(ROW_ALIGNMENT),
            n,
            k: k_padded,
            out_stride,
            kind,
        };
        let kind = match mode {
            Mode::StoreBf16 => Kind::StoreBf16,
            Mode::StoreF32 => Kind::StoreF32,
            Mode::AddF32 => Kind::AddF32,
            Mode::SwiGlu | Mode::GeGlu => {
                let product = product(n, Kind::StoreBf16);
                let gate_up = self.gate_up(rows, n)?;
                library.multiply(&self.device, product, weight.row(0), x, gate_up)?;
                let name = match mode {
                    Mode::GeGlu => "geglu",
                    _ => "swiglu",
                };
                return self.gate(name, gate_up, out, rows, n / 2);
            }
        };
        let product = product(out.stride, kind);
        library.multiply(&self.device, product, weight.row(0), x, out.address())
    }

    /// By kernels that sum every row in the same order, however many there are.
    fn multiply_in_order(
        &self,
        mode: Mode,
        operands: &Operands<'_>,
        out: Address,
        out_stride: usize,
        n: usize,
    ) -> Result<()> {
        let Operands { weight, rows, .. } = *operands;
        if weight.form == Form::Bf16 {
            return self.multiply_bf16(mode, operands, weight.row(0), out, out_stride, n);
        }
        if rows > MOST_ROWS_OF_CODES {
            return self.multiply_by_parts(mode, operands, out, out_stride, n);
        }
        let max_shared = self.device.max_shared();
        let launched = super::variants::product(weight.form, mode.name(), rows, n, max_shared);
        self.launch_product(launched, weight.arguments(), operands, out, out_stride, n)
    }

    /// The same, of bf16 weights that lie somewhere else.
    pub(super) fn multiply_bf16(
        &self,
        mode: Mode,
        operands: &Operands<'_>,
        weights: Address,
        out: Address,
        out_stride: usize,
        n: usize,
    ) -> Result<()> {
        let (rows, max_shared) = (operands.rows, self.device.max_shared());
        let launched = super::variants::product(Form::Bf16, mode.name(), rows, n, max_shared);
        self.launch_product(launched, vec![weights.into()], operands, out, out_stride, n)
    }

    fn launch_product(
        &self,
        (launch, name): (Launch<'_>, String),
        mut arguments: Vec<Argument>,
        operands: &Operands<'_>,
        out: Address,
        out_stride: usize,
        n: usize,
    ) -> Result<()> {
        arguments.extend::<[Argument; 6]>([
            operands.x.into(),
            out.into(),
            operands.rows.into(),
            n.into(),
            operands.weight.k_padded().into(),
            out_stride.into(),
        ]);
        let launch = Launch {
            name: &name,
            ..launch
        };
        self.device.launch(&launch, &arguments)
    }

    /// Room for the gates and ups of so many rows, `n` of both.
    fn gate_up(&self, rows: usize, n: usize) -> Result<Address> {
        let rows = rows.next_multiple_of(ROW_ALIGNMENT);
        self.scratch(Scratch::GateUp, rows * n * 2)
    }

    /// `name` is the kernel in which gates and ups meet.
    fn gate(
        &self,
        name: &str,
        gate_up: Address,
        out: &Array,
        rows: usize,
        ffn: usize,
    ) -> Result<()> {
        self.device.launch(
            &Launch {
                name,
                grid: [rows, ffn.div_ceil(4096), 1],
                threads: 256,
                shared: 0,
            },
            &[
                gate_up.into(),
                out.address().into(),
                ffn.into(),
                (2 * ffn).into(),
                out.stride.into(),
            ],
        )
    }
}
