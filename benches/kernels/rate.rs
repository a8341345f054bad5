//! What criterion prints: rates, and how much of the machine's peak they are.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use std::time::{Duration, Instant};

/// Wall time, of which `Throughput::Elements` are operations and `Throughput::Bytes` bytes from
/// memory.
pub struct Rate {
    time: WallTime,
    peaks: Peaks,
}

/// What the machine could do at most.
#[derive(Debug, Clone, Copy)]
pub struct Peaks {
    /// Operations a second; None where the processor has no dot products of this kind.
    pub operations: Option<f64>,
    /// Bytes a second.
    pub bytes: f64,
}

impl Rate {
    pub fn new(peaks: Peaks) -> Self {
        Self {
            time: WallTime,
            peaks,
        }
    }
}

impl Measurement for Rate {
    type Intermediate = Instant;
    type Value = Duration;

    fn start(&self) -> Instant {
        self.time.start()
    }

    fn end(&self, started: Instant) -> Duration {
        self.time.end(started)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        self.time.add(a, b)
    }

    fn zero(&self) -> Duration {
        self.time.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.time.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Rate {
    /// `value` is in nanoseconds.
    fn format_throughput(&self, throughput: &Throughput, value: f64) -> String {
        let (amount, unit, peak) = match throughput {
            Throughput::Elements(operations) => (*operations, "GOP/s", self.peaks.operations),
            Throughput::Bytes(bytes) => (*bytes, "GB/s", Some(self.peaks.bytes)),
            other => return self.time.formatter().format_throughput(other, value),
        };
        let giga = amount as f64 / value;
        match peak {
            Some(peak) => format!("{giga:.1} {unit} ({:.0} %)", 1e11 * giga / peak),
            None => format!("{giga:.1} {unit}"),
        }
    }

    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        self.time.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(
        &self,
        typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        let formatter = self.time.formatter();
        formatter.scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        self.time.formatter().scale_for_machines(values)
    }
}
