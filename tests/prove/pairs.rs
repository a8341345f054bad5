//! Few combinations of settings in which every two settings meet.

/// `levels` says how many settings each factor has. A row has one of each factor, and for any
/// two settings of different factors there is a row with both. Of levels that serve as well, the
/// last is taken.
pub fn all_pairs(levels: &[usize]) -> Vec<Vec<usize>> {
    let mut missing = pairs(levels);
    let mut rows = Vec::new();
    while let Some(&[first, second]) = missing.first() {
        let mut row: Vec<Option<usize>> = vec![None; levels.len()];
        row[first.0] = Some(first.1);
        row[second.0] = Some(second.1);
        for factor in 0..levels.len() {
            if row[factor].is_some() {
                continue;
            }
            let num_met = |level: usize| {
                let here = (factor, level);
                let meets = |[a, b]: &&[Setting; 2]| {
                    *a == here && row[b.0] == Some(b.1) || *b == here && row[a.0] == Some(a.1)
                };
                missing.iter().filter(meets).count()
            };
            row[factor] = (0..levels[factor]).max_by_key(|level| num_met(*level));
        }
        let row: Vec<usize> = row.into_iter().flatten().collect();
        missing.retain(|pair| !pair.iter().all(|(factor, level)| row[*factor] == *level));
        rows.push(row);
    }
    rows
}

/// A factor and one of its levels.
type Setting = (usize, usize);

/// Any two settings of different factors.
fn pairs(levels: &[usize]) -> Vec<[Setting; 2]> {
    let settings = |factor: usize| (0..levels[factor]).map(move |level| (factor, level));
    let mut pairs = Vec::new();
    for second in 0..levels.len() {
        for first in 0..second {
            for a in settings(first) {
                pairs.extend(settings(second).map(|b| [a, b]));
            }
        }
    }
    pairs
}

#[test]
fn every_two_settings_meet_in_few_rows() {
    let levels = [7, 4, 2, 2, 3, 3];
    let rows = all_pairs(&levels);
    for row in &rows {
        assert!(row.iter().zip(&levels).all(|(level, count)| level < count));
    }
    for [a, b] in pairs(&levels) {
        let meet = |row: &Vec<usize>| row[a.0] == a.1 && row[b.0] == b.1;
        assert!(rows.iter().any(meet), "{a:?} and {b:?} never meet");
    }
    // 28 is the least: the first two factors alone have so many pairs.
    assert!((28..=48).contains(&rows.len()), "{} rows", rows.len());
}
