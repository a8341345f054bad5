//! Boxes on a page, in points, with y growing downwards as one reads.

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x0: f64,
    pub y0: f64,
    pub x1: f64,
    pub y1: f64,
}

impl Area {
    pub fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    pub fn height(&self) -> f64 {
        self.y1 - self.y0
    }

    pub fn contains(&self, x: f64, y: f64) -> bool {
        (self.x0..=self.x1).contains(&x) && (self.y0..=self.y1).contains(&y)
    }

    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
    }

    pub fn union(&self, other: &Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }

    /// How many points of height two boxes share.
    pub fn shared_height(&self, other: &Self) -> f64 {
        self.y1.min(other.y1) - self.y0.max(other.y0)
    }
}

/// A piece of text on one baseline.
#[derive(Debug, Clone)]
pub struct Fragment {
    pub text: String,
    pub x0: f64,
    pub x1: f64,
    pub baseline: f64,
    /// The height of the font, in points.
    pub size: f64,
}

impl Fragment {
    pub fn area(&self) -> Area {
        Area {
            x0: self.x0,
            y0: self.baseline - 0.75 * self.size,
            x1: self.x1,
            y1: self.baseline + 0.25 * self.size,
        }
    }

    pub fn num_chars(&self) -> usize {
        self.text.chars().count()
    }
}

/// The middle of some values; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
