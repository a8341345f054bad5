//! Tokens that the device chooses, against what a choice means.

use super::devices::{Devices, Noise};
use guichet::kernels::{Choice, Chosen, Draw, Kernels, LogitEdit, RowUse, TokenChoice, Use};

#[path = "plain_choice.rs"]
mod plain_choice;

fn chosen(kernels: &Kernels, rows: &[Vec<f32>], uses: &[RowUse]) -> Vec<Chosen> {
    let logits = kernels
        .rows(rows.concat(), rows[0].len(), Use::Sums)
        .unwrap();
    let answers = kernels
        .for_logits(&logits, uses, |_, row| row.chosen.cloned())
        .unwrap();
    assert_eq!(logits.to_rows().unwrap(), rows, "a row is left changed");
    answers.into_iter().flatten().collect()
}

fn draws(u: f64) -> Vec<Draw> {
    let all = Draw {
        temperature: 0.8,
        top_k: None,
        top_p: 1.0,
        min_p: 0.0,
        u,
    };
    vec![
        all,
        Draw { min_p: 0.02, ..all },
        Draw { top_p: 0.9, ..all },
        Draw {
            top_k: Some(50),
            ..all
        },
        Draw {
            temperature: 2.0,
            top_p: 0.999,
            ..all
        },
        Draw {
            top_k: Some(400),
            top_p: 0.95,
            min_p: 0.01,
            ..all
        },
    ]
}

fn choices(noise: &mut Noise, vocab: usize) -> Vec<Choice> {
    let mut choices = Vec::new();
    for (index, u) in [0.0, 0.1, 0.5, 0.77, 0.999_9].into_iter().enumerate() {
        let tokens = draws(u).into_iter().map(TokenChoice::Drawn);
        for token in tokens.chain([TokenChoice::Largest]) {
            let values = noise.values(vocab.min(300), 1.0);
            let edits = (0..).step_by(vocab.div_ceil(300)).zip(values);
            choices.push(Choice {
                token,
                num_top: (4 * index).min(vocab),
                mask: (index % 2 == 1).then(|| vec![0x5a5a_0ff0_1234_fedc; vocab.div_ceil(64)]),
                edits: edits
                    .take_while(|(id, _)| *id < vocab && index > 1)
                    .map(|(id, value)| LogitEdit {
                        id: id as u32,
                        is_banned: value > 1.5,
                        bias: value,
                        is_repeated: value < 0.0,
                        count: u32::from(value < -1.0),
                    })
                    .collect(),
                repetition_penalty: 1.2,
                frequency_penalty: 0.5,
                presence_penalty: 0.25,
            });
        }
    }
    choices
}

#[test]
#[ignore = "needs a GPU"]
fn tokens_are_chosen_as_their_choice_says() {
    let gpu = Devices::new(true).gpu;
    for vocab in [320, 8193, 128_256, 262_144] {
        let mut noise = Noise::new(vocab as u64);
        let choices = choices(&mut noise, vocab);
        let rows: Vec<_> = choices.iter().map(|_| noise.values(vocab, 3.0)).collect();
        let uses: Vec<_> = choices.iter().cloned().map(RowUse::Choice).collect();
        let answers = chosen(&gpu, &rows, &uses);
        assert_eq!(answers.len(), choices.len());
        for ((row, choice), answer) in rows.iter().zip(&choices).zip(&answers) {
            let id = (!answer.is_stuck).then_some(answer.id);
            let miss = plain_choice::miss(row, choice, id);
            assert!(
                miss < 1e-6,
                "{vocab}: {miss}: {:?}, {answer:?}",
                choice.token
            );
            assert_eq!(answer.logit, row[answer.id as usize], "{vocab}");
            assert_eq!(
                answer.top,
                plain_choice::top(row, choice.num_top),
                "{vocab}"
            );
        }
        // A row's answer does not depend on what else is asked.
        for index in [0, 17] {
            let alone = chosen(&gpu, &rows[index..=index], &uses[index..=index]);
            assert_eq!(alone[0], answers[index], "{vocab}");
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn summaries_choices_and_whole_rows_are_given_side_by_side() {
    let Devices { cpu, gpu } = Devices::new(true);
    let mut noise = Noise::new(9);
    let rows: Vec<_> = (0..40).map(|_| noise.values(1000, 2.0)).collect();
    let known = |id| {
        RowUse::Choice(Choice {
            token: TokenChoice::Known(id),
            num_top: 2,
            mask: None,
            edits: Vec::new(),
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
        })
    };
    let uses: Vec<_> = (0..40)
        .map(|row| match row % 4 {
            0 => RowUse::Summary,
            1 => known(row),
            _ => RowUse::Values,
        })
        .collect();
    let logits = gpu.rows(rows.concat(), 1000, Use::Sums).unwrap();
    let results = gpu
        .for_logits(&logits, &uses, |row, result| {
            (
                row,
                result.values.to_vec(),
                result.chosen.cloned(),
                result.summary.argmax,
            )
        })
        .unwrap();
    for (index, (row, values, chosen, argmax)) in results.into_iter().enumerate() {
        assert_eq!((row, argmax), (index, cpu.summarize(&rows[index]).argmax));
        match index % 4 {
            0 => assert!(values.is_empty() && chosen.is_none()),
            1 => {
                let chosen = chosen.unwrap();
                assert_eq!(chosen.id as usize, index);
                assert_eq!(chosen.top, plain_choice::top(&rows[index], 2));
            }
            _ => assert!(values == rows[index] && chosen.is_none()),
        }
    }
}
