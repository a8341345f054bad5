//! Random numbers without a state.

/// A number in [0, 1) that depends on its arguments alone: Philox 4x32-10, a counter-based
/// generator (Salmon, Moraes, Dror and Shaw 2011), with the seed as its key.
pub fn uniform(seed: u64, choice: u32, position: u64) -> f64 {
    let [a, b, ..] = philox(
        [position as u32, (position >> 32) as u32, choice, 0],
        [seed as u32, (seed >> 32) as u32],
    );
    let bits = (u64::from(a) << 32 | u64::from(b)) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [
                key[0].wrapping_add(0x9E37_79B9),
                key[1].wrapping_add(0xBB67_AE85),
            ];
        }
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_agrees_with_the_known_answers_of_its_authors() {
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn seed_choice_and_position_each_change_the_number() {
        let number = uniform(1 << 40, 2, 3);
        assert_eq!(number, uniform(1 << 40, 2, 3));
        for other in [
            uniform(1 << 41, 2, 3),
            uniform(1, 2, 3),
            uniform(1 << 40, 3, 3),
            uniform(1 << 40, 2, 4),
            uniform(1 << 40, 2, 3 + (1 << 32)),
        ] {
            assert_ne!(number, other);
        }
    }
}
