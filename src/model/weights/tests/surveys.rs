use super::*;

#[test]
fn a_survey_notes_all_that_is_wrong_and_goes_on() {
    let directory = gptq_directory(gptq(json!({})))
        .words("b.qweight", &[1, 8], &[0; 8])
        .bf16("norm", &[2], &[1.0, 2.0])
        .bf16("left", &[1], &[1.0])
        .bf16("table", &[1, 2], &[3.0, 4.0]);
    let mut checkpoint = directory.open().unwrap();
    checkpoint.survey();
    let ones = checkpoint.take("a.weight", &[4, 4]).unwrap();
    assert_eq!((ones.num_elements(), ones.get(3)), (16, 1.0));
    assert_eq!(checkpoint.take_vec("norm", 3).unwrap(), [1.0; 3]);
    checkpoint.take("b.weight", &[8, 8]).unwrap();
    checkpoint.take("gone", &[2, 2]).unwrap();
    assert_eq!(checkpoint.take_vec("table", 2).unwrap().len(), 2);
    checkpoint.finish().unwrap();
    let problems = checkpoint.problems();
    for (problem, expected) in problems.iter().zip([
        "a.weight has shape [8, 8], but config.json implies [4, 4]",
        "norm has shape [2], but config.json implies [3]",
        "b.qzeros is missing",
        "the tensor gone is missing",
        "table has shape [1, 2]",
        "the tensor left has no place",
    ]) {
        assert!(
            problem.contains(expected),
            "{expected} is not in: {problem}"
        );
    }
    assert_eq!(problems.len(), 6, "{problems:?}");
}

#[test]
fn a_survey_makes_up_no_more_than_memory_holds() {
    let mut checkpoint = Directory::new(json!(null)).open().unwrap();
    checkpoint.survey();
    let most = 1 << 40;
    assert!(checkpoint.take("a", &[most, 1 << 10]).is_ok());
    assert!(checkpoint.take("b", &[most, most]).is_err());
    assert!(checkpoint.take_values("c", &[most]).is_err());
}

#[test]
fn a_whole_checkpoint_has_no_problems() {
    let mut checkpoint = gptq_directory(gptq(json!({}))).open().unwrap();
    checkpoint.survey();
    assert!(checkpoint.contains("a.weight") && !checkpoint.contains("b.weight"));
    checkpoint.take("a.weight", &[8, 8]).unwrap();
    assert!(checkpoint.problems().is_empty());
}
